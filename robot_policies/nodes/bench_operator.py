"""The operator of a benchmark: brings a robot and a policy to walk, and otherwise stays out of the way.

It reads no states, as each reader costs the robot node a packet per state: diagnostics twice a second, and what goes to
the motors only while it is asked to listen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes import diagnostics
from robot_policies.nodes.runtime import RELIABLE, Spinner
from robot_policies.types import Mode

START_LIMIT = 30.0  # [s] for a process to start on a busy machine
ANSWER_LIMIT = 5.0  # [s]
VELOCITY_PERIOD = 0.1  # [s]


class BenchOperator:
    """Operates ``robot_node`` and ``policy_node`` of one ROS domain.

    Attributes:
        robot, policy: the newest values of their /diagnostics.
        told: how often each has told something.
        sent: (monotonic time [s], gain profile) of each command that went out while listening.
    """

    def __init__(self, domain: int, check: Callable[[], None]) -> None:
        """Connect; ``check`` is called while waiting, and raises when a process has ended."""
        rclpy.init(args=[], domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node("bench_operator")
        self._spinner, self._check = Spinner(self._node), check
        self.robot: dict[str, Any] = {}
        self.policy: dict[str, Any] = {}
        self.told = {"/robot_node": 0, "/policy_node": 0}
        self.sent: list[tuple[float, str]] = []
        self._listening: Subscription | None = None
        node = self._node
        self._triggers = {name: node.create_client(Trigger, name) for name in ("stand", "reset")}
        self._arm = node.create_client(SetBool, "arm")
        self._transition = node.create_client(ChangeState, "policy_node/change_state")
        self._cmd_vel = node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
        self._velocity = TwistStamped()  # with a zero stamp it counts from its receipt
        node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnostics, 10)

    def stand(self) -> None:
        """Arm and stand up, after a trip too. Raises ``RobotError`` where the robot does not get there."""
        self.wait(lambda: bool(self.robot.get("cycles")), START_LIMIT, "a running robot node")
        if self.robot.get("mode") == Mode.DISARMED.value:
            self.call(self._arm, SetBool.Request(data=True))
        else:
            self._reset()
        self.call(self._triggers["stand"], Trigger.Request())
        self.wait(lambda: self.robot.get("ready") is True, START_LIMIT, "the robot to stand")

    def _reset(self) -> None:
        """Reset, again and again while the cause of a trip lasts, such as a machine that is too busy."""
        end = time.monotonic() + ANSWER_LIMIT
        while True:
            try:
                self.call(self._triggers["reset"], Trigger.Request())
                return
            except RobotError:
                if time.monotonic() > end:
                    raise
            self._spinner.spin_for(0.2)

    def activate(self, configured: bool = False) -> None:
        """Configure, unless it is, and activate the policy node. Raises ``RobotError`` with its reason."""
        if not configured:
            self._change(Transition.TRANSITION_CONFIGURE)
        self.wait(self._images_fit, START_LIMIT, "images that come as the policy was trained")
        self._change(Transition.TRANSITION_ACTIVATE)
        self.wait(lambda: self.robot.get("mode") == Mode.ACTIVE.value, ANSWER_LIMIT, "mode active")

    def _images_fit(self) -> bool:
        if "reads_depth" not in self.policy:
            return False
        delays = self.policy.get("depth_delay_ms", {})
        return not self.policy["reads_depth"] or (bool(delays) and all(each["as_trained"] for each in delays.values()))

    def _change(self, transition: int) -> None:
        self.call(self._transition, ChangeState.Request(transition=Transition(id=transition)))

    def drive(self, seconds: float, lin_vel_x: float = 0.0) -> None:
        """Let ``seconds`` pass, and command a forward velocity [m/s] ten times a second meanwhile."""
        self._velocity.twist.linear.x = lin_vel_x
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._check()
            if lin_vel_x != 0.0:
                self._cmd_vel.publish(self._velocity)
            time.sleep(min(VELOCITY_PERIOD, left))  # nothing is served meanwhile, so that nothing of ours runs
        self._spinner.spin_for(0.0)

    def listen(self, on: bool) -> None:
        """Begin to hear what goes to the motors, or stop."""
        if on and self._listening is None:
            self._listening = self._node.create_subscription(JointState, "joint_command_sent", self._hear, 100)
        elif not on and self._listening is not None:
            self._node.destroy_subscription(self._listening)
            self._listening = None

    def first_sent(self, profile: str, after: float, limit: float = 2.0) -> float:
        """Return how long after ``after`` (monotonic [s]) the first command of ``profile`` was heard [s]."""

        def found() -> list[float]:
            return [at - after for at, name in self.sent if at >= after and name == profile]

        self.wait(lambda: bool(found()), limit, f"a command of {profile}")
        return found()[0]

    def wait(self, done: Callable[[], bool], limit: float, what: str) -> None:
        """Serve until ``done()``. Raises ``RobotError`` after ``limit`` [s], with what the nodes say."""
        end = time.monotonic() + limit
        while not done():
            if time.monotonic() > end:
                said = [str(values["message"]) for values in (self.robot, self.policy) if values.get("message")]
                raise RobotError(
                    expected(f"{what} within {limit:g} s", "; ".join(said) or "nothing heard", "see above")
                )
            self._check()
            self._spinner.spin_for(0.005)

    def call(self, client: Any, request: Any) -> None:
        """Call a service once it is there. Raises ``RobotError`` where it refuses."""
        self.wait(client.service_is_ready, START_LIMIT, f"the service {client.srv_name}")
        future = client.call_async(request)
        self.wait(future.done, ANSWER_LIMIT, f"an answer of {client.srv_name}")
        result = future.result()
        if not result.success:
            why = getattr(result, "message", "") or self.policy.get("message") or self.robot.get("message")
            raise RobotError(f"{client.srv_name}: {why}")

    def close(self) -> None:
        """Disconnect."""
        self._spinner.close()
        self._node.destroy_node()
        rclpy.try_shutdown()

    def _hear(self, message: JointState) -> None:
        self.sent.append((time.monotonic(), message.header.frame_id))

    def _diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name not in self.told:
                continue
            self.told[status.name] += 1
            values = {**diagnostics.read(status), "message": status.message}
            if status.name == "/robot_node":
                self.robot = values
            else:
                self.policy = values
