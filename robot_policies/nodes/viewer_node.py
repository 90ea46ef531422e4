"""The viewer: a page on this machine that shows the robot, its mode and its velocity, and that can stop it.

The robot's looks come from ``robot_description``; joints from ``joint_states``; where the base is from
``ground_truth/odom``, else from ``odom``, else from the IMU, standing on its lowest part.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String

from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.conversions import to_ns, wxyz
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.robot_services import RobotServices
from robot_policies.nodes.runtime import BEST_EFFORT, LATCHED, Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.nodes.viewer_page import Page, PageUnavailable, Status
from robot_policies.nodes.viewer_pose import StandingHeight
from robot_policies.nodes.viewer_urdf import Urdf, parse_urdf
from robot_policies.types import Array, owned

UNAVAILABLE = 3  # exit code: no page, but nothing is wrong with the robot
CALLBACKS = 16  # as many as can wait at once: topics, answers, requests for parameters
STUCK = 1.0  # [s] that waiting callbacks may take at most
WORDS_PERIOD = 0.2  # [s] between changes of the text
FRESH = 1.0  # [s] after which something that is not heard any more does not count
TIMES = 10  # texts over which the speed of the robot's clock is taken
UPRIGHT = owned([1.0, 0.0, 0.0, 0.0])


class ViewerNode(Node):
    """Keeps the newest of everything that the page shows."""

    def __init__(self) -> None:
        super().__init__("viewer_node")
        self.host = parameter(self, "host", "127.0.0.1")
        self.port = parameter(self, "port", 8080)
        rate = parameter(self, "rate", 25.0)  # [Hz] of the picture
        stamped = parameter(self, "cmd_vel_stamped", True)  # False: cmd_vel is geometry_msgs/Twist
        refuse_unknown_parameters(self)
        if not 1.0 <= rate <= 60.0:
            raise InputError(expected("viewer_node: rate", rate, "1 to 60 Hz"))
        self.period = 1.0 / rate
        self.urdf: Urdf | None = None
        self._height: StandingHeight | None = None
        self.note = ""
        self.mode = "no robot node"
        self._newest: dict[str, tuple[float, Any]] = {}
        self._start: tuple[float, float] | None = None
        self._times: deque[tuple[float, int]] = deque(maxlen=TIMES)
        for topic, kind in (
            ("joint_states", JointState),
            ("imu/data", Imu),
            ("odom", Odometry),
            ("ground_truth/odom", Odometry),
            ("cmd_vel", TwistStamped if stamped else Twist),
        ):
            self.create_subscription(kind, topic, self._keep(topic), BEST_EFFORT)
        self.create_subscription(String, "robot_mode", self._on_mode, LATCHED)
        self.create_subscription(String, "robot_description", self._on_description, LATCHED)
        self._robot_name = f"{self.get_namespace().rstrip('/')}/robot_node"
        self._why = ""
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.robot = RobotServices(self, self._answered)

    def fresh(self, topic: str) -> Any:
        """Return the newest message of ``topic``, or None where none came lately."""
        heard, message = self._newest.get(topic, (-math.inf, None))
        return message if time.monotonic() - heard < FRESH else None

    def joints(self) -> dict[str, float]:
        """Return joint positions [rad] by name."""
        message = self.fresh("joint_states")
        return {} if message is None else dict(zip(message.name, message.position, strict=False))

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

    def status(self, now: float) -> Status:
        """Return what the page says at ``now`` (monotonic [s])."""
        odometry, command = self._odometry(), self.fresh("cmd_vel")
        return Status(
            robot=self.urdf.name if self.urdf else "",
            mode=self.mode,
            asked=None if command is None else _velocity(getattr(command, "twist", command)),
            measured=None if odometry is None else _velocity(odometry.twist.twist),
            distance=self._distance(),
            time_factor=self._time_factor(now),
            why=self._why,
            note=self.note,
        )

    def _odometry(self) -> Any:
        """Return the best odometry that there is, or None."""
        return self.fresh("ground_truth/odom") or self.fresh("odom")

    def _distance(self) -> float | None:
        truth = self.fresh("ground_truth/odom")
        if truth is None:
            return None
        here = truth.pose.pose.position.x, truth.pose.pose.position.y
        self._start = self._start or here
        return math.dist(here, self._start)

    def _time_factor(self, now: float) -> float | None:
        """Return how fast the robot's clock runs beside this machine's; None: no states come."""
        joints = self.fresh("joint_states")
        if joints is None:
            self._times.clear()
            return None
        self._times.append((now, to_ns(joints.header.stamp)))
        (start, first), (end, last) = self._times[0], self._times[-1]
        return (last - first) * 1e-9 / (end - start) if end > start else None

    def _keep(self, topic: str) -> Any:
        def callback(message: Any) -> None:
            self._newest[topic] = (time.monotonic(), message)

        return callback

    def _on_mode(self, message: String) -> None:
        self.mode = message.data

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._robot_name:
                # The robot node says its mode and, behind a colon and a space, the trips that are latched.
                self._why = status.message.partition(": ")[2]

    def _on_description(self, message: String) -> None:
        try:
            self.urdf = parse_urdf(message.data)
            self._height = StandingHeight(self.urdf)
        except InputError as error:
            self.note = str(error)
            self.get_logger().error(str(error))

    def _answered(self, service: str, success: bool, message: str) -> None:
        self.note = f"{service}: {message or ('done' if success else 'refused')}"


def _velocity(twist: Twist) -> tuple[float, float, float]:
    return twist.linear.x, twist.linear.y, twist.angular.z


def _located(odometry: Odometry) -> bool:
    """Return whether somebody estimates where the robot is; robot nodes leave the position at zero otherwise."""
    place = odometry.pose.pose.position
    return any((place.x, place.y, place.z))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code: 3 where there can be no page, which no robot needs."""
    unavailable = []

    def body(stop: Stop) -> None:
        try:
            _main(stop)
        except PageUnavailable as error:
            sys.stderr.write(f"error: {error}\n")
            unavailable.append(error)

    return run(body, args) or (UNAVAILABLE if unavailable else 0)


