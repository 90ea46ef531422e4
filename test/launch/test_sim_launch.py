"""``ros2 launch robot_policies sim.launch.py`` for real: the robot stands, walks 3 m, stops; no policy means damping.

Runs where ROS 2's launch is installed and so is this package (``launch_test`` or pytest with launch_testing's plugin).
"""

from __future__ import annotations

import os
import unittest
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("launch_ros", reason="ROS 2's launch is not installed")
pytest.importorskip("launch_testing", reason="ROS 2's launch_testing is not installed")

import launch
import launch_testing.actions
import launch_testing.asserts
import rclpy
from helpers.node_process import free_domain
from launch.actions import IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from rclpy.node import Node

from robot_policies import resources
from robot_policies.nodes.operator import Operator

DOMAIN = free_domain()
ARGUMENTS = {"robot": "go2", "policy": "go2_walk", "headless": "true", "namespace": "r1", "record": "false"}


@pytest.mark.launch_test
def generate_test_description() -> tuple[launch.LaunchDescription, dict[str, Any]]:
    """Include the launch file as a user's own launch file does."""
    os.environ["ROS_DOMAIN_ID"] = str(DOMAIN)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    file = resources.share_folder() / "launch" / "sim.launch.py"
    included = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(file)), launch_arguments=list(ARGUMENTS.items())
    )
    actions = [SetEnvironmentVariable("ROS_DOMAIN_ID", str(DOMAIN)), included, launch_testing.actions.ReadyToTest()]
    return launch.LaunchDescription(actions), {}


class TestSim(unittest.TestCase):
    """One robot, one story; the order of the names is the order of the tests."""

    @classmethod
    def setUpClass(cls) -> None:
        rclpy.init(domain_id=DOMAIN)
        node = Node("test_operator", namespace=ARGUMENTS["namespace"])
        cls.operator = Operator(node, lambda: None)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.operator.close()
        rclpy.shutdown()

    def wait(self, done: Callable[[], bool], limit: float, what: str) -> None:
        self.operator.wait(done, limit, what)

    def mode(self) -> str:
        return str(self.operator.robot.get("mode"))

    def distance(self) -> float:
        return self.operator.track.distance() or 0.0

    def test_1_stands(self) -> None:
        self.operator.stand(60.0)
        self.assertEqual(self.mode(), "stand")

    def test_2_walks_three_metres(self) -> None:
        self.operator.activate()
        self.operator.command(0.8, 0.0, 0.0)
        self.wait(lambda: self.distance() >= 3.0, 20.0, "three metres")
        self.assertFalse(self.operator.robot["fell"])

    def test_3_stops(self) -> None:
        self.operator.command(0.0, 0.0, 0.0)
        self.operator.run(_after(self.operator, 2.0))
        before = self.distance()
        self.operator.run(_after(self.operator, 2.0))
        self.assertLess(self.distance() - before, 0.1)
        self.assertEqual(self.mode(), "active")

    def test_4_without_the_policy_process_it_lands_in_damping(self, proc_info: Any) -> None:
        names = [name for name in proc_info.process_names() if "policy_node" in name]
        self.assertEqual(len(names), 1)
        os.kill(proc_info[names[0]].pid, 9)
        self.wait(lambda: bool(self.operator.robot.get("trips")), 5.0, "a trip")
        self.wait(lambda: "damping" in self.mode(), 5.0, "damping")
        proc_info.assertWaitForShutdown(process=names[0], timeout=5.0)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After everything has ended."""

    def test_the_robot_node_ended_in_order_and_nothing_is_left(self, proc_info: Any) -> None:
        robot = next(name for name in proc_info.process_names() if "robot_node" in name)
        launch_testing.asserts.assertExitCodes(proc_info, allowable_exit_codes=[0], process=robot)
        for name in proc_info.process_names():
            with self.assertRaises(ProcessLookupError):
                os.kill(proc_info[name].pid, 0)


def _after(operator: Operator, seconds: float) -> Callable[[], bool]:
    end_ns = operator.stamp_ns + int(seconds * 1e9)
    return lambda: operator.stamp_ns >= end_ns
