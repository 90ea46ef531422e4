"""In which order the parts of a state go out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from helpers import safety as kit

from robot_policies.nodes.robot_publishers import RobotPublishers
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")


class Node:
    """Keeps the names of the topics in the order in which they are published on."""

    def __init__(self) -> None:
        self.out: list[tuple[str, int]] = []

    def create_publisher(self, kind: type, topic: str, qos: Any) -> Any:
        def publish(message: Any) -> None:
            stamp = getattr(message, "header", SimpleNamespace(stamp=getattr(message, "clock", None))).stamp
            self.out.append((topic, stamp.nanosec))

        return SimpleNamespace(publish=publish)


def truth() -> Any:
    three = np.zeros(3)
    return SimpleNamespace(
        position=three, quat_wxyz=np.array([1.0, 0, 0, 0]), base_lin_vel=three, base_ang_vel=three, ground_contacts=()
    )


def test_a_state_goes_out_in_three_parts_and_the_joints_are_last() -> None:
    node = Node()
    RobotPublishers(node, SPEC, "", with_truth=True, with_clock=True).state(kit.state(7))  # type: ignore[arg-type]
    assert node.out == [("/clock", 7), ("imu/data", 7), ("foot_contacts", 7), ("joint_states", 7)]


def test_a_state_of_a_wrong_size_is_not_published_and_ends_nothing() -> None:
    node = Node()
    topics = RobotPublishers(node, SPEC, "", with_truth=True, with_clock=False)  # type: ignore[arg-type]
    topics.state(kit.state(7, joint_pos=np.zeros(11)))
    assert node.out == []
    topics.state(kit.state(8))
    assert [at for _, at in node.out] == [8, 8, 8]


@pytest.mark.parametrize(("known", "expected"), [(True, ["odom", "ground_truth/odom"]), (False, ["odom"])])
def test_how_the_base_moves_is_told_apart_from_it(known: bool, expected: list[str]) -> None:
    node = Node()
    topics = RobotPublishers(node, SPEC, "", with_truth=known, with_clock=False)  # type: ignore[arg-type]
    topics.base(kit.state(9), truth() if known else None)
    assert node.out == [(topic, 9) for topic in expected]
    node.out.clear()
    topics.base(kit.state(9, base_lin_vel=None), None)
    assert node.out == []
