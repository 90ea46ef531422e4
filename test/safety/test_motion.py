"""What the robot does of itself is bounded in speed, begins where the robot is, and ends where it should."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_policies.safety import motion
from robot_policies.safety.ramp import GainRamp, PoseRamp
from robot_policies.types import Array, owned

MS = kit.MS
T0 = 3_000 * MS
LIMITS = kit.go2_limits()
LIMP = (np.zeros(12), np.full(12, kit.DAMPING))
POSES = arrays(np.float64, 12, elements=st.floats(-3.0, 3.0))


@settings(max_examples=100, deadline=None)
@given(POSES, POSES, st.floats(0.1, 20.0), st.integers(1, 3_000 * MS))
def test_a_pose_ramp_never_exceeds_its_speed(start: Array, goal: Array, speed: float, min_ns: int) -> None:
    ramp = PoseRamp(start, goal, T0, speed, min_ns)
    assert ramp.end_ns - T0 >= min_ns
    times = np.linspace(T0, ramp.end_ns, 50).astype(int)
    poses = np.array([ramp.at(int(t)) for t in times])
    seconds = np.diff(times) / 1e9
    moved = np.abs(np.diff(poses, axis=0))
    assert (moved <= speed * (seconds[:, None] + 2e-9) * 1.001 + 1e-9).all()
    assert (poses >= np.minimum(start, goal) - 1e-9).all()
    assert (poses <= np.maximum(start, goal) + 1e-9).all()


def test_a_pose_ramp_takes_the_time_it_needs() -> None:
    start, goal = np.zeros(12), np.zeros(12)
    goal[4] = 2.0
    ramp = PoseRamp(owned(start), owned(goal), T0, 1.5, 1_000 * MS)
    assert ramp.end_ns - T0 == 2_000 * MS  # 1.5 (peak over mean slope) * 2 rad / 1.5 rad/s
    np.testing.assert_allclose(ramp.at(T0 + 1_000 * MS), goal / 2)
    np.testing.assert_allclose(ramp.at(T0 + 500 * MS), goal * (3 / 16 - 2 / 64))
    near = PoseRamp(owned(start), owned(goal / 100), T0, 1.5, 1_000 * MS)
    assert near.end_ns - T0 == 1_000 * MS


def test_a_pose_ramp_stays_at_its_ends() -> None:
    ramp = PoseRamp(owned(kit.SIT), owned(kit.STAND), T0, 1.5, 1_000 * MS)
    for before in (T0, T0 - 1, 0):
        np.testing.assert_array_equal(ramp.at(before), kit.SIT)
    for after in (ramp.end_ns, ramp.end_ns + 1, ramp.end_ns + 500 * MS, ramp.end_ns + 1_100 * MS, 10**15):
        np.testing.assert_array_equal(ramp.at(after), kit.STAND)
    assert not np.array_equal(ramp.at(ramp.end_ns - 100 * MS), kit.STAND)
    assert not ramp.at(T0 + 1).flags.writeable


def test_a_pose_ramp_without_a_way_or_a_time_ends_at_once() -> None:
    ramp = PoseRamp(owned(kit.STAND), owned(kit.STAND), T0, 1.5, 0)
    np.testing.assert_array_equal(ramp.at(T0), kit.STAND)
    assert ramp.end_ns == T0 + 1


def test_gains_come_in_linearly() -> None:
    goal = (owned(np.full(12, 60.0)), owned(np.full(12, 5.0)))
    ramp = GainRamp(LIMP, goal, T0, 200 * MS)
    for since, share in ((-50, 0.0), (0, 0.0), (50, 0.25), (100, 0.5), (150, 0.75)):
        stiffness, damping = ramp.at(T0 + since * MS)
        np.testing.assert_allclose(stiffness, 60.0 * share)
        np.testing.assert_allclose(damping, 3.0 + 2.0 * share)
        assert not stiffness.flags.writeable
    assert ramp.at(T0 + 200 * MS) is goal
    assert ramp.at(T0 + 10**12) is goal
    assert ramp.at(T0 + 200 * MS - 1) is not goal


def test_a_gain_ramp_without_a_time_is_over_at_once() -> None:
    goal = (owned(np.full(12, 60.0)), owned(np.full(12, 5.0)))
    assert GainRamp(LIMP, goal, T0, 0).at(T0) is goal
    assert GainRamp(LIMP, goal, T0, 0).at(T0 - 1)[0].tolist() == [0.0] * 12


@pytest.mark.parametrize(
    ("make", "goal", "speed", "least"),
    [
        (motion.to_stand, kit.STAND, 1.5, 1_000 * MS),
        (motion.settle, kit.STAND, 10.0, 150 * MS),
        (motion.to_sit, kit.SIT, 1.5, 1_000 * MS),
    ],
)
def test_ways_of_the_robot(make: object, goal: Array, speed: float, least: int) -> None:
    start = owned(kit.STAND + 0.3)
    way = make(LIMITS, start, LIMP, T0)  # type: ignore[operator]
    first, last = way.command(77, T0), way.command(78, T0 + 10_000 * MS)
    np.testing.assert_array_equal(first.joint_pos, start)
    np.testing.assert_array_equal(last.joint_pos, goal)
    np.testing.assert_array_equal(first.stiffness, np.zeros(12))
    np.testing.assert_array_equal(first.damping, np.full(12, kit.DAMPING))
    np.testing.assert_array_equal(last.stiffness, np.full(12, kit.STAND_STIFFNESS))
    np.testing.assert_array_equal(last.damping, np.full(12, kit.STAND_DAMPING))
    assert (first.stamp_ns, last.stamp_ns, last.gain_profile) == (77, 78, "stand")
    assert not last.joint_vel.any()
    assert not last.joint_effort.any()
    needed = max(least, round(1.5e9 * np.abs(goal - start).max() / speed))
    assert not way.done(T0 + needed - 1)
    assert way.done(T0 + needed)
    assert way.command(0, T0 + kit.GAIN_RAMP - 1).stiffness[0] < kit.STAND_STIFFNESS
    assert way.command(0, T0 + kit.GAIN_RAMP).stiffness[0] == kit.STAND_STIFFNESS


def test_holding_stays() -> None:
    pose = owned(kit.STAND + 0.2)
    way = motion.hold(LIMITS, pose, LIMP, T0)
    for now in (T0, T0 + 1, T0 + 5_000 * MS):
        np.testing.assert_array_equal(way.command(0, now).joint_pos, pose)
    assert way.command(0, T0 + kit.GAIN_RAMP).stiffness[0] == kit.STAND_STIFFNESS


def test_ways_begin_within_the_limits() -> None:
    """A joint that leans on its stop measures a little beyond it."""
    beyond = owned(kit.LOWER - 0.03)
    for make in (motion.to_stand, motion.settle, motion.to_sit, motion.hold):
        np.testing.assert_array_equal(make(LIMITS, beyond, LIMP, T0).command(0, T0).joint_pos, kit.LOWER)
    np.testing.assert_array_equal(motion.within(LIMITS, owned(kit.UPPER + 1.0)), kit.UPPER)
    np.testing.assert_array_equal(motion.within(LIMITS, owned(kit.STAND)), kit.STAND)


def test_damping_only_brakes() -> None:
    command = motion.damping(LIMITS, owned(kit.SIT), 55)
    assert (command.stamp_ns, command.gain_profile) == (55, "damping")
    np.testing.assert_array_equal(command.joint_pos, kit.SIT)
    np.testing.assert_array_equal(command.damping, np.full(12, kit.DAMPING))
    for values in (command.joint_vel, command.joint_effort, command.stiffness):
        assert not values.any()


def test_landings() -> None:
    pose = owned(kit.STAND + 0.1)
    assert motion.landing_motion(LIMITS, "damping", pose, LIMP, T0) is None
    for landing, goal in (("sit", kit.SIT), ("hold", pose)):
        way = motion.landing_motion(LIMITS, landing, pose, LIMP, T0)
        assert way is not None
        np.testing.assert_array_equal(way.command(0, T0 + 10_000 * MS).joint_pos, goal)
        np.testing.assert_array_equal(way.command(0, T0).joint_pos, pose)


def test_holding_is_done_at_once() -> None:
    assert motion.hold(LIMITS, owned(kit.STAND), LIMP, T0).done(T0 + 1)


def test_ramps_begin_with_the_first_nanosecond_and_end_with_the_goal_itself() -> None:
    goal = owned(kit.STAND)
    pose = PoseRamp(owned(kit.SIT), goal, T0, 1.5, 1_000 * MS)
    assert pose.at(pose.end_ns) is goal
    gains = GainRamp(LIMP, (owned(np.full(12, 60.0)), owned(np.full(12, 5.0))), T0, 4)
    assert [gains.at(T0 + since)[0][0] for since in range(5)] == [0.0, 15.0, 30.0, 45.0, 60.0]
