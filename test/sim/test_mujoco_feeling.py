"""What the simulated Go2 feels: gravity, turning, speed, the ground under its feet, and the effort of its motors."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from helpers.mujoco_go2 import SPEC, STAND, ZERO, command, lifted, no_wait, robot, run

from robot_policies.types import RobotState
from sim2real.mujoco.plant import motor_limits, torque_bounds

WEIGHT = 15.017 * 9.81  # [N]


@pytest.fixture(scope="module")
def standing() -> list[RobotState]:
    return run(robot(start="stand"), 2.0, STAND)


def test_the_imu_at_rest_shows_gravity_and_no_turning(standing: list[RobotState]) -> None:
    state = standing[-1]
    acc, quat = state.base_lin_acc, state.base_quat_wxyz
    assert np.linalg.norm(acc) == pytest.approx(9.81, abs=0.01)
    up = np.array([2 * (quat[1] * quat[3] - quat[0] * quat[2]), 2 * (quat[2] * quat[3] + quat[0] * quat[1]),
                   1 - 2 * (quat[1] ** 2 + quat[2] ** 2)])  # fmt: skip
    assert acc == pytest.approx(9.81 * up, abs=0.02)
    assert acc[2] == pytest.approx(9.81, abs=0.02)
    assert np.abs(state.base_ang_vel).max() < 0.001


def test_the_gyro_and_the_attitude_are_in_the_base_frame_and_of_the_present() -> None:
    sim = lifted(robot(start="stand"), 20.0)
    sim._data.qvel[3:6] = [0.3, -0.2, 1.0]
    before = sim.read(no_wait)
    after = sim.read(no_wait)
    turn = np.zeros(3)
    mujoco.mju_subQuat(turn, after.base_quat_wxyz, before.base_quat_wxyz)
    assert turn / 0.005 == pytest.approx((before.base_ang_vel + after.base_ang_vel) / 2, abs=0.01)
    assert after.base_ang_vel == pytest.approx(sim.ground_truth().base_ang_vel, abs=1e-12)
    assert after.base_quat_wxyz == pytest.approx(sim.ground_truth().quat_wxyz, abs=1e-12)


def test_base_lin_vel_is_in_the_base_frame() -> None:
    sim = lifted(robot(start="stand"))
    sim._data.qpos[3:7] = [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]  # facing +y of the world
    sim._data.qvel[:3] = [0.0, 1.0, 0.0]
    mujoco.mj_forward(sim.model, sim._data)
    state = sim.read(no_wait)
    assert state.base_lin_vel is not None
    assert state.base_lin_vel[:2] == pytest.approx([1.0, 0.0], abs=0.01)
    assert sim.ground_truth().base_lin_vel == pytest.approx(state.base_lin_vel)


def test_foot_forces_carry_the_weight(standing: list[RobotState]) -> None:
    mean = np.mean([state.foot_force for state in standing[-100:]], axis=0)
    assert mean.sum() == pytest.approx(WEIGHT, rel=0.01)
    assert (mean > 20.0).all()
    assert mean[0] == pytest.approx(mean[1], rel=0.02)  # right and left


def test_foot_forces_are_in_the_order_of_the_robot_file() -> None:
    """A robot that leans on its left feet."""
    pose = SPEC.poses["stand"].copy()
    lean = np.array([-0.25, 0.0, 0.0])
    sim = robot(start="stand")
    state = run(sim, 2.0, command(pose + np.tile(lean, 4)))[-1]
    force = dict(zip(SPEC.feet, state.foot_force, strict=True))
    right, left = force["FR_foot"] + force["RR_foot"], force["FL_foot"] + force["RL_foot"]
    heavy = sim.ground_truth().position[1] - np.mean([sim._data.site(foot).xpos[1] for foot in SPEC.feet])
    assert (left > right) == (heavy > 0.0)
    assert abs(left - right) > 20.0


@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("joint", ["FL_hip_joint", "RR_thigh_joint", "FR_calf_joint"])
def test_no_joint_is_driven_over_the_torque_speed_curve(joint: str, direction: float) -> None:
    """Full command on one joint, in the air: effort is on or under the curve at the speed it was applied at."""
    index = int(SPEC.joint_index((joint,))[0])
    limits = motor_limits(SPEC)
    sim = lifted(robot(start="stand"), 50.0)
    speeds, efforts = [], []
    feedforward = ZERO.copy()
    for cycle in range(240):
        feedforward[index] = direction * 500.0 * (1.0 if cycle % 24 < 12 else -1.0)
        sim.write(command(SPEC.poses["stand"], joint_effort=feedforward.copy()))
        speed = sim._data.qvel[sim._map.qvel].copy()
        sim._step(sim._active)
        lower, upper = torque_bounds(speed, limits)
        assert (lower <= sim._torque).all()
        assert (sim._torque <= upper).all()
        speeds.append(abs(speed[index]))
        efforts.append(abs(sim._torque[index]))
        assert np.array_equal(sim._data.actuator_force[sim._map.ctrl], sim._torque)  # and MuJoCo applied just that
    assert max(speeds) > limits.knee_speed[index]  # the curve, not only the peak, was at work
    assert max(efforts) == pytest.approx(SPEC.effort_limit[index])


def test_a_free_joint_does_not_outrun_its_no_load_speed() -> None:
    index = int(SPEC.joint_index(("FL_thigh_joint",))[0])
    sim = lifted(robot(start="stand"), 200.0)
    sim.model.jnt_limited[:] = 0
    feedforward = ZERO.copy()
    feedforward[index] = 100.0
    soft = command(SPEC.poses["stand"], joint_effort=feedforward, stiffness=ZERO, damping=ZERO)
    fastest = max(state.joint_vel[index] for state in run(sim, 1.0, soft))
    no_load = SPEC.torque_speed[index, 1]
    assert 0.6 * no_load < fastest < no_load + 1.0


def test_reported_effort_is_what_the_motors_gave(standing: list[RobotState]) -> None:
    state = standing[-1]
    wanted = SPEC.stand_stiffness * (SPEC.poses["stand"] - state.joint_pos) - SPEC.stand_damping * state.joint_vel
    assert state.joint_effort == pytest.approx(wanted, abs=0.02)
    assert np.abs(state.joint_effort[[2, 5, 8, 11]]).min() > 2.0  # the knees carry the robot
