"""The robot half: what it writes in each mode, who may command it, and what it says when it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import DT, MS, Bench

from robot_policies.control.lease import Lease, Tenure
from robot_policies.safety.state_machine import Request
from robot_policies.types import GainProfile, Mode, owned


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


# The lease.


def test_a_lease_is_given_in_stand_with_its_ramp_done() -> None:
    bench = Bench().stand()
    reply = bench.lease()
    assert (reply.ok, reply.message) == (True, "policy_node commands with 'walk/0123456789ab'")
    assert bench.step.lease == Lease("policy_node", DT, "walk/0123456789ab", ("state",))
    assert bench.step.active_profile == "walk/0123456789ab"
    assert bench.mode is Mode.ACTIVE


def test_no_lease_in_another_mode() -> None:
    for mode in (Mode.DISARMED, Mode.DAMPING, Mode.LANDING):
        bench = Bench().to(mode)
        reply = bench.lease()
        assert not reply.ok
        assert reply.message.startswith(f"lease: mode stand, its ramp done; found mode {mode.value}; valid: ")
        assert bench.step.lease is None
        assert bench.mode is mode


def test_no_lease_while_the_ramp_is_under_way() -> None:
    bench = Bench().damping()
    bench.ask(Request.STAND)
    bench.cycles(50)
    reply = bench.lease()
    assert not reply.ok
    assert "found mode stand, ramp under way" in reply.message
    assert bench.mode is Mode.STAND


def test_one_holder_at_a_time() -> None:
    bench = Bench().active()
    for holder in ("other_node", "policy_node"):
        reply = bench.step.take_lease(Lease(holder, DT, "walk/0123456789ab"), bench.now)
        assert (reply.ok, reply.message) == (
            False,
            "lease: free; found held by policy_node; valid: one holder at a time",
        )
    assert bench.step.lease is not None
    assert bench.step.lease.holder == "policy_node"
    assert bench.step.refusals["lease"] == 2


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_no_lease_away_from_the_start_pose(joint: int, sign: float) -> None:
    for miss, ok in ((kit.TOLERANCE - 1e-6, True), (kit.TOLERANCE + 1e-6, False)):
        bench = Bench().stand()
        bench.cycle(joint_pos=kit.poisoned(owned(kit.STAND), joint, kit.STAND[joint] + sign * miss))
        reply = bench.lease()
        assert reply.ok is ok
        if not ok:
            assert f"{kit.go2().joint_names[joint]} {sign * kit.TOLERANCE:+.2f} rad away" in reply.message
            assert bench.mode is Mode.STAND


@pytest.mark.parametrize(
    ("holder", "dt", "profile", "says"),
    [
        ("", DT, "walk/0123456789ab", "a holder's name"),
        ("p", 0, "walk/0123456789ab", "found 0 s; valid: above 0, up to 0.0533 s"),
        ("p", -1, "walk/0123456789ab", "above 0"),
        ("p", 53_333_334, "walk/0123456789ab", "found 0.0533333 s; valid: above 0"),
        ("p", DT, "walk/ffffffffffff", "found 'walk/ffffffffffff'; valid: walk/0123456789ab"),
        ("p", DT, "", "an accepted gain profile; found ''"),
    ],
)
def test_no_lease_on_other_terms(holder: str, dt: int, profile: str, says: str) -> None:
    bench = Bench().stand()
    assert bench.step.set_gain_profile(kit.profile()).ok
    reply = bench.step.take_lease(Lease(holder, dt, profile), bench.now)
    assert not reply.ok
    assert says in reply.message
    assert bench.mode is Mode.STAND


def test_the_slowest_policy_gets_a_lease() -> None:
    assert Bench().stand().lease(dt=53_333_333).ok


def test_no_lease_without_any_profile() -> None:
    bench = Bench().stand()
    assert "valid: (none)" in bench.step.take_lease(Lease("p", DT, "walk/0123456789ab"), bench.now).message


def test_no_lease_on_a_state_that_is_not_healthy_now() -> None:
    bench = Bench().stand()
    bench.now += kit.STATE_AGE + 1
    reply = bench.lease()
    assert not reply.ok
    assert "0.100 s since the newest state" in reply.message


def test_giving_the_lease_back_returns_to_the_stand() -> None:
    bench = Bench().active()
    bench.walk(40, joint_pos=owned(kit.STAND + 0.4))
    reply = bench.step.release_lease("policy_node", bench.now)
    assert (reply.ok, reply.message) == (True, "lease of policy_node ended")
    assert (bench.mode, bench.step.lease, bench.step.active_profile) == (Mode.STAND, None, None)
    assert not bench.step.ramp_done
    begun = bench.now
    bench.cycle()
    np.testing.assert_allclose(bench.safe.joint_pos, kit.STAND + 0.4, atol=0.02)  # begins where it was
    assert bench.safe.stiffness[0] == pytest.approx(20.0 + 40.0 * kit.CYCLE / kit.GAIN_RAMP)  # and as stiff
    while not bench.step.ramp_done:
        bench.cycle()
    assert bench.now - begun == 150 * MS  # quick: a robot that walks must get its feet under it
    np.testing.assert_array_equal(bench.safe.joint_pos, kit.STAND)
    assert not bench.step.trips
    assert bench.lease().ok


def test_only_the_holder_gives_the_lease_back() -> None:
    bench = Bench().active()
    reply = bench.step.release_lease("other_node", bench.now)
    assert not reply.ok
    assert reply.message == "lease of other_node; found held by policy_node; valid: the holder's own lease"
    assert bench.mode is Mode.ACTIVE
    bench.step.release_lease("policy_node", bench.now)
    assert "held by nobody" in bench.step.release_lease("policy_node", bench.now).message
    assert bench.step.refusals["lease"] == 2


def test_a_policy_that_reports_an_error_lands() -> None:
    bench = Bench().active()
    assert bench.step.release_lease("policy_node", bench.now, "depth 0.3 s old; limit 0.25 s").ok
    assert (bench.mode, bench.step.landing) == (Mode.LANDING, "sit")
    assert [(trip.name, trip.detail) for trip in bench.step.trips] == [("policy", "depth 0.3 s old; limit 0.25 s")]
    assert bench.step.lease is None


@pytest.mark.parametrize(
    ("request_", "mode"), [(Request.STAND, Mode.STAND), (Request.DAMP, Mode.DAMPING), (Request.ESTOP, Mode.LANDING)]
)
def test_the_operator_takes_the_lease_away(request_: Request, mode: Mode) -> None:
    bench = Bench().active()
    assert bench.ask(request_).ok
    assert (bench.mode, bench.step.lease) == (mode, None)
    refusal = bench.command()
    assert refusal is not None
    assert "command under a lease" in refusal
    assert bench.mode is mode


# Commands.


def test_a_command_acts_from_the_next_cycle_on_and_is_held() -> None:
    bench = Bench().active()
    bench.cycles(40)
    bench.walk(40)
    target = owned(kit.STAND + 0.05)
    before = bench.safe
    assert bench.command(joint_pos=target) is None
    assert bench.safe is before
    for _ in range(4):
        record = bench.cycle()
        assert record.safe is record.command  # the nominal case: not even copied
        assert record.command is not None
        np.testing.assert_array_equal(record.command.joint_pos, target)
        assert record.clamps == ()


def test_a_command_is_copied_when_it_is_taken() -> None:
    bench = Bench(kit.with_limits(gain_ramp_ns=0)).active()
    sent = {
        "joint_pos": np.array(kit.STAND + 0.05),
        "joint_vel": np.full(12, 0.1),
        "joint_effort": np.full(12, 0.2),
        "stiffness": np.full(12, 20.0),
        "damping": np.full(12, 0.5),
    }
    kept = {field: values.copy() for field, values in sent.items()}
    bench.cycle()
    assert bench.command(**sent) is None
    for values in sent.values():
        values[:] = np.nan
    bench.cycle()
    for field, values in kept.items():
        np.testing.assert_array_equal(getattr(bench.safe, field), values)


def test_commands_of_anyone_else_are_refused_and_reported() -> None:
    bench = Bench().active()
    held = bench.record.command
    bench.cycle()
    refusal = bench.command(sender="other_node", joint_pos=owned(np.full(12, np.nan)))
    assert refusal == "command of policy_node, who holds the lease; found other_node; valid: policy_node"
    assert bench.step.refusals == {"command_not_holder": 1}
    assert bench.step.last_refusal == refusal
    assert bench.cycle().command is held
    assert bench.mode is Mode.ACTIVE  # what a stranger sends trips nothing
    assert bench.command(sender="policy_node") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gain_profile": "other/0123456789ab"}, "profile"),
        ({"gain_profile": ""}, "profile"),
        ({"stiffness": owned(np.full(12, 21.0))}, "gains"),
        ({"damping": owned(np.full(12, 0.6))}, "gains"),
        ({"stamp_ns": 0}, "old"),
        ({"stamp_ns": 10**15}, "future"),
    ],
)
def test_a_refused_command_changes_nothing(change: dict[str, object], reason: str) -> None:
    bench = Bench().active()
    bench.walk(8)
    held = bench.record.command
    refusal = bench.command(joint_pos=owned(kit.STAND + 0.3), **change)
    assert refusal is not None
    assert bench.step.refusals == {f"command_{reason}": 1}
    assert bench.cycle().command is held
    assert bench.mode is Mode.ACTIVE


def test_a_command_is_taken_once() -> None:
    bench = Bench().active()
    assert bench.command() is None
    refusal = bench.command(joint_pos=owned(kit.STAND + 0.3))
    assert refusal is not None
    assert bench.step.refusals == {"command_not_newer": 1}


@pytest.mark.parametrize(("size", "reason"), [(11, "size"), (13, "size")])
def test_a_command_of_the_wrong_size_lands(size: int, reason: str) -> None:
    bench = Bench().active()
    assert bench.command(joint_pos=np.zeros(size)) is not None
    assert bench.step.refusals == {f"command_{reason}": 1}
    assert bench.names == ["command_invalid"]
    assert bench.step.landing == "damping"


def test_what_a_node_could_not_read_is_refused_too() -> None:
    bench = Bench().active()
    assert bench.step.refuse_command("names", "names; found FR_knee; valid: ...", bench.now).startswith("names; found")
    assert bench.names == ["command_invalid"]
    assert bench.step.refusals == {"command_names": 1}
    bench = Bench().stand()
    bench.step.refuse_command("names", "names; found FR_knee; valid: ...", bench.now)
    assert not bench.step.trips


def soft_bench(dt: int = DT) -> Bench:
    """Active with gains too small for a torque limit, which are there at once."""
    bench = Bench(kit.with_limits(gain_ramp_ns=0)).stand()
    assert bench.lease(kit.profile(stiffness=1.0), dt).ok
    bench.cycle()
    return bench


def test_the_rate_is_measured_from_the_target_written_before() -> None:
    bench = soft_bench()
    step = kit.RATE * 0.02
    far = kit.poisoned(owned(kit.STAND), 1, kit.STAND[1] + step + 0.1)
    assert bench.command(joint_pos=far) is None
    for _ in range(3):
        bench.cycle()
        assert bench.safe.joint_pos[1] == pytest.approx(kit.STAND[1] + step)  # the same in every cycle it is held
        assert bench.record.clamps == ("target_rate FR_thigh_joint",)
    assert bench.step.clamp_counts == {"target_rate FR_thigh_joint": 3}
    bench.command(joint_pos=far)
    assert bench.cycle().clamps == ()  # from there it is near enough


def test_a_slower_policy_may_move_its_target_further() -> None:
    far = kit.poisoned(owned(kit.STAND), 1, 4.4)
    bench = soft_bench(2 * DT)
    assert bench.command(joint_pos=far) is None
    assert bench.cycle().clamps == ()
    bench = soft_bench()
    assert bench.command(joint_pos=far) is None
    assert bench.cycle().clamps == ("target_rate FR_thigh_joint",)


def test_torque_is_checked_every_cycle_against_the_newest_state() -> None:
    bench = Bench().active()
    bench.walk(60)
    assert bench.record.clamps == ()
    away = owned(kit.STAND + np.array([0.9] + [0.0] * 11) * -1.0)
    assert bench.cycle(joint_pos=away).clamps == ()  # 20 * 0.9 = 18 N m
    away = owned(kit.STAND + np.array([1.0] + [0.0] * 11))
    fast = kit.poisoned(owned(np.zeros(12)), 0, 10.0)
    record = bench.cycle(joint_pos=away, joint_vel=fast)  # -(20 * 1.0 + 0.5 * 10) = -25 N m
    assert record.clamps == ("torque FR_hip_joint",)
    assert record.safe is not None
    torque = 20.0 * (record.safe.joint_pos[0] - away[0]) - 5.0
    assert torque == pytest.approx(-23.7)
    assert bench.cycle().clamps == ()


# Gains.


def test_gains_come_in_gradually_and_only_once() -> None:
    bench = Bench().stand()
    bench.lease()
    bench.cycles(3)
    assert bench.safe.stiffness[0] == kit.STAND_STIFFNESS
    seen = []
    for k in range(60):
        if k % 4 == 0:
            assert bench.command() is None
        bench.cycle()
        seen.append((bench.safe.stiffness[0], bench.safe.damping[0]))
    share = np.clip(np.arange(60) * kit.CYCLE / kit.GAIN_RAMP, 0.0, 1.0)
    np.testing.assert_allclose([s for s, _ in seen], 60.0 - 40.0 * share)
    np.testing.assert_allclose([d for _, d in seen], 5.0 - 4.5 * share)
    assert bench.safe.gain_profile == "walk/0123456789ab"


def test_profiles_are_set_while_nothing_is_active() -> None:
    bench = Bench()
    assert bench.step.set_gain_profile(kit.profile()).ok
    assert bench.step.set_gain_profile(kit.profile("jump/0123456789ab", 40.0)).ok
    assert set(bench.step.profiles) == {"walk/0123456789ab", "jump/0123456789ab"}
    bench = Bench().active()
    reply = bench.step.set_gain_profile(kit.profile("jump/0123456789ab", 40.0))
    assert not reply.ok
    assert "nothing active; found policy_node is; valid: deactivate it first" in reply.message
    assert set(bench.step.profiles) == {"walk/0123456789ab"}
    assert bench.step.refusals == {"profile": 1}


@pytest.mark.parametrize(
    ("stiffness", "damping", "says"),
    [
        (120.1, 0.5, "stiffness of FR_hip_joint: 120.1; valid: 0 to 120"),
        (20.0, 6.1, "damping of FR_hip_joint: 6.1; valid: 0 to 6"),
        (float("nan"), 0.5, "stiffness: a value that is not finite"),
        (0.0, 0.0, "no gains at all"),
    ],
)
def test_profiles_are_held_to_the_safety_file(stiffness: float, damping: float, says: str) -> None:
    bench = Bench()
    reply = bench.step.set_gain_profile(kit.profile(stiffness=stiffness, damping=damping))
    assert not reply.ok
    assert says in reply.message
    assert "walk/0123456789ab" in reply.message
    assert not bench.step.profiles


def test_one_name_means_one_set_of_gains() -> None:
    bench = Bench()
    assert bench.step.set_gain_profile(kit.profile()).ok
    assert bench.step.set_gain_profile(kit.profile()).ok
    for other in (kit.profile(stiffness=21.0), kit.profile(damping=0.6)):
        reply = bench.step.set_gain_profile(other)
        assert not reply.ok
        assert "one set of gains; found another set" in reply.message
    assert bench.step.profiles["walk/0123456789ab"].stiffness[0] == 20.0


def test_profiles_are_copied() -> None:
    stiffness, damping = np.full(12, 20.0), np.full(12, 0.5)
    bench = Bench()
    bench.step.set_gain_profile(GainProfile("walk/0123456789ab", stiffness, damping))
    stiffness[:], damping[:] = 1e9, 1e9
    kept = bench.step.profiles["walk/0123456789ab"]
    assert (kept.stiffness[0], kept.damping[0]) == (20.0, 0.5)


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
