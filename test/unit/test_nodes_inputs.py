"""What a policy node takes in: velocities and images by their stamp, and what it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist, TwistStamped
from helpers.node_topics import PARTS, START, Topics
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo, Image

from robot_policies.nodes import policy_inputs, state_assembler
from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.policy_inputs import AHEAD_NS, Inbox, PolicyTopics
from robot_policies.nodes.state_assembler import StateAssembler
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import VelocityCommand

SPEC = load_robot_spec("go2")


# Inbox: the newest value whose time has come.


class Naive:
    """Remembers everything."""

    def __init__(self) -> None:
        self.values: list[VelocityCommand] = []

    def at(self, stamp_ns: int) -> VelocityCommand | None:
        due = [value for value in self.values if value.stamp_ns <= stamp_ns]
        newest = max((value.stamp_ns for value in due), default=None)
        return next((value for value in reversed(due) if value.stamp_ns == newest), None)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
def test_an_inbox_gives_what_a_memory_of_everything_would(steps: list[tuple[bool, int]]) -> None:
    inbox, naive, now = Inbox[VelocityCommand](), Naive(), 0
    for number, (ask, value) in enumerate(steps):
        if ask:
            now += value // 4  # time does not go back
            got, wanted = inbox.at(now), naive.at(now)
            assert (None if got is None else got.stamp_ns) == (None if wanted is None else wanted.stamp_ns)
            continue
        command = VelocityCommand(value, float(number), 0.0, 0.0)
        inbox.put(command)
        naive.values.append(command)
    assert inbox.received == len(naive.values)


def test_a_value_takes_effect_at_its_stamp_and_not_before() -> None:
    inbox = Inbox[VelocityCommand]()
    now, later = VelocityCommand(10, 1.0, 0.0, 0.0), VelocityCommand(30, 2.0, 0.0, 0.0)
    inbox.put(later)
    inbox.put(now)
    assert inbox.at(9) is None
    assert inbox.at(10) is now and inbox.at(29) is now
    assert inbox.at(30) is later and inbox.at(1000) is later
    inbox.put(VelocityCommand(20, 3.0, 0.0, 0.0))  # late: something newer holds
    assert inbox.at(1001) is later
    inbox.clear()
    assert inbox.at(2000) is None


def test_an_inbox_is_bounded_and_clear_forgets_what_waits() -> None:
    inbox = Inbox[VelocityCommand]()
    for k in range(1000):
        inbox.put(VelocityCommand(10_000 + k, 0.0, 0.0, 0.0))
    assert len(inbox._waiting) == 64 and inbox.received == 1000
    inbox.at(10_950)
    inbox.put(VelocityCommand(20_000, 0.0, 0.0, 0.0))
    inbox.clear()
    assert inbox.at(30_000) is None


def test_few_images_wait_while_nobody_takes_them() -> None:
    taken, node = topics(("front",))
    for k in range(100):
        node.callbacks["depth/image_rect"](depth_message(START + k))
    assert len(taken.depth["front"]._waiting) == policy_inputs.IMAGES
    image = taken.depth["front"].at(START + 200)
    assert image is not None and image.stamp_ns == START + 99
    for k in range(100):
        node.callbacks["depth/image_rect"](depth_message(START + 300 + k))
    assert len(taken.depth["front"]._waiting) == policy_inputs.IMAGES  # still, once some were taken


# PolicyTopics.


def topics(depth: tuple[str, ...] = (), stamped: bool = True) -> tuple[PolicyTopics, Topics]:
    node = Topics()
    return PolicyTopics(node, depth, stamped, lambda: START), node  # type: ignore[arg-type]


def twist_at(stamp_ns: int) -> TwistStamped:
    message = TwistStamped()
    set_stamp(message.header.stamp, stamp_ns)
    return message


def test_a_velocity_far_ahead_is_refused_and_counted() -> None:
    taken, node = topics()
    node.callbacks["cmd_vel"](twist_at(START + AHEAD_NS))
    assert (taken.refused, taken.velocity.received) == (0, 1)
    node.callbacks["cmd_vel"](twist_at(START + AHEAD_NS + 1))
    assert (taken.refused, taken.velocity.received) == (1, 1) and "5.000 s ahead" in taken.last_error
    node.callbacks["cmd_vel"](twist_at(0))  # unstamped: now
    value = taken.velocity.at(START)
    assert value is not None and value.stamp_ns == START


@pytest.mark.parametrize("part", ["linear.x", "linear.y", "angular.z"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_velocity_that_is_no_number_is_refused_and_the_last_one_holds(part: str, value: float) -> None:
    taken, node = topics()
    message = twist_at(START)
    message.twist.linear.x = 0.5
    node.callbacks["cmd_vel"](message)
    bad, (group, name) = twist_at(START + 1), part.split(".")
    setattr(getattr(bad.twist, group), name, value)
    node.callbacks["cmd_vel"](bad)
    assert taken.refused == 1 and taken.last_error.startswith("cmd_vel: finite numbers; found ")
    held = taken.velocity.at(START + 2)
    assert held is not None and held.lin_vel_x == 0.5


def test_the_type_of_cmd_vel_is_what_was_asked_for() -> None:
    assert topics(stamped=True)[1].kinds["cmd_vel"] is TwistStamped
    taken, node = topics(stamped=False)
    assert node.kinds["cmd_vel"] is Twist
    node.callbacks["cmd_vel"](Twist())
    assert taken.velocity.at(START) is not None


def depth_message(stamp_ns: int) -> Image:
    pixels = np.ones((2, 3), np.float32)
    message = Image(encoding="32FC1", height=2, width=3, step=12, data=pixels.tobytes())
    set_stamp(message.header.stamp, stamp_ns)
    return message


def test_one_camera_has_the_plain_topic_and_several_are_told_apart() -> None:
    assert "depth/image_rect" in topics(("front",))[1].callbacks
    taken, node = topics(("front", "rear"))
    parts = {f"{name}/depth/{part}" for name in ("front", "rear") for part in ("image_rect", "camera_info")}
    assert set(node.callbacks) == {"cmd_vel", *parts}
    node.callbacks["rear/depth/image_rect"](depth_message(START))
    assert taken.depth["front"].at(START) is None
    image = taken.depth["rear"].at(START)
    assert image is not None and image.depth.shape == (2, 3)


def test_a_malformed_image_is_refused_and_counted() -> None:
    taken, node = topics(("front",))
    message = depth_message(START)
    message.encoding = "bgr8"
    node.callbacks["depth/image_rect"](message)
    assert taken.refused == 1 and taken.last_error.startswith("front: ") and "bgr8" in taken.last_error
    assert taken.depth["front"].at(START) is None


def test_an_activation_forgets_what_was_asked_before_and_keeps_what_was_seen() -> None:
    taken, node = topics(("front",))
    node.callbacks["cmd_vel"](twist_at(START))
    node.callbacks["depth/image_rect"](depth_message(START))
    taken.clear()
    assert taken.velocity.at(START) is None
    image = taken.depth["front"].at(START)  # the ground is still there; whether the image is too old, its stamp tells
    assert image is not None and image.stamp_ns == START


def test_sensors_are_asked_for_as_best_effort() -> None:
    from rclpy.qos import QoSReliabilityPolicy

    kept: list[Any] = []

    class Node(Topics):
        def create_subscription(self, kind: type, topic: str, callback: Any, qos: Any) -> None:
            kept.append((topic, qos.reliability))

    StateAssembler(Node(), SPEC, True, lambda state: None)  # type: ignore[arg-type]
    PolicyTopics(Node(), ("front",), True, lambda: 0)  # type: ignore[arg-type]
    best = {topic for topic, reliability in kept if reliability == QoSReliabilityPolicy.BEST_EFFORT}
    assert best == {*PARTS, "odom", "depth/image_rect", "depth/camera_info"}
    assert state_assembler.KEPT > 1 and policy_inputs.AHEAD_NS == 5 * 10**9


def test_an_image_ahead_of_the_robots_clock_is_refused_and_said_until_a_good_one_comes() -> None:
    taken, node = topics(("front",))
    ahead = policy_inputs.IMAGE_AHEAD_NS
    node.callbacks["depth/image_rect"](depth_message(START + ahead + 1))
    assert taken.refused == 1 and "on the robot's clock" in taken.bad_images["front"]
    assert taken.depth["front"].at(START + 2 * ahead) is None
    node.callbacks["depth/image_rect"](depth_message(START + ahead))
    assert taken.bad_images == {} and taken.depth["front"].at(START + ahead) is not None


def test_an_image_carries_the_pinhole_that_its_camera_has_said() -> None:
    taken, node = topics(("front",))
    node.callbacks["depth/image_rect"](depth_message(START))
    assert taken.depth["front"].at(START).pinhole is None  # type: ignore[union-attr]
    info = CameraInfo(k=[55.85, 0.0, 52.5, 0.0, 55.86, 29.5, 0.0, 0.0, 1.0])
    node.callbacks["depth/camera_info"](info)
    node.callbacks["depth/image_rect"](depth_message(START + 1))
    assert taken.depth["front"].at(START + 1).pinhole == (55.85, 55.86, 52.5, 29.5)  # type: ignore[union-attr]
