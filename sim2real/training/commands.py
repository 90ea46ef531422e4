"""Draws of velocity commands."""

from __future__ import annotations

import numpy as np

from robot_policies.types import Array
from sim2real.training.task import CommandRanges

_SLOWEST = 0.2  # [m/s] of the commands that only go forward


def draw_commands(ranges: CommandRanges, count: int, rng: np.random.Generator) -> Array:
    """Return ``count`` commands: vx, vy [m/s], wz [rad/s], as (count, 3).

    A share of them stands, a share only goes forward, the rest is uniform; small axes are set to zero.
    """
    low, high = np.array([ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z]).T
    commands = rng.uniform(low, high, (count, 3))
    kind = rng.random(count)
    straight = kind < ranges.forward
    commands[straight, 1:] = 0.0
    fastest = ranges.lin_vel_x[1]
    commands[straight, 0] = rng.uniform(min(_SLOWEST, fastest), fastest, int(straight.sum()))
    commands[kind > 1.0 - ranges.standing] = 0.0
    commands[np.abs(commands) < ranges.dead_band] = 0.0
    return np.asarray(commands)
