"""States that a policy node joins from their parts: whole, single and in order, whatever arrives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from helpers.bundles import standing
from helpers.node_topics import PARTS, START, Topics
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message

from robot_policies.nodes.conversions import StateMessages, set_stamp
from robot_policies.nodes.state_assembler import KEPT, RESTART_NS, StateAssembler
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import RobotState

SPEC = load_robot_spec("go2")
DT = 5_000_000


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
