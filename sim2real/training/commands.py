"""Draws of velocity commands, and how their ranges grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot_policies.types import Array
from sim2real.training.task import CommandRanges

_SLOWEST = 0.2  # [m/s] of the commands that only go forward
_FOLLOWED = 0.6  # mean of the tracking reward (0 to 1), above which the ranges grow
_GROWTH = 5e-4  # of the ranges per control step: from 0.4 to 1 in 50 iterations of 24 steps at the fastest
_SMOOTHING = 0.01  # per control step


class CommandCurriculum:
    """Slow commands first: the ranges grow while the robots follow them."""

    def __init__(self, ranges: CommandRanges) -> None:
        """Start at the share of the ranges that they name."""
        self._ranges, self.scale, self._followed = ranges, ranges.start, 0.0

    @property
    def ranges(self) -> CommandRanges:
        """The ranges now."""
        return scaled(self._ranges, self.scale)

    def update(self, followed: float) -> None:
        """Take the mean of the tracking reward, 0 to 1, of one control step."""
        self._followed += _SMOOTHING * (followed - self._followed)
        if self._followed > _FOLLOWED:
            self.scale = min(1.0, self.scale + _GROWTH)


def scaled(ranges: CommandRanges, scale: float) -> CommandRanges:
    """Return the ranges with every axis times ``scale``."""

    def times(limits: tuple[float, float]) -> tuple[float, float]:
        return scale * limits[0], scale * limits[1]

    return replace(
        ranges,
        lin_vel_x=times(ranges.lin_vel_x),
        lin_vel_y=times(ranges.lin_vel_y),
        ang_vel_z=times(ranges.ang_vel_z),
    )


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
