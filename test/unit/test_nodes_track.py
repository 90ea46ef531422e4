"""The way of a robot and its mean speed, of the poses that a simulator tells."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy")

from nav_msgs.msg import Odometry

from robot_policies.nodes.conversions import NS, odometry
from robot_policies.nodes.track import Track
from robot_policies.types import owned


def pose(stamp_ns: int, x: float, y: float, velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Odometry:
    message = Odometry()
    twist = (owned([velocity[0], velocity[1], 9.0]), owned([9.0, 9.0, velocity[2]]))
    odometry(message, stamp_ns, (owned([x, y, 0.3]), owned([1, 0, 0, 0])), twist)
    return message


def test_a_track_without_poses_or_before_its_beginning_says_nothing() -> None:
    track = Track()
    track.add(pose(NS, 1.0, 1.0))
    assert track.distance() is None and track.mean_velocity() is None
    track.begin(NS)
    assert track.distance() is None and track.mean_velocity() is None


def test_distance_is_straight_from_the_beginning_and_speed_is_measured_from_2_s_on() -> None:
    track = Track()
    track.add(pose(0, 100.0, 100.0))
    track.begin(10 * NS)
    track.add(pose(10 * NS, 1.0, 2.0, (9.0, 9.0, 9.0)))
    track.add(pose(12 * NS - 1, 2.0, 2.0, (9.0, 9.0, 9.0)))
    assert track.mean_velocity() is None
    track.add(pose(12 * NS, 3.0, 2.0, (0.5, 0.1, -0.2)))
    track.add(pose(13 * NS, 4.0, 6.0, (0.7, 0.3, -0.4)))
    assert track.distance() == pytest.approx(5.0)
    assert track.mean_velocity() == pytest.approx((0.6, 0.2, -0.3))
    track.begin(20 * NS)  # once more
    assert track.distance() is None and track.mean_velocity() is None
