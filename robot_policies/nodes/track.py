"""Where a simulated robot went: distance and mean speed, from ``ground_truth/odom``."""

from __future__ import annotations

import math

from nav_msgs.msg import Odometry

from robot_policies.nodes.conversions import to_ns

SETTLE_NS = 2_000_000_000  # a mean speed counts from 2 s after activation: the start from standing is left out


class Track:
    """Takes every pose; keeps sums only."""

    def __init__(self) -> None:
        """Wait for ``begin``."""
        self._start_ns: int | None = None
        self._start: tuple[float, float] | None = None
        self._newest: tuple[float, float] = (0.0, 0.0)
        self._sum, self._count = [0.0, 0.0, 0.0], 0

    def begin(self, stamp_ns: int) -> None:
        """Measure from ``stamp_ns`` on."""
        self._start_ns, self._start = stamp_ns, None
        self._sum, self._count = [0.0, 0.0, 0.0], 0

    def add(self, message: Odometry) -> None:
        """Take one pose with its twist in the body frame."""
        if self._start_ns is None:
            return
        position, twist = message.pose.pose.position, message.twist.twist
        self._newest = (position.x, position.y)
        if self._start is None:
            self._start = self._newest
        if to_ns(message.header.stamp) >= self._start_ns + SETTLE_NS:
            for i, value in enumerate((twist.linear.x, twist.linear.y, twist.angular.z)):
                self._sum[i] += value
            self._count += 1

    def distance(self) -> float | None:
        """Return the straight horizontal distance from where the measurement began [m]; None without ground truth."""
        return None if self._start is None else math.dist(self._start, self._newest)

    def mean_velocity(self) -> tuple[float, float, float] | None:
        """Return the mean body velocity, x, y [m/s] and yaw rate [rad/s], from 2 s after the start."""
        if self._count == 0:
            return None
        return (self._sum[0] / self._count, self._sum[1] / self._count, self._sum[2] / self._count)
