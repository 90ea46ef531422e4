"""The newest of everything that the viewer hears about the robot, and what follows from it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from robot_policies.exceptions import InputError
from robot_policies.nodes.conversions import depth_image, to_ns, wxyz
from robot_policies.nodes.ground_markers import ground_of_markers
from robot_policies.nodes.runtime import BEST_EFFORT, LATCHED
from robot_policies.nodes.viewer_plots import JointHistory
from robot_policies.nodes.viewer_pose import StandingHeight
from robot_policies.nodes.viewer_text import Velocity3
from robot_policies.nodes.viewer_urdf import Urdf, parse_urdf
from robot_policies.robots.robot import GroundShape
from robot_policies.types import Array, DepthImage, owned

Clock = Callable[[], float]
FRESH = 1.0  # [s] after which something that is not heard any more does not count
TIMES = 10  # texts over which the speed of the robot's clock is taken
UPRIGHT = owned([1.0, 0.0, 0.0, 0.0])
# Not only the newest, for the plots: what comes between two looks of the viewer, and while it gets no time for 0.15 s.
SAMPLED = QoSProfile(depth=32, reliability=QoSReliabilityPolicy.BEST_EFFORT)
DEPTH, SENT = "depth", "joint_command_sent"
NOBODY = "no robot node"
SWITCHES = 64  # of policies, that are kept


class ViewerInputs:
    """Subscribes, and keeps the newest message of each topic with the time of its receipt.

    Attributes:
        mode: text of ``robot_mode``.
        urdf, ground: the newest description and ground, None before the first.
        watched: whether anybody looks; the history is kept only then.
        history: targets and positions of the joints.
        commanding: name of the policy that commands, or ``stand``; "" while none does.
        switches: who commanded from when on [s, of the clock], oldest first.
    """

    def __init__(self, node: Node, depth_topic: str, say: Callable[[str], None], clock: Clock = time.monotonic) -> None:
        """Hear everything; ``say`` is told what cannot be shown, ``clock`` says when something is heard [s]."""
        self._node, self._say, self._clock = node, say, clock
        self.mode = NOBODY
        self.commanding = ""
        self.switches: deque[tuple[float, str]] = deque(maxlen=SWITCHES)
        self.urdf: Urdf | None = None
        self.ground: GroundShape | None = None
        self._height: StandingHeight | None = None
        self._newest: dict[str, tuple[float, Any]] = {}
        self.start: tuple[float, float] | None = None  # where the robot was first seen [m]
        self._times: deque[tuple[float, int]] = deque(maxlen=TIMES)
        self.watched = False
        self.history = JointHistory(())
        for topic, kind in (("imu/data", Imu), ("odom", Odometry), ("ground_truth/odom", Odometry)):
            node.create_subscription(kind, topic, self._keep(topic), BEST_EFFORT)
        node.create_subscription(JointState, "joint_states", self._on_joints, SAMPLED)
        node.create_subscription(JointState, SENT, self._keep(SENT), SAMPLED)
        node.create_subscription(Image, depth_topic, self._keep(DEPTH), BEST_EFFORT)
        node.create_subscription(String, "robot_mode", self._on_mode, LATCHED)
        node.create_subscription(String, "commanding_policy", self._on_commanding, LATCHED)
        node.create_subscription(String, "robot_description", self._on_description, LATCHED)
        node.create_subscription(MarkerArray, "ground", self._on_ground, LATCHED)

    def forget(self) -> None:
        """Forget what was heard but for the robot's looks and its ground, as another time of a recording comes."""
        self.mode, self.commanding = NOBODY, ""
        self._newest.clear()
        self._times.clear()
        self.switches.clear()
        self.history = JointHistory(self.history.names)

    def fresh(self, topic: str) -> Any:
        """Return the newest message of ``topic``, or None where none came lately."""
        heard, message = self._newest.get(topic, (-math.inf, None))
        return message if self._clock() - heard < FRESH else None

    def age(self, topic: str, now_ns: int) -> float | None:
        """Return how old what ``topic`` says is at ``now_ns`` by its stamp [s]; None where nothing came lately."""
        message = self.fresh(topic)
        return None if message is None else (now_ns - to_ns(message.header.stamp)) * 1e-9

    def joints(self) -> dict[str, float]:
        """Return joint positions [rad] by name."""
        return _positions(self.fresh("joint_states"))

    def base(self) -> tuple[Array, Array]:
        """Return where to draw the base: position in the world [m] and quat_wxyz."""
        odometry = self._odometry()
        if odometry is not None and _located(odometry):
            place = odometry.pose.pose.position
            return owned([place.x, place.y, place.z]), wxyz(odometry.pose.pose.orientation)
        source = self.fresh("imu/data") or (odometry and odometry.pose.pose)
        quat = wxyz(source.orientation) if source else UPRIGHT
        if self._height is None or not abs(np.linalg.norm(quat) - 1.0) < 0.01:
            return owned([0.0, 0.0, 0.0]), UPRIGHT
        return owned([0.0, 0.0, self._height(self.joints(), quat)]), quat

    def velocity(self) -> Velocity3 | None:
        """Return how the robot moves, x, y [m/s] and turn [rad/s] in its base frame; None: unknown."""
        odometry = self._odometry()
        return None if odometry is None else _velocity(odometry.twist.twist)

    def depth(self) -> tuple[int, DepthImage] | None:
        """Return the newest depth image with its stamp [ns]; None where none came lately, or it is malformed."""
        message = self.fresh(DEPTH)
        if message is None:
            return None
        try:
            return to_ns(message.header.stamp), depth_image(message)
        except InputError as error:
            self._say(str(error))
            return None

    def distance(self) -> float | None:
        """Return how far the robot is from where it was first seen [m]; None without ground truth."""
        truth = self.fresh("ground_truth/odom")
        if truth is None:
            return None
        here = truth.pose.pose.position.x, truth.pose.pose.position.y
        self.start = self.start or here
        return math.dist(here, self.start)

    def time_factor(self, now: float) -> float | None:
        """Return how fast the robot's clock runs beside this machine's; None: no states come."""
        joints = self.fresh("joint_states")
        if joints is None:
            self._times.clear()
            return None
        self._times.append((now, to_ns(joints.header.stamp)))
        (start, first), (end, last) = self._times[0], self._times[-1]
        return (last - first) * 1e-9 / (end - start) if end > start else None

    def _odometry(self) -> Any:
        """Return the best odometry that there is, or None."""
        return self.fresh("ground_truth/odom") or self.fresh("odom")

    def _keep(self, topic: str) -> Any:
        def callback(message: Any) -> None:
            self._newest[topic] = (self._clock(), message)

        return callback

    def _on_joints(self, message: JointState) -> None:
        """Keep a state, and sample it with the target that went out before it."""
        self._newest["joint_states"] = (self._clock(), message)
        if list(message.name) != list(self.history.names):
            self.history = JointHistory(message.name)
        stamp = to_ns(message.header.stamp) * 1e-9
        if self.watched and self.history.is_due(stamp):
            self.history.add(stamp, _positions(self.fresh(SENT)), _positions(message))

    def _on_mode(self, message: String) -> None:
        self.mode = message.data

    def _on_commanding(self, message: String) -> None:
        self.commanding = message.data
        self.switches.append((self._clock(), message.data))

    def _on_description(self, message: String) -> None:
        try:
            self.urdf = parse_urdf(message.data)
            self._height = StandingHeight(self.urdf)
        except InputError as error:
            self._refuse(error)

    def _on_ground(self, message: MarkerArray) -> None:
        try:
            self.ground = ground_of_markers(message)
        except InputError as error:
            self._refuse(error)

    def _refuse(self, error: InputError) -> None:
        self._say(str(error))
        self._node.get_logger().error(str(error))


def _positions(message: JointState | None) -> dict[str, float]:
    return {} if message is None else dict(zip(message.name, message.position, strict=False))


def _velocity(twist: Twist) -> Velocity3:
    return twist.linear.x, twist.linear.y, twist.angular.z


def _located(odometry: Odometry) -> bool:
    """Return whether somebody estimates where the robot is; robot nodes leave the position at zero otherwise."""
    place = odometry.pose.pose.position
    return any((place.x, place.y, place.z))
