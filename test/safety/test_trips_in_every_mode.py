"""Through the whole robot step: every cause of a trip, in every mode, lands as the file says and is latched.

The causes are real ones (states, clocks, silence, commands), not calls of ``trip``; where a mode cannot have a cause of
its own, such as a silent policy while nobody commands, the trip comes from outside, as a node would bring it in.
"""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import MS, Bench
from helpers.trip_causes import CASES, NAN, Cause, leaning

from robot_policies.safety.state_machine import Request
from robot_policies.types import Mode, owned

MODES = list(Mode)


@lru_cache
def _prepared(mode: Mode) -> Bench:
    return Bench().to(mode)


def bench_in(mode: Mode) -> Bench:
    return copy.deepcopy(_prepared(mode))


def written(bench: Bench) -> str | None:
    """What goes out in the next cycle: damping, stand gains, or nothing."""
    safe = bench.cycle().safe
    return None if safe is None else safe.gain_profile


def test_every_trip_of_the_file_has_a_cause_in_every_mode() -> None:
    assert {(trip, mode) for trip, _, mode in CASES} == set(kit.LANDINGS)
    real = {(trip, mode) for trip, cause, mode in CASES if cause.__name__ != "from_outside"}
    assert {trip for trip, mode in real if mode is Mode.ACTIVE} == set(kit.HARD + kit.SOFT_TRIPS)


@pytest.mark.parametrize(("trip", "cause", "mode"), CASES)
def test_every_cause_in_every_mode(trip: str, cause: Cause, mode: Mode) -> None:
    bench = Bench().to(mode)
    before = len(bench.step.trips)
    cause(bench)
    landing = kit.LANDINGS[trip, mode]
    assert trip in bench.names
    if not (mode is Mode.LANDING and trip == "policy"):  # that one put it there
        new = bench.step.trips[before]
        assert (new.name, new.mode, new.landing) == (trip, mode, landing)
    if landing == "none":
        assert (bench.mode, bench.step.landing) == (Mode.DISARMED, None)
        assert written(bench) is None
    else:
        assert (bench.mode, bench.step.landing) == (Mode.LANDING, landing)
        assert written(bench) == ("damping" if landing == "damping" else "stand")
    assert bench.step.lease is None
    assert bench.step.active_profile is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [NAN, float("inf"), float("-inf")])
@pytest.mark.parametrize("field", kit.STATE_ARRAYS)
def test_no_bad_number_of_a_state_reaches_the_motors(field: str, bad: float, mode: Mode) -> None:
    for index in range(kit.STATE_ARRAYS[field]):
        bench = bench_in(mode)
        record = bench.cycle(**{field: kit.poisoned(getattr(kit.state(), field), index, bad)})
        assert "state_invalid" in bench.names
        if mode is Mode.DISARMED:
            assert record.safe is None
            continue
        assert record.safe is not None
        assert record.safe.gain_profile == "damping"
        assert not record.safe.stiffness.any()
        for values in (record.safe.joint_pos, record.safe.joint_vel, record.safe.joint_effort, record.safe.damping):
            assert np.isfinite(values).all()
        assert (record.safe.damping == kit.DAMPING).all()


@pytest.mark.parametrize("bad", [NAN, float("inf"), float("-inf")])
@pytest.mark.parametrize("field", kit.COMMAND_ARRAYS)
def test_no_bad_number_of_a_command_reaches_the_motors(field: str, bad: float) -> None:
    for joint in range(12):
        bench = Bench().active()
        values = getattr(kit.command(), field)
        refusal = bench.command(**{field: kit.poisoned(values, joint, bad)})
        assert refusal is not None
        assert refusal.startswith(f"{field}: a value that is not finite")
        assert bench.step.refusals["command_not_finite"] == 1
        assert bench.names == ["command_invalid"]
        assert bench.step.trips[0].detail == refusal
        safe = bench.cycle().safe
        assert safe is not None
        assert safe.gain_profile == "damping"
        assert np.isfinite(np.concatenate([safe.joint_pos, safe.joint_vel, safe.joint_effort, safe.damping])).all()


