"""Success, defined once: does the robot follow its command, or does it cross its lane."""

from __future__ import annotations

import math

import numpy as np

from sim2real.evaluation.course import Crossing, Following
from sim2real.mujoco.lane import Lane
from sim2real.mujoco.robot import GroundTruth

AXES = ("lin_vel_x", "lin_vel_y", "ang_vel_z")
Velocity = tuple[float, float, float]  # x [m/s], y [m/s], yaw [rad/s] in the base frame


class Tracking:
    """The body's velocity against the command; every course has its numbers."""

    def __init__(self, command: Velocity) -> None:
        """Start with nothing seen."""
        self._command = command
        self.judged = 0  # cycles
        self._settled = np.zeros(3)
        self._drift = 0.0
        self._sum, self._squares, self._absolute = [0.0] * 3, [0.0] * 3, [0.0] * 3

    def wait(self, truth: GroundTruth) -> None:
        """Take a cycle before the settling time is over: where the robot is counts as its place."""
        self._settled = truth.position

    def add(self, truth: GroundTruth) -> None:
        """Take a cycle after the settling time."""
        # plain floats: for three numbers they are several times as fast as arrays
        x, y, _ = truth.base_lin_vel.tolist()
        self.judged += 1
        for axis, value in enumerate((x, y, float(truth.base_ang_vel[2]))):
            error = value - self._command[axis]
            self._sum[axis] += value
            self._squares[axis] += error * error
            self._absolute[axis] += abs(error)
        away = (truth.position - self._settled).tolist()
        self._drift = max(self._drift, math.hypot(away[0], away[1]))

    def failures(self, rule: Following) -> list[str]:
        """Say on which commanded axes the mean velocity is off, or how far a robot told to stand has wandered."""
        mean = [total / self.judged for total in self._sum]
        if not any(self._command):
            wandered = f"wandered {self._drift:.2f} m at zero command; limit {rule.drift:g} m"
            return [] if self._drift <= rule.drift else [wandered]
        return [
            f"{axis} {is_:.2f} for a command of {asked:g}; limit {100 * rule.velocity_tolerance:g} %"
            for axis, is_, asked in zip(AXES, mean, self._command, strict=True)
            if asked and not abs(is_ - asked) <= rule.velocity_tolerance * abs(asked)
        ]

    def numbers(self) -> dict[str, float]:
        """Return the means by name; 0 before the settling time is over."""
        judged = max(1, self.judged)
        mean = [total / judged for total in self._sum]
        squares = {f"{axis}_error": math.sqrt(total / judged) for axis, total in zip(AXES, self._squares, strict=True)}
        absolute = {f"{axis}_abs_error": total / judged for axis, total in zip(AXES, self._absolute, strict=True)}
        return {
            "speed_mps": mean[0],
            "lin_vel_y": mean[1],
            "ang_vel_z": mean[2],
            **squares,
            **absolute,
            "drift_m": self._drift,
        }


class LaneWalk:
    """How far along its lane the robot has come.

    Attributes:
        over: whether the base is past the goal, or has left the lane.
    """

    def __init__(self, rule: Crossing, lane: Lane) -> None:
        """Start with nothing seen; ``lane`` is where the robot walks."""
        self.goal, self._lane = lane.last_edge + rule.beyond, lane
        self.over = False
        self._upright = rule.upright
        self._farthest, self._y = -math.inf, 0.0
        self._crossed_s: float | None = None

    def add(self, truth: GroundTruth, active_s: float, tilt: float = 0.0) -> None:
        """Take a cycle, ``active_s`` after activation, with the base tilted by ``tilt`` [rad]."""
        x, self._y = truth.position[:2].tolist()
        self._farthest = max(self._farthest, x)
        if x >= self.goal and self._crossed_s is None and tilt <= self._upright and not self._astray():
            self._crossed_s = active_s
        self.over = self._crossed_s is not None or self._astray()

    def failures(self) -> list[str]:
        """Say why the robot has not crossed, if it has not."""
        if self._crossed_s is not None:
            return []
        if self._astray():
            return [f"left the lane at x {self._farthest:.2f} m: y {self._y:.2f} m; limit {self._lane.width / 2:g} m"]
        return [f"came to x {self._farthest:.2f} m in its time; the goal is at {self.goal:.2f} m"]

    def numbers(self) -> dict[str, float]:
        """Return the share of the way to the goal, and the time that it took (0 where it was not reached)."""
        way = max(0.0, min(1.0, self._farthest / self.goal))
        return {"progress": way, "crossed_s": self._crossed_s or 0.0}

    def _astray(self) -> bool:
        return abs(self._y) > self._lane.width / 2
