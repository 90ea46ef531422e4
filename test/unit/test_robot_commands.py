"""Commands to the robot half: which it takes, what becomes of them and of their gains, and which it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import DT, Bench

from robot_policies.types import GainProfile, Mode, owned


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
