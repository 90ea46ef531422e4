"""Following a list of points on the ground: where the robot is, by what ``odom`` says, and the velocity to ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from typing_extensions import Annotated

from robot_policies.exceptions import InputError, expected
from robot_policies.policies.heading import wrapped
from robot_policies.schema import load, schema

Point = tuple[float, float]  # x, y [m] in the odom frame
MOST = 1000  # points of a path
TURN_GAIN, TURN_RATE = 1.5, 0.8  # [1/s], [rad/s]: within what walking policies here take
LONGEST_GAP = 0.2  # [s] between two stamps of odom over which a velocity is taken to be constant


@schema
class Waypoints:
    """A file of waypoints."""

    points: tuple[Point, ...]  # [m] in the odom frame
    speed: Annotated[float, Field(gt=0, le=3)] = 0.5  # [m/s]
    reached: Annotated[float, Field(gt=0, le=5)] = 0.3  # [m] from a point that counts as there


def load_waypoints(path: str | Path) -> Waypoints:
    """Return the waypoints of a file.

    Raises:
        SchemaError: the file cannot be read, or is not of that form.
        InputError: the points make no path.
    """
    waypoints = load(Waypoints, Path(path))
    check_points(waypoints.points)
    return waypoints


def check_points(points: Sequence[Point]) -> None:
    """Accept ``points`` as a path. Raises ``InputError``."""
    if not 1 <= len(points) <= MOST:
        raise InputError(expected("path: its points", len(points) or "none", f"1 to {MOST}"))
    for place, point in enumerate(points):
        if not all(math.isfinite(value) for value in point):
            raise InputError(expected(f"path: point {place}", point, "finite x, y [m]"))


class DeadReckoning:
    """Adds up the velocity that ``odom`` estimates, from (0, 0) on: for an ``odom`` whose position nobody estimates."""

    def __init__(self) -> None:
        """Start at the origin."""
        self.position: Point = (0.0, 0.0)
        self._stamp_ns: int | None = None

    def __call__(self, stamp_ns: int, yaw: float, lin_vel: Point) -> Point:
        """Return the position [m] at ``stamp_ns``.

        Args:
            stamp_ns: of this odom.
            yaw: of the base [rad].
            lin_vel: x, y [m/s] in the base frame.

        Raises:
            InputError: stamps that do not go on, or a gap in which nobody knows where the robot went.
        """
        if self._stamp_ns is not None:
            gap = (stamp_ns - self._stamp_ns) * 1e-9
            if not 0.0 < gap <= LONGEST_GAP:
                raise InputError(expected("odom: stamps that follow each other", f"{gap:.3f} s", f"0 to {LONGEST_GAP}"))
            (x, y), (forward, left) = self.position, lin_vel
            cos, sin = math.cos(yaw), math.sin(yaw)
            self.position = (x + (cos * forward - sin * left) * gap, y + (sin * forward + cos * left) * gap)
        self._stamp_ns = stamp_ns
        return self.position


class WaypointFollower:
    """Turns towards the next point and goes there: the slower, the more it has to turn, so that it circles none."""

    def __init__(self, points: Sequence[Point], speed: float, reached: float) -> None:
        """Take a path. Raises ``InputError`` where it is none."""
        check_points(points)
        self.points = tuple(points)
        self._speed, self._reached = speed, reached
        self.next = 0  # place of the point that it goes to; the number of points at the end

    @property
    def done(self) -> bool:
        """Whether the last point was reached."""
        return self.next == len(self.points)

    def __call__(self, position: Point, yaw: float) -> tuple[float, float]:
        """Return forward velocity [m/s] and yaw rate [rad/s] to ask for; both 0 at the end.

        Args:
            position: of the base [m].
            yaw: of the base [rad].
        """
        while not self.done and math.dist(position, self.points[self.next]) <= self._reached:
            self.next += 1
        if self.done:
            return 0.0, 0.0
        x, y = self.points[self.next]
        error = wrapped(math.atan2(y - position[1], x - position[0]) - yaw)
        turn = max(-TURN_RATE, min(TURN_RATE, TURN_GAIN * error))
        return self._speed * max(math.cos(error), 0.0), turn
