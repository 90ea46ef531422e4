"""What an episode comes to: numbers that grow cycle by cycle, from the records and the simulator's ground truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from robot_policies.types import Mode, RobotRecord
from sim2real.evaluation.course import Course, Crossing
from sim2real.evaluation.gait import Gait
from sim2real.evaluation.judge import Tracking, Velocity
from sim2real.evaluation.verdict import SECOND, Verdict
from sim2real.mujoco.lane import Lane
from sim2real.mujoco.robot import GroundTruth


class Metrics:
    """A subscriber of robot records. Everything counts from activation on; velocities from the settling time after it.

    Attributes:
        modes: each mode with the time at which it was entered [s of the robot's clock].
        trips: the time, name and detail of each trip.
        active_ns: stamp of the first active cycle, None before.
        stamp_ns: stamp of the newest cycle, 0 before the first.
    """

    def __init__(
        self,
        course: Course,
        command: Velocity,
        truth: Callable[[], GroundTruth],
        thighs: Collection[str],
        lane: Lane | None = None,
    ) -> None:
        """Start with nothing seen.

        Args:
            course: its rules.
            command: velocity in the base frame: x [m/s], y [m/s], yaw [rad/s].
            truth: gives the true state at the end of the cycle that is being recorded.
            thighs: names of the bodies that the course may let touch the ground.
            lane: where the robot walks, for a course that is to be crossed.
        """
        self._course, self._truth = course, truth
        self.modes: list[tuple[float, str]] = []
        self.trips: list[tuple[float, str, str]] = []
        self.active_ns: int | None = None
        self.stamp_ns = 0
        self._seen: tuple[object, ...] = ()  # the trips of the last record
        self._gait, self._tracking = Gait(), Tracking(command)
        self._verdict = Verdict(course, lane, thighs)
        self._start = self._position = np.zeros(3)

    def __call__(self, record: RobotRecord) -> None:
        """Add one robot cycle."""
        stamp_ns = record.state.stamp_ns
        self._note(record, stamp_ns / SECOND)
        if self.active_ns is not None:
            self._follow(record, self._truth(), (stamp_ns - self.stamp_ns) / SECOND)
        elif record.mode is Mode.ACTIVE:
            self.active_ns = stamp_ns
            self._start = self._position = self._truth().position
        self.stamp_ns = stamp_ns

    @property
    def active_s(self) -> float:
        """Time since activation [s]; 0 before."""
        return 0.0 if self.active_ns is None else (self.stamp_ns - self.active_ns) / SECOND

    @property
    def over(self) -> bool:
        """Whether nothing more can change the outcome."""
        return bool(self.trips) or self._verdict.over

    @property
    def fell_s(self) -> float | None:
        """Time at which the robot fell [s of the robot's clock], None if it did not."""
        fell_ns = self._verdict.fell_ns
        return None if fell_ns is None else fell_ns / SECOND

    def failures(self) -> tuple[str, ...]:
        """Return why the episode is no success; nothing if it is one."""
        found = [f"{name} trip at {at:.2f} s: {detail}" for at, name, detail in self.trips]
        if self.active_ns is None:
            return (*found, "never active")
        if self.fell_s is not None:
            found.insert(0, f"fell at {self.fell_s:.2f} s")
        if self._verdict.walk is not None:
            return (*found, *self._verdict.failures())
        if not self._tracking.judged:
            return (*found, f"not active for {self._course.settle:g} s")
        rule = self._course.success
        return tuple(found) if isinstance(rule, Crossing) else (*found, *self._tracking.failures(rule))

    def numbers(self) -> dict[str, float]:
        """Return the metrics by name; docs/evaluation.md explains them. Velocities are 0 before they are judged."""
        away = self._position - self._start
        return {
            "active_s": self.active_s,
            "distance_m": math.hypot(away[0], away[1]),
            **self._tracking.numbers(),
            **({} if self._verdict.walk is None else self._verdict.walk.numbers()),
            "tilt_max_rad": self._verdict.tilt,
            **self._gait.numbers(),
        }

    def _note(self, record: RobotRecord, now_s: float) -> None:
        if not self.modes or self.modes[-1][1] != record.mode.value:
            self.modes.append((now_s, record.mode.value))
        if record.trips is not self._seen:
            new = [trip for trip in record.trips if trip not in self._seen]
            self.trips += [(trip.stamp_ns / SECOND, trip.name, trip.detail) for trip in new]
            self._seen = record.trips

    def _follow(self, record: RobotRecord, truth: GroundTruth, dt: float) -> None:
        self._gait.add(record, float(truth.position[2]), dt)
        self._position = truth.position
        active_ns = record.state.stamp_ns - (self.active_ns or 0)
        if active_ns < self._course.settle * SECOND:
            self._tracking.wait(truth)
        else:
            self._tracking.add(truth)
        self._verdict.add(truth, record.state.stamp_ns, active_ns)
