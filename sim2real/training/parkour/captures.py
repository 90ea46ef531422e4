"""When the cameras of training capture, and how old the frames are that come out of them.

Each camera captures on a grid of its own: it runs at its rate from a drawn moment on, and what it captures is the first
control step at or after each instant of its grid, as ``camera_timing.CaptureClock`` has it. A frame comes out after the
robot's delay. Who looks is given the newest frame that is out; until the first one after a restart is, that of the
restart. Only poses are kept, a few numbers a step: a frame that nobody looks at is never rendered.
"""

from __future__ import annotations

import numpy as np

from robot_policies.exceptions import InputError, expected
from robot_policies.types import Array
from sim2real.mujoco.camera_timing import NS
from sim2real.training.grounds import Index
from sim2real.training.motion import Bools


class Captures:
    """The last poses of all robots, and which of them each robot's camera shows now."""

    def __init__(self, robots: int, width: int, control_dt: float, rate: float, longest: float) -> None:
        """Keep as many steps as the longest delay needs.

        Args:
            robots: N.
            width: numbers in a pose.
            control_dt: [s].
            rate: [Hz] of the cameras.
            longest: [s], the longest delay.

        Raises:
            InputError: a time that is none.
        """
        if not (control_dt > 0.0 and rate > 0.0 and 0.0 <= longest < 60.0):
            found = f"{control_dt} s, {rate} Hz, {longest} s"
            raise InputError(expected("captures: control period, camera's rate, delay", found, "above 0; 0 to 60 s"))
        self._step, self._period, self._longest = round(control_dt * NS), round(NS / rate), round(longest * NS)
        steps = -(-self._longest // self._step) - (-self._period // self._step) + 1
        self._kept = np.zeros((steps, robots, width))
        self._newest = 0  # row of ``_kept``
        self._age = np.zeros(robots, np.int64)  # [control steps] since the restart
        self._delay = np.zeros(robots, np.int64)  # [ns]
        self._phase = np.zeros(robots, np.int64)  # [ns] of the camera's grid at the restart

    def restart(self, rows: Bools, delay: Array, rng: np.random.Generator) -> None:
        """Give ``rows`` a delay (count,) [s] and a phase; their next pose is the first.

        Raises:
            InputError: a delay that is longer than was said, or negative.
        """
        nanoseconds = np.round(delay * NS).astype(np.int64)
        if not ((nanoseconds >= 0) & (nanoseconds <= self._longest)).all():
            valid = f"0 to {self._longest / NS:g} s"
            raise InputError(expected("captures: delays", f"{delay.min()} to {delay.max()} s", valid))
        self._delay[rows] = nanoseconds
        self._phase[rows] = rng.integers(0, self._period, len(nanoseconds))
        self._age[rows] = -1

    def push(self, poses: Array) -> None:
        """Take the poses (N, width) of a new control step."""
        self._age += 1
        self._newest = (self._newest + 1) % len(self._kept)
        self._kept[self._newest] = poses

    def ages(self, rows: Bools) -> Index:
        """Return how many control steps ago the frames were captured that ``rows`` look at, (count,)."""
        age, phase = self._age[rows], self._phase[rows]
        newest = age + -self._delay[rows] // self._step  # the last step that is old enough; rounded away from now
        instant = (newest * self._step + phase) // self._period * self._period - phase  # [ns] since the restart
        captured = np.maximum(0, -(-instant // self._step))  # before the restart nothing was
        return np.asarray(age - captured)

    def look(self, rows: Bools) -> Array:
        """Return the poses (count, width) that ``rows`` look at."""
        return np.asarray(self._kept[(self._newest - self.ages(rows)) % len(self._kept), np.flatnonzero(rows)])
