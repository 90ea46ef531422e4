"""Every value of a state and its stamps, at and around every limit. Time is made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import safety as kit
from helpers.state_faults import T0, check_once, last_of, names

from robot_policies.safety.state_check import StateCheck, finite
from robot_policies.types import owned


def test_a_healthy_state_has_no_fault() -> None:
    assert check_once() == ()
    assert check_once(base_lin_vel=None) == ()
    assert last_of(100) == ()


@pytest.mark.parametrize("bad", kit.BAD)
@pytest.mark.parametrize("field", kit.STATE_ARRAYS)
def test_every_entry_must_be_finite(field: str, bad: float) -> None:
    values = getattr(kit.state(), field)
    for index in range(kit.STATE_ARRAYS[field]):
        faults = check_once(**{field: kit.poisoned(values, index, bad)})
        assert names(faults) == ["state_invalid"]
        assert field in faults[0][1]


@pytest.mark.parametrize("field", kit.STATE_ARRAYS)
def test_every_array_must_have_its_size(field: str) -> None:
    size = kit.STATE_ARRAYS[field]
    for wrong in (np.ones(size - 1), np.ones(size + 1), np.ones((1, size)), np.ones(0), np.ones(())):
        faults = check_once(**{field: wrong})
        assert names(faults) == ["state_invalid"]
        assert field in faults[0][1]


@pytest.mark.parametrize(("norm", "ok"), [(0.951, True), (0.949, False), (1.049, True), (1.051, False), (0.0, False)])
def test_a_rotation_has_norm_one(norm: float, ok: bool) -> None:
    for quaternion in ([norm, 0, 0, 0], [0.6 * norm, 0, 0, 0.8 * norm]):
        assert (check_once(base_quat_wxyz=owned(quaternion)) == ()) is ok


def test_an_invalid_state_hides_nothing_about_its_stamp() -> None:
    bad = kit.state(T0, joint_pos=kit.poisoned(owned(kit.STAND), 3, float("nan")))
    faults = StateCheck(kit.go2_limits())(bad, T0 + kit.STATE_AGE + 1)
    assert names(faults) == ["state_age", "state_invalid"]
    assert "joint_pos: not finite" in faults[1][1]


@pytest.mark.filterwarnings("error")
def test_finite() -> None:
    assert finite(np.array([1e150, -1e150, 0.0]))
    assert finite(np.zeros(0))
    for bad in kit.BAD:
        assert not finite(np.array([0.0, bad]))
    assert not finite(np.array([float("inf"), float("-inf")]))


@pytest.mark.parametrize(
    ("age", "fault"),
    [
        (0, None),
        (kit.STATE_AGE - 1, None),
        (kit.STATE_AGE, None),
        (kit.STATE_AGE + 1, "state_age"),
        (10**12, "state_age"),
        (-1, None),
        (-kit.FUTURE, None),
        (-kit.FUTURE - 1, "state_age"),
        (-(10**12), "state_age"),
    ],
)
def test_age(age: int, fault: str | None) -> None:
    faults = StateCheck(kit.go2_limits())(kit.state(T0), T0 + age)
    assert names(faults) == ([] if fault is None else [fault])


def test_ages_and_gaps_are_told() -> None:
    check = StateCheck(kit.go2_limits())
    assert check(kit.state(T0), T0 + 250 * kit.MS) == (("state_age", "0.250 s old; limit 0.1 s"),)
    assert check(kit.state(T0 + 300 * kit.MS), T0 + 292 * kit.MS) == (
        ("state_age", "0.008000 s in the future; limit 0.005 s"),
        ("state_gap", "0.300 s between two states; limit 0.1 s"),
    )
    assert check(kit.state(T0 + 296 * kit.MS), T0 + 296 * kit.MS) == (
        ("clock", "state stamped 0.004000 s before the previous one, or with its stamp"),
    )
    assert check(kit.state(T0 + 297 * kit.MS), T0 + 290 * kit.MS)[0] == (
        "clock",
        "the robot's clock went back by 0.006000 s",
    )


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (1, []),
        (kit.CYCLE, []),
        (kit.STATE_GAP, []),
        (kit.STATE_GAP + 1, ["state_gap"]),
        (0, ["clock"]),
        (-1, ["clock"]),
        (-(10**10), ["clock"]),
    ],
)
def test_gap_between_two_states(gap: int, expected: list[str]) -> None:
    check = StateCheck(kit.go2_limits())
    now = T0 + 10**11
    loose = dataclasses.replace(kit.go2_limits(), state_age_ns=10**12)
    check = StateCheck(loose)
    assert check(kit.state(T0), now) == ()
    assert names(check(kit.state(T0 + gap), now)) == expected
    # What a step left behind is the new reference: the next state in order is healthy again.
    assert check(kit.state(T0 + gap + kit.CYCLE), now) == ()


def test_a_clock_that_goes_back_is_seen() -> None:
    check = StateCheck(kit.go2_limits())
    assert check(kit.state(T0), T0 + 10) == ()
    assert check(kit.state(T0 + 5), T0 + 10) == ()  # standing still between two calls is no step back
    faults = check(kit.state(T0 + 6), T0 + 9)
    assert names(faults) == ["clock"]


@pytest.mark.parametrize("step", [kit.CLOCK_STEP, kit.CLOCK_STEP + 1, -kit.CLOCK_STEP, -kit.CLOCK_STEP - 1])
def test_a_clock_that_steps_against_the_monotonic_one_is_seen(step: int) -> None:
    check = StateCheck(kit.go2_limits())
    passed = 60 * kit.MS
    assert check(kit.state(T0), T0, 7) == ()
    faults = check(kit.state(T0 + passed), T0 + passed, 7 + passed - step)
    assert names(faults) == (["clock"] if abs(step) > kit.CLOCK_STEP else [])
    if faults:
        assert f"stepped by {step / 1e9:.6f} s" in faults[0][1]
        assert check(kit.state(T0 + 2 * passed), T0 + 2 * passed, 7 + 2 * passed - step) == ()


def test_without_a_monotonic_clock_there_is_nothing_to_compare() -> None:
    check = StateCheck(kit.go2_limits())
    for k, monotonic in enumerate((None, 5, None, 10**15, None)):
        now = T0 + k * kit.CYCLE
        assert check(kit.state(now), now, monotonic) == ()


def test_a_bad_velocity_of_the_base_is_told() -> None:
    for bad in (np.zeros(2), np.array([0.0, np.nan, 0.0])):
        assert check_once(base_lin_vel=bad) == (("state_invalid", "base_lin_vel: not finite, or not of shape (3,)"),)
