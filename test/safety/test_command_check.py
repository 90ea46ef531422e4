"""What a command and a gain profile must be to be looked at at all."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit

from robot_policies.safety.command_check import (
    MALFORMED,
    bad_profile,
    malformed,
    wrong_gains,
    wrong_profile,
    wrong_stamp,
)
from robot_policies.types import GainProfile, owned

LIMITS = kit.go2_limits()


def test_a_healthy_command_passes_every_check() -> None:
    command, profile = kit.command(), kit.profile()
    assert malformed(command, 12) is None
    assert wrong_profile(command, profile) is None
    assert wrong_gains(command, profile) is None


@pytest.mark.parametrize("bad", kit.BAD)
@pytest.mark.parametrize("field", kit.COMMAND_ARRAYS)
def test_every_entry_must_be_finite(field: str, bad: float) -> None:
    values = getattr(kit.command(), field)
    for joint in range(12):
        refusal = malformed(kit.command(**{field: kit.poisoned(values, joint, bad)}), 12)
        assert refusal is not None
        assert refusal[0] == "not_finite"
        assert refusal[1].startswith(f"{field}: ")


@pytest.mark.parametrize("field", kit.COMMAND_ARRAYS)
def test_every_array_must_have_its_size(field: str) -> None:
    for wrong in (np.zeros(11), np.zeros(13), np.zeros(0), np.zeros((12, 1)), np.full(11, np.nan)):
        refusal = malformed(kit.command(**{field: wrong}), 12)
        assert refusal == ("size", f"{field}: shape {wrong.shape}; valid: (12,)")


def test_reasons_that_no_healthy_policy_gives() -> None:
    assert set(MALFORMED) == {"names", "size", "not_finite"}


def test_the_profile_is_the_active_one() -> None:
    for name in ("", "walk", "walk/0123456789aB", "other/0123456789ab"):
        refusal = wrong_profile(kit.command(gain_profile=name), kit.profile())
        assert refusal is not None
        assert refusal[0] == "profile"
        assert repr(name) in refusal[1]
        assert "valid: 'walk/0123456789ab'" in refusal[1]


@pytest.mark.parametrize("field", ["stiffness", "damping"])
def test_the_gains_are_those_of_the_profile(field: str) -> None:
    for joint in range(12):
        gains = kit.poisoned(getattr(kit.profile(), field), joint, 20.000001)
        refusal = wrong_gains(kit.command(**{field: gains}), kit.profile())
        assert refusal is not None
        assert refusal[0] == "gains"
        assert "walk/0123456789ab" in refusal[1]


MS = kit.MS


@pytest.mark.parametrize(
    ("stamp", "last", "state", "now", "reason"),
    [
        (100 * MS, None, 100 * MS, 100 * MS, None),
        (100 * MS, 80 * MS, 100 * MS, 105 * MS, None),
        (100 * MS, 100 * MS - 1, 105 * MS, 105 * MS, None),
        (100 * MS, 100 * MS, 105 * MS, 105 * MS, "not_newer"),
        (100 * MS, 100 * MS + 1, 105 * MS, 105 * MS, "not_newer"),
        (100 * MS, None, 100 * MS - 1, 105 * MS, "future"),
        (10**15, None, 100 * MS, 105 * MS, "future"),
        (100 * MS, None, 160 * MS, 160 * MS, None),
        (100 * MS, None, 160 * MS, 160 * MS + 1, "old"),
        (0, None, 160 * MS, 10**15, "old"),
    ],
)
def test_the_stamp_answers_the_present(stamp: int, last: int | None, state: int, now: int, reason: str | None) -> None:
    refusal = wrong_stamp(stamp, last, state, now, 60 * MS)
    assert (None if refusal is None else refusal[0]) == reason
    if refusal is not None:
        assert "valid: " in refusal[1]


def test_refused_stamps_say_the_numbers() -> None:
    assert "0.250000 s after the newest state" in str(wrong_stamp(1_250 * MS, None, 1_000 * MS, 1_000 * MS, 60 * MS))
    assert "0.061 s old; valid: up to 0.06 s" in str(wrong_stamp(500 * MS, None, 561 * MS, 561 * MS, 60 * MS))
    assert "0.020000 s before the last command" in str(wrong_stamp(30 * MS, 50 * MS, 60 * MS, 60 * MS, 60 * MS))


@pytest.mark.parametrize(("field", "limit"), [("stiffness", kit.MAX_STIFFNESS), ("damping", kit.MAX_DAMPING)])
def test_gains_have_bounds(field: str, limit: float) -> None:
    healthy = {"stiffness": kit.profile().stiffness, "damping": kit.profile().damping}
    for joint, name in enumerate(LIMITS.joint_names):
        for value, ok in ((0.0, True), (limit, True), (limit * 1.0001, False), (-1e-9, False)):
            gains = {**healthy, field: kit.poisoned(healthy[field], joint, value)}
            wrong = bad_profile(GainProfile("p", **gains), LIMITS)
            assert (wrong is None) is ok
            if wrong is not None:
                assert wrong == f"{field} of {name}: {value:g}; valid: 0 to {limit:g}"


@pytest.mark.parametrize("bad", kit.BAD)
@pytest.mark.parametrize("field", ["stiffness", "damping"])
def test_gains_are_finite(field: str, bad: float) -> None:
    gains = {"stiffness": kit.profile().stiffness, "damping": kit.profile().damping}
    for joint in range(12):
        wrong = bad_profile(GainProfile("p", **{**gains, field: kit.poisoned(gains[field], joint, bad)}), LIMITS)
        assert wrong == f"{field}: a value that is not finite; valid: finite numbers"


@pytest.mark.parametrize("field", ["stiffness", "damping"])
def test_gains_have_their_size(field: str) -> None:
    gains = {"stiffness": kit.profile().stiffness, "damping": kit.profile().damping}
    for size in (0, 11, 13):
        wrong = bad_profile(GainProfile("p", **{**gains, field: np.ones(size)}), LIMITS)
        assert wrong == f"{field}: shape ({size},); valid: (12,)"


def test_no_joint_goes_without_any_gain() -> None:
    """Zero gains are never a stop, so they are not a way to command either."""
    stiffness, damping = np.full(12, 20.0), np.full(12, 0.5)
    for joint, name in enumerate(LIMITS.joint_names):
        free = kit.poisoned(owned(stiffness), joint, 0.0), kit.poisoned(owned(damping), joint, 0.0)
        assert bad_profile(GainProfile("p", free[0], owned(damping)), LIMITS) is None
        assert bad_profile(GainProfile("p", owned(stiffness), free[1]), LIMITS) is None
        assert (
            bad_profile(GainProfile("p", *free), LIMITS)
            == f"{name}: no gains at all; valid: " + "stiffness or damping above 0"
        )


def test_every_joint_without_gains_is_named() -> None:
    free = owned(np.array([0.0, 0.0] + [1.0] * 10))
    wrong = bad_profile(GainProfile("p", free, free), LIMITS)
    assert wrong == "FR_hip_joint, FR_thigh_joint: no gains at all; valid: stiffness or damping above 0"
