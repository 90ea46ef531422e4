"""What a policy node takes in: states joined from their parts, and commands and images by their stamp."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist, TwistStamped
from helpers.bundles import standing
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image

from robot_policies.nodes import policy_inputs, state_assembler
from robot_policies.nodes.conversions import StateMessages, set_stamp
from robot_policies.nodes.policy_inputs import AHEAD_NS, Inbox, PolicyTopics
from robot_policies.nodes.state_assembler import KEPT, RESTART_NS, StateAssembler
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import RobotState, VelocityCommand

SPEC = load_robot_spec("go2")
PARTS = ("imu/data", "foot_contacts", "joint_states")
START = 50_000_000_000  # [ns]
DT = 5_000_000


class Topics:
    """Stands for a node: keeps what is subscribed."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[[Any], None]] = {}
        self.kinds: dict[str, type] = {}

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any) -> None:
        self.callbacks[topic], self.kinds[topic] = callback, kind


class Joined:
    """An assembler and what came out of it."""

    def __init__(self, with_odom: bool = False) -> None:
        self.topics, self.states = Topics(), list[RobotState]()
        self.assembler = StateAssembler(self.topics, SPEC, with_odom, self.states.append)  # type: ignore[arg-type]

    def give(self, topic: str, stamp_ns: int, change: Callable[[Any], None] = lambda message: None) -> None:
        messages = StateMessages(SPEC)
        messages.fill(standing(SPEC, stamp_ns, joint_pos=np.full(12, stamp_ns * 1e-9)))
        parts = dict(zip(PARTS, (messages.imu, messages.feet, messages.joints), strict=True))
        message: Any = Odometry() if topic == "odom" else parts[topic]
        if topic == "odom":
            set_stamp(message.header.stamp, stamp_ns)
            v = message.twist.twist.linear
            v.x, v.y, v.z = 0.5, -0.25, 0.125
        message = deserialize_message(serialize_message(message), type(message))
        change(message)
        self.topics.callbacks[topic](message)

    def whole(self, stamp_ns: int) -> None:
        for topic in self.topics.callbacks:
            self.give(topic, stamp_ns)

    def stamps(self) -> list[int]:
        return [state.stamp_ns for state in self.states]

    def counts(self) -> tuple[int, int]:
        return self.assembler.incomplete, self.assembler.malformed


@pytest.mark.parametrize("order", itertools.permutations(PARTS))
def test_parts_make_a_state_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    joined = Joined()
    for stamp in (START, START + DT):
        for topic in order:
            assert stamp not in joined.stamps()
            joined.give(topic, stamp)
    assert joined.stamps() == [START, START + DT] and joined.counts() == (0, 0)
    np.testing.assert_array_equal(joined.states[1].joint_pos, np.full(12, (START + DT) * 1e-9))
    assert joined.states[0].base_lin_vel is None


def test_with_odom_a_state_waits_for_it_and_carries_the_velocity() -> None:
    joined = Joined(with_odom=True)
    for topic in PARTS:
        joined.give(topic, START)
    assert joined.states == []
    joined.give("odom", START)
    np.testing.assert_array_equal(joined.states[0].base_lin_vel, [0.5, -0.25, 0.125])


def test_a_state_of_which_a_part_is_missing_is_counted_and_never_mixed() -> None:
    joined = Joined()
    joined.give("imu/data", START)
    joined.give("foot_contacts", START + DT)
    joined.give("joint_states", START + 2 * DT)
    assert joined.states == [] and joined.counts() == (0, 0)  # they may come yet
    joined.whole(START + 3 * DT)
    assert joined.stamps() == [START + 3 * DT] and joined.counts() == (3, 0)


def test_a_topic_that_is_silent_leaves_a_bounded_number_waiting() -> None:
    joined = Joined()
    for k in range(100):
        joined.give("imu/data", START + k * DT)
        joined.give("joint_states", START + k * DT)
        assert len(joined.assembler._parts) <= KEPT
    assert joined.states == [] and joined.assembler.incomplete == 100 - KEPT
    joined.give("foot_contacts", START + 99 * DT)  # the newest ones are those that were kept
    assert joined.stamps() == [START + 99 * DT] and joined.assembler.incomplete == 99


def test_each_state_comes_once_and_in_order() -> None:
    joined = Joined()
    joined.give("imu/data", START)
    joined.give("imu/data", START)  # twice: not two parts
    joined.give("imu/data", START)
    assert joined.states == []
    joined.whole(START + DT)
    joined.whole(START + DT)  # again
    joined.whole(START)  # late
    joined.whole(START + 2 * DT)
    assert joined.stamps() == [START + DT, START + 2 * DT]


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.integers(0, 12)), max_size=60))
def test_whatever_arrives_states_are_whole_single_and_in_order(arrivals: list[tuple[str, int]]) -> None:
    joined, seen = Joined(), dict[int, set[str]]()
    for topic, k in arrivals:
        joined.give(topic, START + k * DT)
        seen.setdefault(START + k * DT, set()).add(topic)
    stamps = joined.stamps()
    assert stamps == sorted(set(stamps))
    assert all(seen[stamp] == set(PARTS) for stamp in stamps)
    assert joined.assembler.incomplete <= len(seen)


def test_a_malformed_state_is_counted_with_its_reason_and_the_next_one_is_taken() -> None:
    joined = Joined()
    joined.give("imu/data", START)
    joined.give("foot_contacts", START)
    joined.give("joint_states", START, lambda message: message.name.__setitem__(0, "tail_joint"))
    assert joined.states == [] and joined.counts() == (0, 1) and "tail_joint" in joined.assembler.last_error
    joined.whole(START + DT)
    assert joined.stamps() == [START + DT]


def test_why_there_is_no_state_is_said() -> None:
    joined = Joined(with_odom=True)
    assert "nothing on imu/data, foot_contacts, joint_states, odom" in joined.assembler.why_none()
    for topic in PARTS:
        joined.give(topic, START)
    assert "nothing on odom;" in joined.assembler.why_none()
    joined.give("odom", START)
    assert len(joined.states) == 1 and joined.assembler.why_none() == ""
    joined.give("foot_contacts", START + DT, lambda message: message.name.clear())
    for topic in ("imu/data", "joint_states", "odom"):
        joined.give(topic, START + DT)
    assert joined.assembler.why_none() == joined.assembler.last_error != ""


def test_a_clock_that_begins_anew_is_followed_and_a_late_part_is_not() -> None:
    joined = Joined()
    joined.whole(START)
    joined.whole(START - RESTART_NS)  # late, as far as that may be
    assert joined.stamps() == [START]
    for k in range(1, 4):  # a simulator that was started again
        joined.whole(k * DT)
    assert joined.stamps() == [START, DT, 2 * DT, 3 * DT]


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
