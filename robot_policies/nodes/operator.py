"""The operator of a bring-up: arms, stands, activates the policy, commands a velocity, and watches.

A person does the same with a pad and ``ros2 lifecycle``. It uses what any other node could: services, topics and
/diagnostics, so that a report of it is a report of what the nodes did.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes import diagnostics
from robot_policies.nodes.conversions import to_ns
from robot_policies.nodes.runtime import BEST_EFFORT, Spinner
from robot_policies.nodes.track import Track
from robot_policies.nodes.velocity_ranges import Velocity
from robot_policies.nodes.velocity_source import VelocitySource

VELOCITY_PERIOD_NS = 100_000_000  # well within the usual 0.5 s limit of a velocity command's age
ANSWER_LIMIT = 5.0  # [s]
IMAGES_LIMIT = 10.0  # [s] for a camera process to start on a busy machine, and to give enough images

Check = Callable[[], None]  # raises when a process of the bring-up has ended


class Operator:
    """Operates one robot and one policy node in the namespace of ``node``.

    Attributes:
        stamp_ns: stamp of the newest joint state.
        robot, policy, recorder: the newest values of their /diagnostics.
        track: where the robot went, from the simulator's ground truth, if there is one.
        on_truth: is told every message of the ground truth, if set.
    """

    def __init__(self, node: Node, check: Check) -> None:
        """Connect; ``check`` is called while waiting."""
        self._node, self._spinner, self._check = node, Spinner(node), check
        self.stamp_ns = 0
        self.robot: dict[str, Any] = {}
        self.policy: dict[str, Any] = {}
        self.recorder: dict[str, Any] = {}
        self.track = Track()
        self.on_truth: Callable[[Odometry], None] | None = None
        self._velocity: Velocity | None = None
        self._next_velocity_ns = 0
        namespace = node.get_namespace().rstrip("/")
        self._robot_name, self._policy_name = f"{namespace}/robot_node", f"{namespace}/policy_node"
        self._recorder_name = f"{namespace}/recorder_node"
        self._triggers = {name: node.create_client(Trigger, name) for name in ("stand", "damp", "estop", "reset")}
        self._arm = node.create_client(SetBool, "arm")
        self._transition = node.create_client(ChangeState, "policy_node/change_state")
        self._cmd_vel = VelocitySource(node)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnostics, 10)
        node.create_subscription(JointState, "joint_states", self._state, BEST_EFFORT)
        node.create_subscription(Odometry, "ground_truth/odom", self._truth, BEST_EFFORT)

    def stand(self, limit: float = 30.0) -> None:
        """Arm and stand up. Raises ``RobotError`` where the robot node refuses or does not get there."""
        self.wait(lambda: bool(self.robot.get("cycles")), limit, "a running robot node")
        # Hardware: the robot is laid down first, and its built-in controller released.
        self.wait(lambda: not self.robot["hardware"].get("taking_control"), limit, "control of the robot")
        self.call(self._arm, SetBool.Request(data=True))
        self.call(self._triggers["stand"], Trigger.Request())
        self.wait(lambda: bool(self.robot.get("ready")), limit, "the robot to stand")

    def activate(self) -> None:
        """Configure and activate the policy node. Raises ``RobotError`` with its reason."""
        self._change(Transition.TRANSITION_CONFIGURE)
        self._await_images()
        self._change(Transition.TRANSITION_ACTIVATE)
        self.wait(lambda: self.robot.get("mode") == "active", ANSWER_LIMIT, "mode active")
        self.track.begin(next(stamp for mode, stamp in reversed(self.robot["modes"]) if mode == "active"))

    def await_leader(self) -> None:
        """Wait until a node that commands velocities, such as one of waypoints, is found. Raises ``RobotError``."""
        # One of the publishers is this operator's.
        self.wait(lambda: self._node.count_publishers("cmd_vel") > 1, 20.0, "another node that publishes cmd_vel")

    def deactivate(self) -> None:
        """Deactivate the policy node; the robot goes back to the stand."""
        self._change(Transition.TRANSITION_DEACTIVATE)

    def damp(self) -> None:
        """Ask for damping."""
        self.call(self._triggers["damp"], Trigger.Request())

    def command(self, lin_vel_x: float, lin_vel_y: float, ang_vel_z: float) -> None:
        """Command a velocity from now on, until somebody else commands one: then it is theirs, for good."""
        self._velocity = Velocity(lin_vel_x, lin_vel_y, ang_vel_z)

    def run(self, done: Callable[[], bool]) -> None:
        """Serve until ``done()``."""
        while not done():
            self._check()
            self._spinner.spin_for(0.05)

    def wait(self, done: Callable[[], bool], limit: float, what: str) -> None:
        """Serve until ``done()``. Raises ``RobotError`` after ``limit`` [s], with what the robot says."""
        end = time.monotonic() + limit
        while not done():
            if time.monotonic() > end:
                raise RobotError(expected(f"{what} within {limit:g} s", self._said(), "see /diagnostics"))
            self._check()
            self._spinner.spin_for(0.02)

    def call(self, client: Any, request: Any, start_limit: float = 30.0) -> str:
        """Call a service once it is there and return its message. Raises ``RobotError`` where it refuses."""
        self.wait(client.service_is_ready, start_limit, f"the service {client.srv_name}")
        future = client.call_async(request)
        end = time.monotonic() + ANSWER_LIMIT
        while not self._spinner.spin_until(future, 0.1):
            self._check()
            if time.monotonic() > end:
                raise RobotError(expected(f"an answer of {client.srv_name}", "none", f"one in {ANSWER_LIMIT:g} s"))
        result = future.result()
        if not result.success:
            raise RobotError(f"{client.srv_name}: {getattr(result, 'message', '') or self._said()}")
        return str(getattr(result, "message", ""))

    def close(self) -> None:
        """Stop serving."""
        self._spinner.close()
        self._node.destroy_node()

    def _await_images(self) -> None:
        """Wait for images that come as the policy was trained on, as a camera that starts may be late at first.

        After a while the policy node is asked anyway: whether it may begin, and why not, is for it to say.
        """
        if self.policy.get("reads_depth"):
            end = time.monotonic() + IMAGES_LIMIT
            self.wait(lambda: self._images_fit() or time.monotonic() > end, 2 * IMAGES_LIMIT, "images")

    def _images_fit(self) -> bool:
        delays = self.policy.get("depth_delay_ms", {})
        return bool(delays) and all(each["as_trained"] for each in delays.values())

    def _change(self, transition: int) -> None:
        self.call(self._transition, ChangeState.Request(transition=Transition(id=transition)))

    def _said(self) -> str:
        said = [self.robot.get("message"), self.policy.get("message")]
        return "; ".join(str(text) for text in said if text) or "nothing heard"

    def _diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {**diagnostics.read(status), "message": status.message}
            if status.name == self._robot_name:
                self.robot = values
            elif status.name == self._policy_name:
                self.policy = values
            elif status.name == self._recorder_name:
                self.recorder = values

    def _truth(self, message: Odometry) -> None:
        self.track.add(message)
        if self.on_truth is not None:
            self.on_truth(message)

    def _state(self, message: JointState) -> None:
        self.stamp_ns = to_ns(message.header.stamp)
        if self._velocity is not None and self._cmd_vel.other_at > -math.inf:
            # Whoever lets go of a dead-man button wants the robot to stop, not to walk on as before.
            self._node.get_logger().info("somebody else commands the velocity: the one given here ends")
            self._velocity = None
        if self._velocity is not None and self.stamp_ns >= self._next_velocity_ns:
            self._next_velocity_ns = self.stamp_ns + VELOCITY_PERIOD_NS
            self._cmd_vel.publish(self._velocity, self.stamp_ns)
