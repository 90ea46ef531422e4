"""Joins the parts of a robot state, which arrive on topics of their own, by their identical stamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Imu, JointState

from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.conversions import robot_state, to_ns
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import RobotState, owned

KEPT = 8  # stamps whose parts are waited for
RESTART_NS = 1_000_000_000  # a stamp farther back than this is not late: the robot's clock has begun anew


class StateAssembler:
    """Hands each complete state on, once, in order of its stamp.

    Attributes:
        incomplete: states of which a part never came.
        malformed: states whose names or sizes are not the robot file's; ``last_error`` says how.
    """

    def __init__(self, node: Node, spec: RobotSpec, with_odom: bool, on_state: Callable[[RobotState], None]) -> None:
        """Subscribe; ``with_odom`` also waits for ``odom``, for policies that read the base's linear velocity."""
        self._spec, self._on_state = spec, on_state
        self._parts: dict[int, dict[str, Any]] = {}
        self._newest_ns = -1
        self.incomplete = self.malformed = 0
        self.last_error = ""
        topics = {"imu/data": Imu, "foot_contacts": JointState, "joint_states": JointState}
        if with_odom:
            topics["odom"] = Odometry
        self._topics = tuple(topics)
        self._came: set[str] = set()
        qos = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        for topic, kind in topics.items():
            node.create_subscription(kind, topic, self._callback(topic), qos)

    def why_none(self) -> str:
        """Return why there is no state: the last malformed one, or the topics on which nothing comes; else nothing."""
        silent = [topic for topic in self._topics if topic not in self._came]
        if self.last_error or not silent:
            return self.last_error
        return expected("parts of a state", f"nothing on {', '.join(silent)}", self._topics)

    def _callback(self, topic: str) -> Callable[[Any], None]:
        # rclpy looks at the number of a callback's parameters, so no defaults and no partials here.
        def callback(message: Any) -> None:
            self._part(topic, message)

        return callback

    def _part(self, topic: str, message: Any) -> None:
        self._came.add(topic)
        stamp_ns = to_ns(message.header.stamp)
        if stamp_ns < self._newest_ns - RESTART_NS:
            self._parts, self._newest_ns = {}, -1
        if stamp_ns <= self._newest_ns:
            return
        parts = self._parts.setdefault(stamp_ns, {})
        parts[topic] = message
        if len(parts) == len(self._topics):
            self._complete(stamp_ns, parts)
        elif len(self._parts) > KEPT:
            del self._parts[min(self._parts)]
            self.incomplete += 1

    def _complete(self, stamp_ns: int, parts: dict[str, Any]) -> None:
        self.incomplete += sum(1 for other in self._parts if other < stamp_ns)
        self._parts = {other: kept for other, kept in self._parts.items() if other > stamp_ns}
        self._newest_ns = stamp_ns
        base_lin_vel = None
        if "odom" in parts:
            v = parts["odom"].twist.twist.linear
            base_lin_vel = owned([v.x, v.y, v.z])
        try:
            state = robot_state(
                self._spec, parts["imu/data"], parts["foot_contacts"], parts["joint_states"], base_lin_vel
            )
        except InputError as error:
            self.malformed += 1
            self.last_error = str(error)
            return
        self._on_state(state)
