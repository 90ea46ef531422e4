"""Everything that the robot node publishes in a cycle, from messages built once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from robot_policies.nodes.conversions import CommandMessage, StateMessages, odometry, set_stamp
from robot_policies.nodes.ground_markers import ground_markers
from robot_policies.nodes.runtime import LATCHED, RELIABLE
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.robot import GroundShape, GroundTruth
from robot_policies.types import Array, JointCommand, RobotState

NOWHERE = np.zeros(3)
WORLD = "world"  # frame of the ground truth and of the ground


class RobotPublishers:
    """The robot node's topics (docs/topics.md). Publishers offer reliable, so that both kinds of reader match."""

    def __init__(self, node: Node, spec: RobotSpec, frame_prefix: str, with_truth: bool, with_clock: bool) -> None:
        """Make the publishers; ``with_truth`` and ``with_clock`` for simulators that have them."""
        self._state = StateMessages(spec, frame_prefix)
        self._sent = CommandMessage(spec.joint_names)
        self._imu = node.create_publisher(Imu, "imu/data", RELIABLE)
        self._feet = node.create_publisher(JointState, "foot_contacts", RELIABLE)
        self._joints = node.create_publisher(JointState, "joint_states", RELIABLE)
        self._command_sent = node.create_publisher(JointState, "joint_command_sent", RELIABLE)
        self._mode = node.create_publisher(String, "robot_mode", LATCHED)
        self._profiles = node.create_publisher(String, "gain_profiles", LATCHED)
        self._description = node.create_publisher(String, "robot_description", LATCHED)
        self._ground = node.create_publisher(MarkerArray, "ground", LATCHED)
        self._world_frame = frame_prefix + WORLD
        self._odom = node.create_publisher(Odometry, "odom", RELIABLE)
        self._truth = node.create_publisher(Odometry, "ground_truth/odom", RELIABLE) if with_truth else None
        self._clock = node.create_publisher(Clock, "/clock", RELIABLE) if with_clock else None
        self._clock_message = Clock()
        self._odom_message = _odometry_message(frame_prefix, "odom", spec)
        self._truth_message = _odometry_message(frame_prefix, WORLD, spec)

    def state(self, state: RobotState) -> None:
        """Publish one state in its parts, ``joint_states`` last, so that whoever has that one has them all.

        One with arrays of a wrong size is not published; safety trips on it, and the robot must land.
        """
        if self._clock is not None:
            set_stamp(self._clock_message.clock, state.stamp_ns)
            self._clock.publish(self._clock_message)
        try:
            self._state.fill(state)
        except ValueError:
            return
        self._imu.publish(self._state.imu)
        self._feet.publish(self._state.feet)
        self._joints.publish(self._state.joints)

    def base(self, state: RobotState, truth: GroundTruth | None) -> None:
        """Publish how the base moves, estimated and true, as far as each is known: after what a policy waits for."""
        if state.base_lin_vel is not None:
            self._estimate(state, state.base_lin_vel)
        if truth is not None and self._truth is not None:
            pose, twist = (truth.position, truth.quat_wxyz), (truth.base_lin_vel, truth.base_ang_vel)
            odometry(self._truth_message, state.stamp_ns, pose, twist)
            self._truth.publish(self._truth_message)

    def sent(self, command: JointCommand | None) -> None:
        """Publish what really went out, if anything did."""
        if command is not None:
            self._command_sent.publish(self._sent.fill(command))

    def mode(self, text: str) -> None:
        """Publish the mode, once per change."""
        self._mode.publish(String(data=text))

    def profiles(self, profiles: Mapping[str, Any]) -> None:
        """Publish which gain profiles are accepted and which one is active, once per change."""
        self._profiles.publish(String(data=json.dumps(profiles)))

    def description(self, urdf: str) -> None:
        """Publish the robot's URDF, once."""
        self._description.publish(String(data=urdf))

    def ground(self, ground: GroundShape) -> None:
        """Publish what the robot stands on, once."""
        self._ground.publish(ground_markers(ground, self._world_frame))

    def _estimate(self, state: RobotState, base_lin_vel: Array) -> None:
        # Orientation and twist are estimated; where the robot is, is not.
        pose, twist = (NOWHERE, state.base_quat_wxyz), (base_lin_vel, state.base_ang_vel)
        odometry(self._odom_message, state.stamp_ns, pose, twist)
        self._odom.publish(self._odom_message)


def _odometry_message(prefix: str, frame: str, spec: RobotSpec) -> Odometry:
    message = Odometry(child_frame_id=prefix + spec.base_frame)
    message.header.frame_id = prefix + frame
    return message
