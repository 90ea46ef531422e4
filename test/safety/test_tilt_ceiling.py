"""How far a policy may let its robot lean: its own limit counts up to the ceiling of the safety file, no further."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import safety as kit

from robot_policies.control.lease import Lease
from robot_policies.exceptions import SchemaError
from robot_policies.safety.limits import load_safety
from robot_policies.safety.state_check import StateCheck
from robot_policies.types import Mode, owned

CEILING = 1.3  # [rad] of the Go2, written down a second time
T0 = 1_000 * kit.MS
LONG = 22  # cycles: over 0.1 s


def trips(check: StateCheck, angle: float, cycles: int = LONG, start: int = 0) -> bool:
    """Show a base that leans by ``angle`` for so many cycles; return whether the last one trips."""
    faults = ()
    for k in range(start, start + cycles):
        faults = check(kit.state(T0 + k * kit.CYCLE, base_quat_wxyz=owned(kit.tilted(angle))), T0 + k * kit.CYCLE)
    return [name for name, _ in faults] == ["tilt"]


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (1.2, 1.2), (1.3, CEILING), (1.5, CEILING), (math.pi, CEILING)],
)
def test_never_less_than_the_limit_and_never_more_than_the_ceiling(asked: float, allowed: float) -> None:
    for angle, expected in ((allowed - 0.01, False), (allowed + 0.01, True)):
        check = StateCheck(kit.go2_limits())
        check.lean(asked)
        assert trips(check, angle) is expected
    check = StateCheck(kit.go2_limits())
    check.lean(asked)
    assert not trips(check, allowed + 0.01, cycles=20)  # 0.1 s have not passed


def test_what_is_not_a_number_raises_nothing() -> None:
    check = StateCheck(kit.go2_limits())
    check.lean(math.nan)
    assert trips(check, 1.01)


def test_without_a_policy_the_limit_is_that_of_the_file() -> None:
    check = StateCheck(kit.go2_limits())
    assert trips(check, 1.01)
    check = StateCheck(kit.go2_limits())
    check.lean(1.3)
    assert not trips(check, 1.2)
    check.lean(0.0)
    assert trips(check, 1.2, start=LONG)


def test_the_message_says_which_limit_held() -> None:
    check = StateCheck(kit.go2_limits())
    check.lean(1.2)
    faults = ()
    for k in range(LONG):
        faults = check(kit.state(T0 + k * kit.CYCLE, base_quat_wxyz=owned(kit.tilted(1.25))), T0 + k * kit.CYCLE)
    assert faults == (("tilt", "1.25 rad; limit 1.2 rad"),)


def test_the_shipped_files() -> None:
    assert kit.go2_limits().tilt_ceiling == CEILING
    data = yaml.safe_load((kit.CONFIG / "safety" / "go2.yaml").read_text(encoding="utf-8"))
    assert data["state"]["tilt"] == {"limit": 1.0, "duration": 0.1, "ceiling": 1.3}


@pytest.mark.parametrize(("ceiling", "found"), [(None, 1.0), (1.0, 1.0), (2.0, 2.0), (0.9, None), (3.2, None)])
def test_the_ceiling_of_a_file(tmp_path: Path, ceiling: float | None, found: float | None) -> None:
    data = yaml.safe_load((kit.CONFIG / "safety" / "go2.yaml").read_text(encoding="utf-8"))
    data["state"]["tilt"]["ceiling"] = ceiling
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    if found is None:
        with pytest.raises(SchemaError, match=r"state\.tilt\.ceiling"):
            load_safety(path, kit.go2())
    else:
        assert load_safety(path, kit.go2()).tilt_ceiling == found


def active(tilt: float) -> kit.Bench:
    """Return a robot whose policy commands and asks to lean by ``tilt``."""
    bench, gains = kit.Bench().stand(), kit.profile()
    assert bench.step.set_gain_profile(gains).ok
    reply = bench.step.take_lease(Lease("policy_node", kit.DT, gains.name, ("state",), tilt=tilt), bench.now)
    assert reply.ok, reply.message
    return bench


def lean(bench: kit.Bench, angle: float, cycles: int = LONG) -> None:
    for k in range(cycles):
        if bench.mode is Mode.ACTIVE and k % 4 == 0:
            bench.command()
        bench.cycle(base_quat_wxyz=owned(kit.tilted(angle)))


def test_a_climber_leans_while_it_commands_and_trips_beyond_the_ceiling() -> None:
    bench = active(1.5)
    lean(bench, 1.25)
    assert (bench.mode, bench.names) == (Mode.ACTIVE, [])
    lean(bench, 1.35)
    assert (bench.mode, bench.names, bench.step.landing) == (Mode.LANDING, ["tilt"], "damping")


def test_another_policy_trips_where_it_always_did() -> None:
    bench = active(0.0)
    lean(bench, 1.05)
    assert (bench.mode, bench.names) == (Mode.LANDING, ["tilt"])


def test_with_the_lease_the_allowance_ends() -> None:
    bench = active(1.3)
    lean(bench, 1.2)
    assert bench.mode is Mode.ACTIVE
    assert bench.step.release_lease("policy_node", bench.now).ok
    lean(bench, 1.2)
    assert (bench.mode, bench.names) == (Mode.LANDING, ["tilt"])


def test_the_next_policy_inherits_nothing() -> None:
    bench = active(1.3)
    assert bench.step.release_lease("policy_node", bench.now).ok
    while not bench.step.ramp_done:
        bench.cycle()
    assert bench.lease().ok
    lean(bench, 1.1)
    assert bench.names == ["tilt"]


@pytest.mark.parametrize("bad", [-0.1, 4.0, math.nan, math.inf])
def test_lease_terms_are_checked(bad: float) -> None:
    bench, gains = kit.Bench().stand(), kit.profile()
    assert bench.step.set_gain_profile(gains).ok
    reply = bench.step.take_lease(Lease("policy_node", kit.DT, gains.name, ("state",), tilt=bad), bench.now)
    assert not reply.ok and "tilt" in reply.message
    assert bench.mode is Mode.STAND


def test_over_the_limit_is_told_without_waiting_for_it_to_last() -> None:
    check = StateCheck(kit.with_limits(tilt=0.5, tilt_ceiling=1.3))
    check.lean(1.3)  # what a lease allows does not make it safer to stiffen
    assert check.leaning() == ()  # nothing is known yet
    for k, (angle, over) in enumerate([(0.51, True), (0.49, False), (0.51, True), (0.0, False), (3.1, True)]):
        stamp = T0 + k * kit.CYCLE
        assert check(kit.state(stamp, base_quat_wxyz=owned(kit.tilted(angle))), stamp) == ()
        assert check.leaning() == ((("tilt", "over 0.5 rad, too far for a stiff landing"),) if over else ())
        invalid = kit.state(stamp + 1, base_quat_wxyz=owned([0.0, 0.0, 0.0, 0.0]))
        assert check(invalid, stamp + 1) != () and bool(check.leaning()) is over  # of the newest that can be trusted


def test_at_the_limit_a_landing_may_stiffen() -> None:
    limits = kit.with_limits(tilt=0.0, tilt_ceiling=0.0, tilt_ns=10**12)
    check = StateCheck(limits)
    assert check(kit.state(T0), T0) == () and check.leaning() == ()


def gives_up(bench: kit.Bench) -> None:
    assert bench.step.release_lease("policy_node", bench.now, "a tilt over the bundle's limit").ok


def gets_hot(bench: kit.Bench) -> None:
    bench.step.trip("motor_temperature", "FL_calf_joint 90 deg C", bench.now)


@pytest.mark.parametrize(("cause", "trip"), [(gives_up, "policy"), (gets_hot, "motor_temperature")])
@pytest.mark.parametrize("allowed", [0.0, 1.3])
def test_a_policy_that_gives_up_in_a_fall_leaves_the_robot_limp(cause: Any, trip: str, allowed: float) -> None:
    """Before the tilt has lasted its 0.1 s; the first cycle already writes no stiffness."""
    bench = active(allowed)
    lean(bench, 1.2, cycles=3)
    assert bench.mode is Mode.ACTIVE
    cause(bench)
    assert [(each.name, each.landing) for each in bench.step.trips] == [(trip, "sit"), ("tilt", "damping")]
    assert (bench.mode, bench.step.landing) == (Mode.LANDING, "damping")
    lean(bench, 1.2, cycles=1)
    assert set(bench.safe.stiffness) == {0.0}


@pytest.mark.parametrize("angle", [0.9, 1.2])
def test_a_stand_is_held_only_where_the_base_is_upright(angle: float) -> None:
    bench = kit.Bench().stand()
    lean(bench, angle, cycles=2)
    bench.step.trip("policy", "lost its camera", bench.now)
    assert bench.step.landing == ("damping" if angle > kit.TILT else "hold")
    lean(bench, 1.2, cycles=5)  # a landing that has begun has the time that the file gives it
    assert bench.step.landing == ("damping" if angle > kit.TILT else "hold")
    lean(bench, 1.2)
    assert bench.step.landing == "damping"
