"""What the simulator says about all robots at one control step: the value that observation and rewards read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Motion:
    """Rows are robots (``N``), joints are in robot order (``n``), feet in the order of the robot file (``f``)."""

    height: Array  # (N,) [m] of the trunk's origin over the mean ground under the trunk
    base_quat_wxyz: Array  # (N, 4) base to world
    base_lin_vel: Array  # (N, 3) [m/s] in the base frame
    base_ang_vel: Array  # (N, 3) [rad/s] in the base frame
    gravity: Array  # (N, 3) unit vector, in the base frame
    joint_pos: Array  # (N, n) [rad]
    joint_vel: Array  # (N, n) [rad/s]
    joint_acc: Array  # (N, n) [rad/s^2], mean over the control step
    torque: Array  # (N, n) [N m], at the last physics step
    demand: Array  # (N, n) largest torque asked for at a robot cycle of this step, as a share of the peak torque
    foot_contact: Bools  # (N, f)
    foot_height: Array  # (N, f) [m] of the foot's lowest point over the ground
    foot_vel: Array  # (N, f, 3) [m/s] in the world
    bad_contact: Array  # (N,) number of trunk, thigh and calf contacts with the ground
    scan: Array  # (N, points) [m], the ground around the robot, over the mean ground under the trunk


@dataclass(frozen=True)
class Gait:
    """Memory between control steps that the rewards read."""

    command: Array  # (N, 3) vx, vy [m/s], wz [rad/s]
    moving: Bools  # (N,) the command is not zero
    action: Array  # (N, n) clipped, newest
    action_1: Array  # (N, n) one step before
    action_2: Array  # (N, n) two steps before
    target: Array  # (N, n) [rad]
    swing: Array  # (N, f) [s] in the air until this step, 0 on the ground
    landed: Bools  # (N, f) on the ground again since this step
    error: Array  # (N, 3) what was followed too fast, as a running mean: vx, vy [m/s], wz [rad/s]


def rotate_inverse(quat_wxyz: Array, vector: Array) -> Array:
    """Return world vectors in the base frame.

    Args:
        quat_wxyz: (N, 4), base to world.
        vector: (N, 3), in the world.
    """
    axis = -quat_wxyz[:, 1:]
    twice = 2.0 * np.cross(axis, vector)
    return np.asarray(vector + quat_wxyz[:, :1] * twice + np.cross(axis, twice))


def heading(quat_wxyz: Array) -> Array:
    """Return the yaw [rad] (N,) of attitudes (N, 4)."""
    w, x, y, z = quat_wxyz.T
    return np.asarray(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def gravity_in_base(quat_wxyz: Array) -> Array:
    """Return the unit vector of gravity in the base frame, (N, 3), from (N, 4)."""
    w, x, y, z = quat_wxyz.T
    return np.stack([2 * (w * y - x * z), -2 * (w * x + y * z), 2 * (x * x + y * y) - 1], axis=1)
