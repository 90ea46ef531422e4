"""The robot half: what it writes in each mode, and what its records say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import DT, MS, Bench

from robot_policies.control.lease import Lease, Tenure
from robot_policies.safety.state_machine import Request
from robot_policies.types import Mode, owned


def test_disarmed_writes_nothing() -> None:
    bench = Bench()
    assert bench.mode is Mode.DISARMED
    record = bench.cycles(20)
    assert (record.mode, record.command, record.safe) == (Mode.DISARMED, None, None)
    assert (record.clamps, record.trips) == ((), ())


def test_damping_follows_the_joints_and_only_brakes() -> None:
    bench = Bench().damping()
    moved = owned(kit.SIT + 0.1)
    safe = bench.cycle(joint_pos=moved).safe
    assert safe is not None
    assert (safe.gain_profile, safe.stamp_ns) == ("damping", bench.now)
    assert safe.joint_pos is moved
    assert not safe.stiffness.any()
    np.testing.assert_array_equal(safe.damping, np.full(12, kit.DAMPING))


def test_standing_up_is_bounded_and_ends_in_the_start_pose() -> None:
    bench = Bench().damping()
    assert bench.ask(Request.STAND).ok
    assert not bench.step.ramp_done
    begun, last = bench.now, np.array(kit.SIT)
    while not bench.step.ramp_done:
        bench.cycle()
        speed = np.abs(bench.safe.joint_pos - last).max() / (kit.CYCLE / 1e9)
        assert speed <= 1.5 + 1e-6
        assert bench.record.clamps == ()
        last = bench.safe.joint_pos
    assert bench.now - begun == 1_150 * MS  # 1.5 * 1.15 rad / 1.5 rad/s
    np.testing.assert_array_equal(bench.safe.joint_pos, kit.STAND)
    np.testing.assert_array_equal(bench.safe.stiffness, np.full(12, kit.STAND_STIFFNESS))
    assert bench.mode is Mode.STAND
    assert bench.record.command is None


def test_asking_to_stand_again_changes_nothing() -> None:
    bench = Bench().stand()
    assert bench.ask(Request.STAND).ok
    assert bench.step.ramp_done
    assert bench.cycle().mode is Mode.STAND


def test_standing_begins_limp_and_stiffens_gradually() -> None:
    bench = Bench().damping()
    bench.ask(Request.STAND)
    bench.cycle()
    assert bench.safe.stiffness[0] == pytest.approx(kit.STAND_STIFFNESS * kit.CYCLE / kit.GAIN_RAMP)
    bench.cycles(39)
    assert bench.safe.stiffness[0] == kit.STAND_STIFFNESS


def test_standing_up_without_a_cycle_in_damping_begins_limp_where_the_robot_is() -> None:
    bench = Bench()
    assert bench.ask(Request.ARM).ok
    assert bench.ask(Request.STAND).ok
    bench.cycle()
    share = kit.CYCLE / kit.GAIN_RAMP
    np.testing.assert_allclose(bench.safe.joint_pos, kit.SIT, atol=1e-3)
    np.testing.assert_allclose(bench.safe.stiffness, kit.STAND_STIFFNESS * share)
    np.testing.assert_allclose(bench.safe.damping, kit.DAMPING + (kit.STAND_DAMPING - kit.DAMPING) * share)


def test_standing_up_begins_where_the_limp_robot_was_moved_to() -> None:
    bench = Bench().damping()
    moved = owned(kit.SIT + 0.2)
    bench.cycle(joint_pos=moved)
    assert bench.ask(Request.STAND).ok
    bench.cycle(joint_pos=moved)
    np.testing.assert_allclose(bench.safe.joint_pos, np.clip(moved, kit.LOWER, kit.UPPER), atol=1e-3)


def test_a_policy_that_ends_hands_its_targets_over_not_the_sagging_joints() -> None:
    """A leg that carries weight lags behind its target; to begin at the measured pose would let the robot drop."""
    bench = Bench().active()
    bench.walk(60)
    sagging = owned(kit.STAND - 0.1)
    bench.cycle(joint_pos=sagging)
    assert bench.step.release_lease("policy_node", bench.now).ok
    bench.cycle(joint_pos=sagging)
    np.testing.assert_array_equal(bench.safe.joint_pos, kit.STAND)


@pytest.mark.parametrize(("landing", "mode"), [("sit", Mode.ACTIVE), ("hold", Mode.STAND)])
def test_a_landing_begins_at_the_measured_joints(landing: str, mode: Mode) -> None:
    bench = Bench().to(mode)
    moved = owned(kit.STAND - 0.1)
    bench.cycle(joint_pos=moved)
    bench.step.trip("policy", "", bench.now)
    assert bench.step.landing == landing
    bench.cycle(joint_pos=moved)
    np.testing.assert_allclose(bench.safe.joint_pos, moved, atol=1e-3)


def test_ramp_done_is_for_the_stand_only() -> None:
    bench = Bench().stand()
    assert bench.step.ramp_done
    bench.lease()
    assert not bench.step.ramp_done
    bench.ask(Request.DAMP)
    assert not bench.step.ramp_done


# Records.


def test_records_own_their_arrays() -> None:
    bench = Bench().active()
    for change in ({}, {"joint_pos": owned(kit.STAND + 5.0)}):
        bench.cycle()
        bench.command(**change)
        record = bench.cycle()
        for command in (record.command, record.safe):
            assert command is not None
            for field in kit.COMMAND_ARRAYS:
                assert not getattr(command, field).flags.writeable


def test_the_same_inputs_give_the_same_records() -> None:
    def run() -> list[object]:
        bench, seen = Bench().active(), []
        rng = np.random.default_rng(3)
        for k in range(200):
            bench.cycle(joint_vel=owned(rng.normal(0, 5, 12)))
            if k % 4 == 0:
                bench.command(joint_pos=owned(kit.STAND + rng.normal(0, 0.8, 12)))
            safe = bench.record.safe
            assert safe is not None
            seen.append((safe.joint_pos.tolist(), safe.stiffness.tolist(), bench.record.clamps, bench.record.mode))
        return seen

    assert run() == run()


def test_refusals_of_requests_are_counted_and_kept() -> None:
    bench = Bench()
    reply = bench.ask(Request.STAND)
    assert not reply.ok
    assert bench.step.refusals == {"request": 1}
    assert bench.step.last_refusal == reply.message
    assert "valid: arm, disarm, estop, reset" in reply.message


def test_every_refusal_is_kept() -> None:
    bench = Bench().stand()
    for ask in (
        lambda: bench.step.release_lease("nobody", bench.now),
        lambda: bench.step.set_gain_profile(kit.profile(stiffness=-1.0)),
        lambda: bench.step.take_lease(Lease("p", DT, "none"), bench.now),
    ):
        reply = ask()
        assert reply.ok is False
        assert bench.step.last_refusal == reply.message


def test_trips_carry_their_time() -> None:
    for name, cause in (
        ("policy", lambda bench: bench.step.trip("policy", "", bench.now)),
        ("robot", lambda bench: bench.step.cycle_without_state("", bench.now)),
        ("estop", lambda bench: bench.ask(Request.ESTOP)),
        ("command_invalid", lambda bench: bench.command(joint_pos=np.zeros(3))),
        ("policy", lambda bench: bench.step.release_lease("policy_node", bench.now, "lost")),
        ("state_invalid", lambda bench: bench.cycle(joint_pos=owned(np.full(12, np.nan)))),
        ("command_age", lambda bench: bench.cycles(100)),
    ):
        bench = Bench().active()
        begun = bench.now
        cause(bench)
        (trip,) = bench.step.trips
        assert (trip.name, trip.mode) == (name, Mode.ACTIVE)
        assert begun <= trip.stamp_ns <= bench.now
        if name != "command_age":
            assert trip.stamp_ns == bench.now


def test_gains_without_anything_written_before_are_there_at_once() -> None:
    tenure = Tenure(Lease("p", DT, "walk/0123456789ab"), kit.profile(), kit.go2_limits(), 0)
    assert tenure.asked(None, 0) is None
    tenure.take(kit.command(), None)
    asked = tenure.asked(None, 5)
    assert asked is not None
    assert asked.stiffness.tolist() == [20.0] * 12
    assert asked.damping.tolist() == [0.5] * 12


def test_an_unknown_trip_from_a_node_is_an_error() -> None:
    with pytest.raises(ValueError, match="name of a trip"):
        Bench().step.trip("heat", "", 0)


def test_a_robot_whose_safety_has_no_ramps_still_works() -> None:
    bench = Bench(kit.with_limits(gain_ramp_ns=0)).active()
    assert bench.safe.stiffness[0] == 20.0
    assert dataclasses.replace(bench.step.limits, gain_ramp_ns=1).gain_ramp_ns == 1