@pytest.mark.parametrize("mode", [Mode.DISARMED, Mode.DAMPING, Mode.STAND, Mode.LANDING])
@pytest.mark.parametrize("field", kit.COMMAND_ARRAYS)
def test_a_bad_command_where_nobody_commands_is_refused_and_trips_nothing(field: str, mode: Mode) -> None:
    bench = Bench().to(mode)
    before = bench.step.trips
    refusal = bench.command(**{field: owned(np.full(12, NAN))})
    assert refusal == f"command under a lease; found none in mode {mode.value}; valid: activate first"
    assert bench.step.refusals == {"command_no_lease": 1}
    assert bench.step.trips == before
    bench.cycle()
    assert bench.mode is mode


def test_a_silent_policy_lands_within_100_ms() -> None:
    bench = Bench().active()
    bench.walk(200)
    assert bench.mode is Mode.ACTIVE
    assert bench.step._tenure is not None
    held = bench.step._tenure.command
    assert held is not None
    while bench.cycle().safe is not None and bench.safe.gain_profile != "damping":
        assert bench.now - held.stamp_ns <= kit.COMMAND_AGE
    assert bench.names == ["command_age"]
    assert bench.now - held.stamp_ns == kit.COMMAND_AGE + kit.CYCLE
    assert bench.step.trips[0].detail == "newest command 0.085 s old; limit 0.08 s"
    assert bench.record.trips == bench.step.trips


def test_the_landing_says_what_was_refused_last() -> None:
    bench = Bench().active()
    bench.walk(80)
    for _ in range(20):
        bench.cycle()
        bench.command(gain_profile="other/0123456789ab")
    assert bench.names == ["command_age"]
    assert "last refusal: gain profile 'other/0123456789ab'" in bench.step.trips[0].detail


def test_a_policy_that_never_begins_lands_after_the_grace() -> None:
    bench = Bench().stand()
    assert bench.lease().ok
    begun = bench.now
    while bench.now < begun + kit.GRACE:
        bench.cycle()
        assert bench.mode is Mode.ACTIVE
        np.testing.assert_array_equal(bench.safe.joint_pos, kit.STAND)  # the stand is held meanwhile
        assert bench.safe.gain_profile == "stand"
    bench.cycle()
    assert bench.names == ["command_age"]
    assert "no command within 0.305 s of activation" in bench.step.trips[0].detail


def test_clamping_for_100_cycles_sits_down() -> None:
    bench = Bench().active()
    wild = {"joint_pos": kit.poisoned(owned(kit.STAND), 3, 50.0)}
    bench.walk(kit.CLAMP_CYCLES - 1, **wild)
    assert bench.mode is Mode.ACTIVE
    bench.walk(4, **wild)
    assert (bench.mode, bench.step.landing) == (Mode.LANDING, "sit")
    assert bench.step.trips[0].detail == "FL_hip_joint clamped for 100 cycles on end"
    assert bench.step.landing == "sit"
    begun = bench.now
    while bench.step.landing == "sit":
        assert bench.safe.gain_profile == "stand"
        bench.cycle()
    assert bench.now - begun > 1_000 * MS
    np.testing.assert_allclose(bench.pos, kit.SIT, atol=0.05)
    assert bench.step.landing == "damping"
    assert bench.safe.gain_profile == "damping"
    assert bench.names == ["clamping"]


def test_clamping_of_the_stand_itself_lands_in_damping() -> None:
    """Something blocks a leg: the torque limit clamps cycle after cycle."""
    bench = Bench().stand()
    stuck = owned(kit.STAND + np.array([0.6] + [0.0] * 11))
    for _ in range(kit.CLAMP_CYCLES):
        bench.cycle(joint_pos=stuck)
        assert bench.mode is Mode.STAND
    bench.cycle(joint_pos=stuck)
    assert [(trip.name, trip.mode, trip.landing) for trip in bench.step.trips] == [("clamping", Mode.STAND, "damping")]


def test_a_new_mode_counts_clamping_anew() -> None:
    bench = Bench().active()
    bench.walk(kit.CLAMP_CYCLES - 8, joint_pos=kit.poisoned(owned(kit.STAND), 3, 50.0))
    assert bench.ask(Request.STAND).ok
    stuck = owned(kit.STAND + np.array([0.6] + [0.0] * 11))
    for _ in range(kit.CLAMP_CYCLES):
        bench.cycle(joint_pos=stuck)
        assert bench.mode is Mode.STAND


