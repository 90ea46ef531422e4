"""Reward terms: pure functions of what is seen, one row per robot; the task holds their weights.

Most are the terms that legged_gym and its successors share; each returns (N,) and is weighted per second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from robot_policies.types import Array
from sim2real.training.motion import Gait, Motion
from sim2real.training.task import Task


@dataclass(frozen=True)
class Body:
    """Constants of the robot that the terms need, joints in robot order."""

    default_joint_pos: Array  # (n,) [rad]
    joint_lower: Array  # (n,) [rad]
    joint_upper: Array  # (n,) [rad]
    hips: Array  # (n,) 1 where the joint is a hip
    diagonals: tuple[tuple[int, int], tuple[int, int]]  # feet that swing together in a trot


Term = Callable[[Motion, Gait, Task, Body], Array]

LIN_VARIANCE = 0.08  # [m^2/s^2]; 0.16 m/s off (20 % of 0.8) costs 27 % of the reward
ANG_VARIANCE = 0.15  # [rad^2/s^2]
MEAN_LIN_VARIANCE = 0.006  # [m^2/s^2], of the running mean, which has no sway of the gait in it
MEAN_ANG_VARIANCE = 0.02  # [rad^2/s^2]
SLOW = 0.3  # [m/s], below which a command is not followed any more exactly in proportion
TORQUE_SHARE = 0.8  # of the limit, where the penalty starts
LIMIT_MARGIN = 0.05  # [rad] inside the joint limits, where the penalty on targets starts


def _square(values: Array) -> Array:
    return np.asarray(np.square(values).sum(axis=1))


def alive(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """1: keeps the sum above zero while penalties still outweigh what a beginner earns."""
    return np.ones(len(motion.height))


def track_lin_vel(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Horizontal velocity as commanded, 0 to 1."""
    error = _square(motion.base_lin_vel[:, :2] - gait.command[:, :2])
    return np.asarray(np.exp(-error / LIN_VARIANCE))