def _main(stop: Stop) -> None:
    node = ViewerNode()
    page = Page(node.host, node.port)
    sys.stdout.write(f"viewer: {page.address}\n")
    sys.stdout.flush()
    spinner = Spinner(node)
    loop = Loop(node, page)
    while not stop.requested:
        started = time.monotonic()
        serve_waiting(spinner)
        loop.step(time.monotonic())
        time.sleep(max(0.0, started + node.period - time.monotonic()))
    page.close()


def serve_waiting(spinner: Spinner) -> None:
    """Serve every callback that waits, and no more.

    States come ten times as often as pictures are drawn. As nothing is served between pictures, only the newest message
    of each topic is ever taken, which halves what the viewer costs.
    """
    executor = spinner.executor
    if isinstance(executor, SingleThreadedExecutor):  # looks at what is ready each time; a task would come first
        for _ in range(CALLBACKS):
            executor.spin_once(timeout_sec=0.0)
        return
    # Events are served in order, so a task that is put behind them is done when they are.
    executor.spin_until_future_complete(executor.create_task(lambda: None), STUCK)


class Loop:
    """What happens once per picture."""

    def __init__(self, node: ViewerNode, page: Page) -> None:
        self._node, self._page = node, page
        self._shown: Urdf | None = None
        self._words_at = -math.inf

    def step(self, now: float) -> None:
        """Carry presses to the robot; draw, where anybody looks."""
        node, page = self._node, self._page
        for service in page.pressed():
            node.robot.call(service)
        node.robot.poll(now)
        if node.urdf is not None and node.urdf is not self._shown:
            self._shown = node.urdf
            page.show_robot(node.urdf)
        if self._shown is None or not page.watched():
            return
        page.pose(node.joints(), *node.base())
        if now - self._words_at >= WORDS_PERIOD:
            self._words_at = now
            page.tell(node.status(now))


if __name__ == "__main__":
    sys.exit(main())
