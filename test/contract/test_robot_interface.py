"""What every robot must do, run on each one that needs no hardware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robot_policies.exceptions import RobotError, SchemaError
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.robots import mock
from robot_policies.robots.cycle import MAX_LAG_NS, CycleClock
from robot_policies.robots.robot import Robot
from robot_policies.types import JointCommand, RobotState
from sim2real.mujoco import robot as mujoco_robot

PERIOD_NS = 5_000_000
Create = Callable[[RobotSpec, dict[str, Any]], Robot]
CREATE: dict[str, tuple[Create, str]] = {
    "mujoco go2": (mujoco_robot.create, "go2"),
    "mock go2": (mock.create, "go2"),
    "mock g1": (mock.create, "g1"),
}


@pytest.fixture(params=CREATE)
def make(request: pytest.FixtureRequest) -> Callable[..., Robot]:
    create, name = CREATE[request.param]
    spec = load_robot_spec(name)
    return lambda **options: create(spec, {"clock": "lockstep", **options})


def no_wait(stamp_ns: int) -> None:
    """Time passes at once."""


def stand(spec: RobotSpec, **changes: Any) -> JointCommand:
    still = np.zeros(len(spec.joint_names))
    command = JointCommand(0, spec.poses["stand"], still, still, spec.stand_stiffness, spec.stand_damping, "stand")
    return replace(command, **changes)


def test_states_have_the_sizes_of_the_robot_file(make: Callable[..., Robot]) -> None:
    robot = make()
    state = robot.read(no_wait)
    joints, feet = len(robot.spec.joint_names), len(robot.spec.feet)
    shapes = {"joint_pos": joints, "joint_vel": joints, "joint_effort": joints, "base_quat_wxyz": 4, "base_ang_vel": 3,
              "base_lin_acc": 3, "foot_force": feet, "base_lin_vel": 3}  # fmt: skip
    for key, size in shapes.items():
        values = getattr(state, key)
        assert values.shape == (size,), key
        assert values.dtype == np.float64, key
        assert np.isfinite(values).all(), key
        assert not values.flags.writeable, key
    assert np.linalg.norm(state.base_quat_wxyz) == pytest.approx(1.0)


def test_lockstep_stamps_count_cycles_from_the_epoch(make: Callable[..., Robot]) -> None:
    robot = make(epoch_ns=1_000)
    assert robot.now_ns() == 1_000
    waits: list[int] = []
    stamps = []
    for _ in range(3):
        stamps.append(robot.read(waits.append).stamp_ns)
        assert robot.now_ns() == stamps[-1]
    assert stamps == waits == [1_000 + k * PERIOD_NS for k in (1, 2, 3)]


def test_time_stands_still_while_the_robot_waits(make: Callable[..., Robot]) -> None:
    robot = make()
    seen: list[int] = []
    first = robot.read(no_wait).stamp_ns
    robot.read(lambda stamp_ns: seen.append(robot.now_ns()))
    assert seen == [first]


def test_states_are_values(make: Callable[..., Robot]) -> None:
    """A state that was given out does not change when the robot goes on."""
    robot = make()
    state = robot.read(no_wait)
    before = state.joint_pos.copy()
    robot.write(stand(robot.spec))
    for _ in range(20):
        robot.read(no_wait)
    assert np.array_equal(state.joint_pos, before)


def test_commands_are_values(make: Callable[..., Robot]) -> None:
    """What the writer does to its arrays afterwards does not reach the motors."""
    ends = []
    for spoil in (False, True):
        robot = make(start="stand", seed=1)
        target = robot.spec.poses["stand"].copy()
        robot.write(stand(robot.spec, joint_pos=target))
        if spoil:
            target += 0.5
        ends.append([robot.read(no_wait) for _ in range(10)][-1].joint_pos)
    assert np.array_equal(*ends)


def test_write_returns_what_was_sent(make: Callable[..., Robot]) -> None:
    robot = make()
    command = stand(robot.spec)
    assert robot.write(command) is command
    assert robot.write(None) is None


@pytest.mark.parametrize("key", ["joint_pos", "joint_vel", "joint_effort", "stiffness", "damping"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_command_that_is_not_finite_is_refused_whole(make: Callable[..., Robot], key: str, value: float) -> None:
    robot = make(start="stand")
    robot.write(stand(robot.spec))
    held = robot.read(no_wait)
    broken = np.array(getattr(stand(robot.spec), key))
    broken[1] = value
    with pytest.raises(RobotError, match=f"{key}; found not finite for {robot.spec.joint_names[1]}; valid: finite"):
        robot.write(stand(robot.spec, **{key: broken}))
    assert np.abs(robot.read(no_wait).joint_pos - held.joint_pos).max() < 0.02  # the command before it still holds


def test_a_command_of_another_size_is_refused(make: Callable[..., Robot]) -> None:
    robot = make()
    count = len(robot.spec.joint_names)
    with pytest.raises(RobotError, match=rf"joint_vel; found shape \(3,\); valid: shape \({count},\)"):
        robot.write(stand(robot.spec, joint_vel=np.zeros(3)))


def test_unknown_options_are_refused(make: Callable[..., Robot]) -> None:
    with pytest.raises(SchemaError, match="colour: unknown key; found 'red'"):
        make(colour="red")
    with pytest.raises(SchemaError, match="clock"):
        make(clock="sundial")


def test_the_options_of_the_bring_up_suit_every_backend(make: Callable[..., Robot]) -> None:
    assert make(seed=3, terrain="flat").read(no_wait).stamp_ns == PERIOD_NS


def test_real_time_stamps_are_system_time_at_absolute_deadlines() -> None:
    now = [10_000_000_000]

    def wait(stamp_ns: int) -> None:
        now[0] = max(now[0], stamp_ns) + 1_200_000  # every wake is late; the next deadline does not move

    clock = CycleClock("real", 200.0, system_ns=lambda: now[0])
    stamps = [clock.next_cycle(wait) for _ in range(4)]
    assert stamps == [10_000_000_000 + k * PERIOD_NS for k in (1, 2, 3, 4)]
    assert clock.now_ns() == now[0]


def test_a_late_process_catches_up_and_a_stopped_one_goes_on_from_now() -> None:
    now = [0]
    clock = CycleClock("real", 200.0, system_ns=lambda: now[0])
    assert clock.next_cycle(no_wait) == PERIOD_NS
    now[0] = 40_000_000
    assert [clock.next_cycle(no_wait), clock.next_cycle(no_wait)] == [2 * PERIOD_NS, 3 * PERIOD_NS]
    assert clock.skipped_ns == 0
    now[0] = MAX_LAG_NS + 60_000_000
    assert clock.next_cycle(no_wait) == now[0]
    assert clock.skipped_ns == now[0] - 4 * PERIOD_NS
    assert clock.next_cycle(no_wait) == now[0] + PERIOD_NS


def test_time_before_the_first_cycle_does_not_count() -> None:
    """A node may take seconds between making its robot and its first read."""
    now = [0]
    clock = CycleClock("real", 200.0, system_ns=lambda: now[0])
    now[0] = 3_000_000_000
    assert clock.next_cycle(no_wait) == now[0] + PERIOD_NS
    assert clock.skipped_ns == 0


def test_a_clock_that_was_set_back_does_not_stop_the_robot() -> None:
    now = [50_000_000_000]
    clock = CycleClock("real", 200.0, system_ns=lambda: now[0])
    clock.next_cycle(no_wait)
    now[0] = 20_000_000_000
    assert clock.next_cycle(no_wait) == now[0]
    assert clock.skipped_ns == 0


@pytest.mark.parametrize("name", ["mujoco go2", "mock g1"])
def test_by_default_a_robot_runs_in_real_time(name: str) -> None:
    import time

    create, robot_name = CREATE[name]
    robot = create(load_robot_spec(robot_name), {})
    before = time.time_ns()
    states = [robot.read(lambda stamp_ns: time.sleep(max(0.0, (stamp_ns - time.time_ns()) / 1e9))) for _ in range(5)]
    assert all(b.stamp_ns - a.stamp_ns >= PERIOD_NS for a, b in zip(states, states[1:], strict=False))
    assert abs(robot.now_ns() - time.time_ns()) < 1_000_000_000
    assert states[-1].stamp_ns <= time.time_ns()
    assert time.time_ns() - before > 3 * PERIOD_NS


class TestMock:
    """The mock's own promises."""

    @pytest.fixture(params=["go2", "g1"])
    def robot(self, request: pytest.FixtureRequest) -> Robot:
        return mock.create(load_robot_spec(request.param), {"clock": "lockstep"})

    def test_joints_are_where_the_command_says(self, robot: Robot) -> None:
        rng = np.random.default_rng(0)
        count = len(robot.spec.joint_names)
        pos, vel, effort = rng.normal(size=(3, count))
        robot.write(stand(robot.spec, joint_pos=pos, joint_vel=vel, joint_effort=effort))
        state = robot.read(no_wait)
        assert (state.joint_pos.tolist(), state.joint_vel.tolist()) == (pos.tolist(), vel.tolist())
        assert state.joint_effort.tolist() == effort.tolist()

    def test_none_leaves_the_joints_and_stops_them(self, robot: Robot) -> None:
        robot.write(stand(robot.spec, joint_vel=np.ones(len(robot.spec.joint_names))))
        moving = robot.read(no_wait)
        robot.write(None)
        state = robot.read(no_wait)
        assert np.array_equal(state.joint_pos, moving.joint_pos)
        assert not state.joint_vel.any()

    def test_the_base_is_upright_and_still(self, robot: Robot) -> None:
        state: RobotState = robot.read(no_wait)
        assert state.base_quat_wxyz.tolist() == [1.0, 0.0, 0.0, 0.0]
        assert state.base_lin_acc.tolist() == [0.0, 0.0, 9.81]
        assert not state.base_ang_vel.any()

    def test_it_starts_in_the_pose_that_is_asked_for(self, robot: Robot) -> None:
        spec = robot.spec
        assert np.array_equal(robot.read(no_wait).joint_pos, spec.poses["sit"])
        standing = mock.create(spec, {"clock": "lockstep", "start": "stand"})
        assert np.array_equal(standing.read(no_wait).joint_pos, spec.poses["stand"])
        with pytest.raises(RobotError, match="start pose; found kneel; valid: stand, sit"):
            mock.create(spec, {"start": "kneel"})