def track_mean_lin_vel(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Horizontal velocity as commanded in the mean over a few steps, 0 to 1: no steady error stays unseen."""
    return np.asarray(np.exp(-_square(gait.error[:, :2]) / MEAN_LIN_VARIANCE))


def track_mean_ang_vel(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Yaw rate as commanded in the mean over a few steps, 0 to 1."""
    return np.asarray(np.exp(-np.square(gait.error[:, 2]) / MEAN_ANG_VARIANCE))


def progress(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Velocity along the horizontal command as a share of it, -1 to 1: from a standstill a slope towards walking.

    Too fast earns as little as too slow by the same amount: with a flat top the policy learns to overshoot.
    """
    speed = np.sqrt(_square(gait.command[:, :2]))
    along = (motion.base_lin_vel[:, :2] * gait.command[:, :2]).sum(axis=1) / np.maximum(speed, 1e-6)
    short = np.abs(along - speed) / np.maximum(speed, SLOW)
    return np.asarray(np.maximum(1.0 - short, -1.0) * (speed > 0.0))


def track_ang_vel(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Yaw rate as commanded, 0 to 1."""
    error = np.square(motion.base_ang_vel[:, 2] - gait.command[:, 2])
    return np.asarray(np.exp(-error / ANG_VARIANCE))


def lin_vel_z(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared vertical velocity."""
    return np.asarray(np.square(motion.base_lin_vel[:, 2]))


def ang_vel_xy(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared roll and pitch rates."""
    return _square(motion.base_ang_vel[:, :2])


def orientation(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared sine of the tilt."""
    return _square(motion.gravity[:, :2])


def base_height(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared distance from the wanted height."""
    return np.asarray(np.square(motion.height - task.base_height))


def torque(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared torques."""
    return _square(motion.torque)


def power(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Mechanical power of all joints, gains and losses alike [W]."""
    return np.asarray(np.abs(motion.torque * motion.joint_vel).sum(axis=1))


def torque_limit(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Torque asked for beyond ``TORQUE_SHARE`` of the peak, over all joints: the safety filter must find nothing."""
    return np.asarray(np.maximum(motion.demand - TORQUE_SHARE, 0.0).sum(axis=1))


def joint_acc(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared joint accelerations."""
    return _square(motion.joint_acc)


def joint_limit(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """How far targets and joints lie outside the limits less a margin [rad], over all joints."""
    low, high = body.joint_lower + LIMIT_MARGIN, body.joint_upper - LIMIT_MARGIN
    beyond = np.zeros_like(motion.joint_pos)
    for position in (motion.joint_pos, gait.target):
        beyond += np.maximum(low - position, 0.0) + np.maximum(position - high, 0.0)
    return np.asarray(beyond.sum(axis=1))


def action_rate(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared change of the action."""
    return _square(gait.action - gait.action_1)


def action_jerk(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared change of the change of the action."""
    return _square(gait.action - 2.0 * gait.action_1 + gait.action_2)


def feet_air_time(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Swing time of the feet that land, from 0.4 to 1.2 of the wanted one [s]; less costs nothing."""
    earned = np.clip(gait.swing - 0.4 * task.air_time, 0.0, 0.8 * task.air_time)
    return np.asarray((earned * gait.landed).sum(axis=1) * gait.moving)


def feet_clearance(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared distance of moving feet from the wanted height, times their horizontal speed."""
    speed = np.linalg.norm(motion.foot_vel[:, :, :2], axis=2)
    return np.asarray((np.square(motion.foot_height - task.foot_height) * speed).sum(axis=1))


def feet_slip(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared horizontal velocity of the feet on the ground."""
    speed = np.square(motion.foot_vel[:, :, :2]).sum(axis=2)
    return np.asarray((speed * motion.foot_contact).sum(axis=1))


def trot(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """1 while each diagonal pair is alike and the two pairs differ, and the command is not zero; 0 otherwise."""
    (a, b), (c, d) = body.diagonals
    contact = motion.foot_contact
    alike = (contact[:, a] == contact[:, b]) & (contact[:, c] == contact[:, d])
    return np.asarray((alike & (contact[:, a] != contact[:, c]) & gait.moving).astype(float))


def contact(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Contacts of anything but feet."""
    return motion.bad_contact


def hip(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared distance of the hips from the default pose."""
    return _square((motion.joint_pos - body.default_joint_pos) * body.hips)


def pose(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """Squared distance of all joints from the default pose."""
    return _square(motion.joint_pos - body.default_joint_pos)


def stand_still(motion: Motion, gait: Gait, task: Task, body: Body) -> Array:
    """At zero command: distance from the default pose [rad], motion of the joints, and feet in the air."""
    away = np.abs(motion.joint_pos - body.default_joint_pos).sum(axis=1)
    moves = 0.05 * np.abs(motion.joint_vel).sum(axis=1)
    lifted = (~motion.foot_contact).sum(axis=1)
    return np.asarray((away + moves + lifted) * ~gait.moving)


TERMS: Mapping[str, Term] = MappingProxyType(
    {
        term.__name__: term
        for term in (
            alive, progress, track_lin_vel, track_ang_vel, track_mean_lin_vel, track_mean_ang_vel, lin_vel_z,
            ang_vel_xy, orientation, base_height, torque, power, torque_limit, joint_acc, joint_limit, action_rate,
            action_jerk, feet_air_time, feet_clearance, feet_slip, trot, contact, hip, pose, stand_still,
        )
    }
)  # fmt: skip


def total(motion: Motion, gait: Gait, task: Task, body: Body) -> tuple[Array, dict[str, float]]:
    """Return the reward of one control step and the mean of each weighted term.

    The sum is cut at zero, as in legged_gym: early on, a robot must not gain by ending its episode.

    Returns:
        (N,) reward of this step, and per term its mean per second.
    """
    summed = np.zeros(len(motion.height))
    means: dict[str, float] = {}
    for name, weight in task.rewards.items():
        weighted = weight * TERMS[name](motion, gait, task, body)
        summed += weighted
        means[name] = float(weighted.mean())
    return np.maximum(summed, 0.0) * task.control_dt, means
