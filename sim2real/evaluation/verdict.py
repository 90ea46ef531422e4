"""Whether a robot has fallen, and whether it has crossed its lane: one judge for episodes offline and for the nodes."""

from __future__ import annotations

import math
from collections.abc import Collection

from sim2real.evaluation.course import Course, Crossing
from sim2real.evaluation.judge import LaneWalk
from sim2real.mujoco.lane import Lane
from sim2real.mujoco.robot import GroundTruth

SECOND = 1_000_000_000  # [ns]


class Verdict:
    """Takes where the robot truly is, from activation on.

    Attributes:
        fell_ns: stamp at which the robot fell, None if it did not.
        tilt: the largest yet [rad], angle between the base's z axis and up.
        walk: the way along the lane; None where the course has none.
    """

    def __init__(self, course: Course, lane: Lane | None, thighs: Collection[str] = ()) -> None:
        """Start with nothing seen.

        Args:
            course: its rules.
            lane: where the robot walks, for a course that is to be crossed.
            thighs: names of the bodies that the course may let touch the ground.
        """
        self._fall, self._thighs = course.fall, frozenset(thighs)
        self.fell_ns: int | None = None
        self.tilt = 0.0
        rule = course.success
        self.walk = LaneWalk(rule, lane) if isinstance(rule, Crossing) and lane is not None else None

    @property
    def over(self) -> bool:
        """Whether nothing more can change the outcome."""
        return self.fell_ns is not None or (self.walk is not None and self.walk.over)

    def add(self, truth: GroundTruth, stamp_ns: int, active_ns: int) -> None:
        """Take the truth of ``stamp_ns``, ``active_ns`` after activation."""
        _, x, y, _ = truth.quat_wxyz.tolist()
        tilt = math.acos(max(-1.0, 1.0 - 2.0 * (x * x + y * y)))
        self.tilt = max(self.tilt, tilt)
        if self.fell_ns is None and (tilt > self._fall.tilt or self._touches(truth.ground_contacts)):
            self.fell_ns = stamp_ns
        if self.walk is not None and self.fell_ns is None:
            self.walk.add(truth, active_ns / SECOND, tilt)

    def failures(self) -> list[str]:
        """Say why the lane is not crossed, if there is one and it is not."""
        return [] if self.walk is None else self.walk.failures()

    def _touches(self, down: Collection[str]) -> bool:
        """Whether a part of the robot that must not touch the ground does."""
        rules = self._fall
        return any(rules.thighs if body in self._thighs else rules.trunk for body in down)
