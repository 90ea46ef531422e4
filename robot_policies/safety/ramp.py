"""Bounded ways from one pose, or one set of gains, to the next. Pure functions of time."""

from __future__ import annotations

import numpy as np

from robot_policies.safety.limits import SECOND
from robot_policies.types import Array, owned

PEAK = 1.5  # fastest slope of 3 x^2 - 2 x^3 over its mean slope


class PoseRamp:
    """From ``start`` to ``goal`` along a smooth step, so that no joint is ever faster than ``speed``."""

    def __init__(self, start: Array, goal: Array, start_ns: int, speed: float, min_ns: int) -> None:
        """Set the way: poses (n,) [rad], speed [rad/s] at the fastest moment of the fastest joint, times [ns]."""
        self.goal = goal
        self._start, self._way, self._start_ns = start, goal - start, start_ns
        distance = float(np.abs(self._way).max())
        self._ns = max(min_ns, round(PEAK * distance / speed * SECOND), 1)
        self.end_ns = start_ns + self._ns

    def at(self, now_ns: int) -> Array:
        """Return the target at ``now_ns``, (n,) [rad]; the goal from ``end_ns`` on."""
        x = (now_ns - self._start_ns) / self._ns
        if x >= 1.0:
            return self.goal
        x = max(x, 0.0)
        return owned(self._start + self._way * (x * x * (3.0 - 2.0 * x)))


class GainRamp:
    """From one set of gains to another, linearly in time."""

    def __init__(self, start: tuple[Array, Array], goal: tuple[Array, Array], start_ns: int, ramp_ns: int) -> None:
        """Set the way: (stiffness, damping), each (n,), times [ns]."""
        self.goal = goal
        self._start, self._start_ns, self._ns = start, start_ns, ramp_ns

    def at(self, now_ns: int) -> tuple[Array, Array]:
        """Return stiffness and damping at ``now_ns``, each (n,)."""
        since = now_ns - self._start_ns
        if since >= self._ns:
            return self.goal
        x = since / self._ns if since > 0 else 0.0
        return owned(self._mix(0, x)), owned(self._mix(1, x))

    def _mix(self, i: int, x: float) -> Array:
        return self._start[i] + (self.goal[i] - self._start[i]) * x