def test_hold_keeps_the_pose_and_reset_goes_on_standing() -> None:
    bench = Bench().stand()
    bench.cycle()
    bench.step.trip("policy", "lost its camera", bench.now)
    for _ in range(400):
        bench.cycle()
        np.testing.assert_array_equal(bench.safe.joint_pos, kit.STAND)
    assert bench.safe.stiffness[0] == kit.STAND_STIFFNESS
    assert bench.step.landing == "hold"
    assert bench.ask(Request.RESET).ok
    assert bench.mode is Mode.STAND
    assert written(bench) == "stand"
    assert bench.step.trips == ()


def test_sitting_that_trips_falls_to_damping() -> None:
    bench = Bench().active()
    bench.step.trip("policy", "lost its camera", bench.now)
    bench.cycles(20)
    assert bench.step.landing == "sit"
    leaning(bench)
    assert bench.step.landing == "damping"
    assert [(trip.name, trip.landing) for trip in bench.step.trips] == [("policy", "sit"), ("tilt", "damping")]
    assert written(bench) == "damping"


@pytest.mark.parametrize("mode", [Mode.DAMPING, Mode.STAND, Mode.ACTIVE, Mode.LANDING])
def test_a_latch_holds_until_reset_and_reset_waits_for_the_cause(mode: Mode) -> None:
    bench = Bench().to(mode)
    leaning(bench)
    for _ in range(10):
        bench.cycle(base_quat_wxyz=kit.tilted(1.2))
    reply = bench.ask(Request.RESET)
    assert not reply.ok
    assert "reset: the cause is gone; found tilt: 1.20 rad; limit 1 rad" in reply.message
    bench.cycle()
    for request in (Request.STAND, Request.ARM):
        assert not bench.ask(request).ok
    assert (bench.mode, bench.step.landing) == (Mode.LANDING, "damping")
    assert bench.ask(Request.RESET).ok
    assert (bench.mode, bench.step.landing, bench.step.trips) == (Mode.DAMPING, None, ())
    assert bench.ask(Request.STAND).ok
    while not bench.step.ramp_done:
        bench.cycle()
    assert bench.lease().ok  # the whole way back without a relaunch


def test_reset_waits_for_a_fresh_state() -> None:
    bench = Bench().stand()
    assert bench.ask(Request.ESTOP).ok
    bench.now += kit.STATE_AGE
    assert bench.ask(Request.RESET).ok
    assert bench.ask(Request.ESTOP).ok
    bench.now += 1
    reply = bench.ask(Request.RESET)
    assert not reply.ok
    assert "state_age: 0.100 s since the newest state" in reply.message


def test_an_unreadable_robot_is_damped_without_a_state() -> None:
    for mode in (Mode.DAMPING, Mode.STAND, Mode.ACTIVE, Mode.LANDING):
        bench = Bench().to(mode)
        pos = bench.record.state.joint_pos
        for k in range(3):
            safe = bench.step.cycle_without_state("no answer", bench.now + k * kit.CYCLE)
            assert safe is not None
            assert (safe.gain_profile, safe.stamp_ns) == ("damping", bench.now + k * kit.CYCLE)
            np.testing.assert_array_equal(safe.joint_pos, pos)
        assert bench.names[-1] == "robot"
        assert bench.step.trips[-1].detail == "no answer"
    bench = Bench()
    assert bench.step.cycle_without_state("no answer", bench.now) is None


def test_a_robot_that_never_gave_a_state_writes_nothing() -> None:
    step = Bench().step.__class__(kit.go2(), kit.go2_limits())
    reply = step.request(Request.ARM, 5)
    assert not reply.ok
    assert "state_age: no state yet" in reply.message
    assert step.cycle_without_state("no answer", 5) is None
    assert step.mode is Mode.DISARMED


def test_one_state_with_several_faults_lands_once_in_damping() -> None:
    bench = Bench().active()
    bench.now += kit.STATE_GAP
    bench.cycle(age_ns=kit.STATE_AGE * 2, joint_pos=owned(np.full(12, NAN)))
    assert (bench.mode, bench.step.landing) == (Mode.LANDING, "damping")
    assert bench.step.trips[0].mode is Mode.ACTIVE
    assert {"state_invalid", "state_age"} <= set(bench.names)
