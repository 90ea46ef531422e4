"""The path that each robot should follow along its lane: the middle line, or a slow curve around it."""

from __future__ import annotations

import numpy as np

from robot_policies.types import Array
from sim2real.training.motion import Bools

NEAR, FAR = 1.2, 2.4  # [m] ahead of the robot, where its two goals are
_STRAIGHT = 0.5  # share of the robots that follow the middle line
_SWING = 0.5  # [m], the most that a path leaves the middle
_WAVE = (5.0, 10.0)  # [m], length of one swing to both sides


class Paths:
    """y = swing * sin(2 pi x / wave + phase), per robot."""

    def __init__(self, robots: int, rng: np.random.Generator) -> None:
        """Begin with middle lines."""
        self._rng = rng
        self._swing, self._wave, self._phase = np.zeros(robots), np.ones(robots), np.zeros(robots)

    def draw(self, rows: Bools) -> None:
        """Draw new paths for ``rows``."""
        count = int(rows.sum())
        curved = self._rng.random(count) >= _STRAIGHT
        self._swing[rows] = self._rng.uniform(0.0, _SWING, count) * curved
        self._wave[rows] = self._rng.uniform(*_WAVE, count)
        self._phase[rows] = self._rng.uniform(-np.pi, np.pi, count)

    def straighten(self, rows: Bools) -> None:
        """Make the paths of ``rows`` the middle line."""
        self._swing[rows] = 0.0

    def left(self, x: Array) -> Array:
        """Return y [m] of the paths at x (N,) [m]."""
        return np.asarray(self._swing * np.sin(2.0 * np.pi * x / self._wave + self._phase))

    def distance(self, xy: Array) -> Array:
        """Return how far robots at (N, 2) are from their paths, sideways [m]."""
        return np.asarray(np.abs(xy[:, 1] - self.left(xy[:, 0])))

    def directions(self, xy: Array) -> Array:
        """Return the directions [rad] from (N, 2) to the near and the far goal, (N, 2)."""
        ahead = [np.arctan2(self.left(xy[:, 0] + reach) - xy[:, 1], reach) for reach in (NEAR, FAR)]
        return np.stack(ahead, axis=1)


def wrap(angle: Array) -> Array:
    """Return ``angle`` between -pi and pi [rad]."""
    return np.asarray((angle + np.pi) % (2.0 * np.pi) - np.pi)
