"""Rewards of parkour: the way along the lane, and what a robot's feet should keep off; the others are shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from robot_policies.types import Array
from sim2real.training import rewards
from sim2real.training.motion import Bools, Gait, Motion
from sim2real.training.rewards import Body
from sim2real.training.task import Task

_STILL = 0.2  # [m/s], where a robot that should stand gets 1 / e of what standing gives


@dataclass(frozen=True)
class Goal:
    """Where each robot should go."""

    speed: Array  # (N,) [m/s], of the base along the horizontal direction to its goal
    asked: Array  # (N,) [m/s]
    yaw_error: Array  # (N,) [rad], from the heading to the direction of the goal
    off_path: Array  # (N,) [m], horizontal distance from the path
    on_edge: Bools  # (N, f) feet that stand on an edge
    torque_before: Array  # (N, n) [N m], one control step ago


def goal_vel(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Speed along the direction to the goal as a share of the command, at most 1 (Extreme Parkour); or standing."""
    asked = goal.asked > 0.0
    share = np.minimum(goal.speed, goal.asked) / np.where(asked, goal.asked, 1.0)
    still = np.exp(-np.square(motion.base_lin_vel[:, :2]).sum(axis=1) / _STILL**2)
    return np.asarray(np.where(asked, share, still))


def goal_yaw(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Heading towards the goal, 0 to 1 (Extreme Parkour)."""
    return np.asarray(np.exp(-np.abs(goal.yaw_error)))


def off_path(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Distance from the path [m]."""
    return goal.off_path


def roll(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Squared sine of the sideways tilt; pitch is what climbing needs."""
    return np.asarray(np.square(motion.gravity[:, 1]))


def feet_edge(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Feet that stand on an edge (Extreme Parkour)."""
    return np.asarray((goal.on_edge & motion.foot_contact).sum(axis=1, dtype=float))


def torque_rate(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Squared change of the torques over a control step."""
    return np.asarray(np.square(motion.torque - goal.torque_before).sum(axis=1))


def hips_off(motion: Motion, gait: Gait, goal: Goal) -> Array:
    """Distance of the hips' targets from zero offset, in action units."""
    return np.asarray(np.abs(gait.action[:, ::3]).sum(axis=1))


TERMS: Mapping[str, Callable[[Motion, Gait, Goal], Array]] = MappingProxyType(
    {term.__name__: term for term in (goal_vel, goal_yaw, off_path, roll, feet_edge, torque_rate, hips_off)}
)


def total(motion: Motion, gait: Gait, goal: Goal, task: Task, body: Body, cut: bool) -> tuple[Array, dict[str, float]]:
    """Return the reward of one control step (N,) and the mean of each weighted term per second.

    Args:
        motion: newest state.
        gait: memory.
        goal: where the robots should go.
        task: holds the weights, of terms of this module and of ``rewards``.
        body: the robot's constants.
        cut: whether the sum is cut at zero, so that a beginner does not gain by ending its episode.
    """
    summed = np.zeros(len(motion.height))
    means: dict[str, float] = {}
    for name, weight in task.rewards.items():
        own = TERMS.get(name)
        value = own(motion, gait, goal) if own else rewards.TERMS[name](motion, gait, task, body)
        summed += weight * value
        means[name] = float(weight * value.mean())
    return (np.maximum(summed, 0.0) if cut else summed) * task.control_dt, means
