"""What the robot's sensors make of the true state: noise with the figures of the robot file and its sensor profiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robot_policies.robot_spec import RobotSpec
from robot_policies.sensor_spec import load_imu_sensor
from robot_policies.types import Array, RobotState

_NO_TURN = np.zeros(3)  # the attitude's own error is all that is drawn of it


@dataclass(frozen=True)
class NoiseLevels:
    """Standard deviations per sample."""

    joint_pos: float  # [rad]
    joint_vel: float  # [rad/s]
    joint_effort: float  # [N m]
    attitude: float  # [rad], of each axis of a small rotation
    ang_vel: float  # [rad/s]
    lin_acc: float  # [m/s^2]
    foot_force: float  # [N]


def noise_levels(spec: RobotSpec, factor: float) -> NoiseLevels:
    """Return the robot's noise times ``factor``. Raises ResourceError or SchemaError where its IMU has no profile."""
    imu, joints, feet = load_imu_sensor(spec.sensors.imu.sensor), spec.sensors.joints, spec.sensors.feet
    return NoiseLevels(
        joint_pos=factor * joints.pos_noise,
        joint_vel=factor * joints.vel_noise,
        joint_effort=factor * joints.effort_noise,
        attitude=factor * imu.attitude_noise,
        ang_vel=factor * imu.gyro_noise,
        lin_acc=factor * imu.acc_noise,
        foot_force=factor * (feet.noise if feet else 0.0),
    )


class NoisySensors:
    """Adds noise to states; the same seed gives the same noise. The estimated base velocity stays true."""

    def __init__(self, levels: NoiseLevels, joints: int, feet: int, seed: int) -> None:
        """Prepare for ``joints`` joints and ``feet`` feet."""
        sizes = (joints, joints, joints, 3, 3, 3, feet)
        values = (
            levels.joint_pos,
            levels.joint_vel,
            levels.joint_effort,
            levels.attitude,
            levels.ang_vel,
            levels.lin_acc,
            levels.foot_force,
        )
        self._scale = np.repeat(values, sizes)
        ends = np.cumsum(sizes).tolist()
        self._parts = tuple(slice(end - size, end) for size, end in zip(sizes, ends, strict=True))
        self._rng = np.random.default_rng(seed)
        self._silent = not self._scale.any()

    def measure(self, true: RobotState) -> RobotState:
        """Return what the sensors report of the ``true`` state."""
        if self._silent:
            return true
        state = np.concatenate(
            (true.joint_pos, true.joint_vel, true.joint_effort, _NO_TURN, true.base_ang_vel, true.base_lin_acc,
             true.foot_force)
        )  # fmt: skip
        state += self._scale * self._rng.standard_normal(self._scale.size)
        feet = self._parts[-1]
        np.maximum(state[feet], 0.0, out=state[feet])
        state.setflags(write=False)
        pos, vel, effort, turn, ang_vel, lin_acc, force = (state[part] for part in self._parts)
        quat = turned(true.base_quat_wxyz, turn)
        quat.setflags(write=False)
        return RobotState(true.stamp_ns, pos, vel, effort, quat, ang_vel, lin_acc, force, true.base_lin_vel)


def turned(quat_wxyz: Array, turn: Array) -> Array:
    """Return ``quat_wxyz`` followed by the small rotation vector ``turn`` [rad] in the base frame, of unit length."""
    w, x, y, z = quat_wxyz.tolist()
    a, b, c = (0.5 * turn).tolist()
    result = np.array([w - x * a - y * b - z * c, x + w * a + y * c - z * b, y + w * b + z * a - x * c,
                       z + w * c + x * b - y * a])  # fmt: skip
    return np.asarray(result / math.sqrt(result.dot(result)))
