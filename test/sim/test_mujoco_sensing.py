"""Sensor noise: its size, its form and its repeatability."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from robot_policies.robot_spec import load_robot_spec
from robot_policies.sensor_spec import load_imu_sensor
from robot_policies.types import RobotState, owned
from sim2real.mujoco.sensing import NoisySensors, noise_levels, turned

SPEC = load_robot_spec("go2")
TRUE = RobotState(
    stamp_ns=5,
    joint_pos=owned(SPEC.poses["stand"]),
    joint_vel=owned(np.linspace(-1.0, 1.0, 12)),
    joint_effort=owned(np.linspace(-5.0, 5.0, 12)),
    base_quat_wxyz=owned([0.8, 0.6, 0.0, 0.0]),
    base_ang_vel=owned([0.1, 0.2, 0.3]),
    base_lin_acc=owned([0.0, 0.0, 9.81]),
    foot_force=owned([40.0, 40.0, 0.0, 40.0]),
    base_lin_vel=owned([1.0, 0.0, 0.0]),
)


def samples(factor: float, count: int = 4000, seed: int = 0) -> list[RobotState]:
    sensors = NoisySensors(noise_levels(SPEC, factor), 12, 4, seed)
    return [sensors.measure(TRUE) for _ in range(count)]


@pytest.fixture(scope="module")
def noisy() -> list[RobotState]:
    return samples(1.0)


def test_noise_has_the_size_that_the_files_say_and_no_mean(noisy: list[RobotState]) -> None:
    imu, joints = load_imu_sensor(SPEC.sensors.imu.sensor), SPEC.sensors.joints
    sizes = {"joint_pos": joints.pos_noise, "joint_vel": joints.vel_noise, "joint_effort": joints.effort_noise,
             "base_ang_vel": imu.gyro_noise, "base_lin_acc": imu.acc_noise}  # fmt: skip
    for key, size in sizes.items():
        error = np.array([getattr(state, key) for state in noisy]) - getattr(TRUE, key)
        assert error.std(axis=0) == pytest.approx(np.full(error.shape[1], size), rel=0.06), key
        assert np.abs(error.mean(axis=0)).max() < 5.0 * size / np.sqrt(len(noisy)), key


def test_channels_are_independent(noisy: list[RobotState]) -> None:
    error = np.array([np.concatenate([state.joint_pos, state.base_ang_vel]) for state in noisy])
    correlation = np.corrcoef(error.T) - np.eye(15)
    assert np.abs(correlation).max() < 0.1


def test_attitude_stays_a_unit_quaternion_with_the_tilt_of_the_profile(noisy: list[RobotState]) -> None:
    quats = np.array([state.base_quat_wxyz for state in noisy])
    assert np.linalg.norm(quats, axis=1) == pytest.approx(np.ones(len(noisy)))
    half_angle = np.arccos(np.clip(np.abs(quats @ TRUE.base_quat_wxyz), 0.0, 1.0))
    expected = load_imu_sensor(SPEC.sensors.imu.sensor).attitude_noise * np.sqrt(3.0)
    assert np.sqrt(np.mean((2.0 * half_angle) ** 2)) == pytest.approx(expected, rel=0.05)


def test_a_turn_is_about_the_base_axes() -> None:
    quarter = turned(np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]), np.array([0.02, 0.0, 0.0]))
    # yaw of 90 deg, then 0.02 rad of roll: the product of the two quaternions
    roll = np.array([np.cos(0.01), np.sin(0.01), 0.0, 0.0])
    want = np.sqrt(0.5) * np.array([roll[0], roll[1], roll[1], roll[0]])
    assert quarter == pytest.approx(want, abs=1e-6)


def test_feet_never_pull(noisy: list[RobotState]) -> None:
    force = np.array([state.foot_force for state in noisy])
    assert (force >= 0.0).all()
    assert force[:, 0].std() == pytest.approx(SPEC.sensors.feet.noise if SPEC.sensors.feet else 0.0, rel=0.06)


def test_stamp_and_estimated_velocity_stay_true(noisy: list[RobotState]) -> None:
    assert {state.stamp_ns for state in noisy} == {TRUE.stamp_ns}
    assert all(state.base_lin_vel is TRUE.base_lin_vel for state in noisy)


def test_factor_scales_and_zero_is_silent() -> None:
    one, three = (np.array([state.joint_vel for state in samples(factor, 500)]) for factor in (1.0, 3.0))
    assert (three - TRUE.joint_vel) == pytest.approx(3.0 * (one - TRUE.joint_vel))
    assert samples(0.0, 1)[0] is TRUE


def test_seeds() -> None:
    a, b, c = (samples(1.0, 3, seed)[-1] for seed in (4, 4, 5))
    assert np.array_equal(a.joint_pos, b.joint_pos)
    assert not np.array_equal(a.joint_pos, c.joint_pos)


def test_measured_states_share_nothing_and_nobody_can_write_them(noisy: list[RobotState]) -> None:
    arrays = [value for state in (noisy[0], noisy[1]) for value in vars_of(state).values()]
    for array in arrays:
        assert not array.flags.writeable
        assert array.base is None or not array.base.flags.writeable
    for name, value in vars_of(noisy[0]).items():
        assert name == "base_lin_vel" or not np.shares_memory(value, getattr(TRUE, name))
        assert name == "base_lin_vel" or not np.shares_memory(value, getattr(noisy[1], name))


def vars_of(state: RobotState) -> dict[str, np.ndarray]:
    """Return the arrays of a state by name."""
    values = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
