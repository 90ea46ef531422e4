"""Sources of ``cmd_vel`` that hear each other."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist, TwistStamped
from helpers.node_process import Probe, free_domain

from robot_policies.nodes.runtime import RELIABLE
from robot_policies.nodes.velocity_ranges import Velocity
from robot_policies.nodes.velocity_source import VelocitySource

FORWARD = Velocity(0.5, -0.1, 0.2)


@pytest.fixture
def probe() -> Iterator[Probe]:
    with Probe(free_domain()) as probe:
        yield probe


@pytest.mark.parametrize("stamped", [True, False])
def test_a_source_knows_its_own_commands_from_those_of_others(probe: Probe, stamped: bool) -> None:
    source = VelocitySource(probe.node, stamped)
    other = probe.node.create_publisher(TwistStamped if stamped else Twist, "cmd_vel", RELIABLE)
    for k in range(20):
        source.publish(FORWARD, 1_000_000_000 + k)
        probe.spin(0.02)
    assert source.newest is not None
    assert source.newest[1] == FORWARD
    assert source.other_at == -math.inf
    began = time.monotonic()
    message = TwistStamped() if stamped else Twist()
    getattr(message, "twist", message).linear.x = 0.7
    other.publish(message)
    assert probe.until(lambda: source.other_at > began, 5.0)
    assert source.newest[1] == Velocity(0.7, 0.0, 0.0)


def test_two_sources_hear_each_other(probe: Probe) -> None:
    one, two = VelocitySource(probe.node), VelocitySource(probe.node)
    one.publish(FORWARD, 5)
    assert probe.until(lambda: two.other_at > -math.inf, 5.0)
    probe.spin(0.2)
    assert one.other_at == -math.inf


def test_the_message_carries_velocity_stamp_and_frame(probe: Probe) -> None:
    heard = probe.hear(TwistStamped, "cmd_vel")
    VelocitySource(probe.node, frame="r1/base").publish(FORWARD, 3_000_000_004)
    assert probe.until(lambda: heard, 5.0)
    message = heard[0][1]
    assert (message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id) == (3, 4, "r1/base")
    twist = message.twist
    assert (twist.linear.x, twist.linear.y, twist.angular.z) == FORWARD


def test_age_and_rate(probe: Probe) -> None:
    now = 100.0
    source = VelocitySource(probe.node, clock=lambda: now)
    assert (source.age(0), source.rate()) == (None, None)
    message = TwistStamped()
    for k in range(10):
        now = 100.0 + 0.05 * k
        message.header.stamp.sec, message.header.stamp.nanosec = 7, k
        source._hear(message)
    assert source.rate() == pytest.approx(20.0)
    assert source.age(7_250_000_009) == pytest.approx(0.25), "by its stamp"
    now += 30.0
    assert source.rate() is None
    assert source.age(7_250_000_009) == pytest.approx(30.0), "one that comes no more, since it came"
