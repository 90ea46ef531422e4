"""The operator of a fault run: brings the robot into a mode, hears what it does, and can send what nobody should."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes.bench_operator import ANSWER_LIMIT, START_LIMIT, VELOCITY_PERIOD, BenchOperator
from robot_policies.nodes.runtime import LATCHED, RELIABLE

INSIST = 10.0  # [s] for what the nodes refuse for a moment
FOUND = 0.7  # [s] for a new publisher to be found by those that read it, on a busy machine


class FaultOperator(BenchOperator):
    """Operates one run.

    Attributes:
        modes: (monotonic time [s], mode) as they were heard, oldest first.
        policies: the same of the policy that commands.
        velocity: forward velocity that is commanded [m/s], None for none.
    """

    def __init__(self, domain: int) -> None:
        """Connect."""
        super().__init__(domain, self._beat)
        self.modes: list[tuple[float, str]] = []
        self.policies: list[tuple[float, str]] = []
        self.velocity: float | None = None
        self._next_velocity = 0.0
        self._rogue: dict[str, Any] = {}
        self._node.create_subscription(String, "robot_mode", self._mode, LATCHED)
        self._node.create_subscription(String, "commanding_policy", self._commands, LATCHED)

    def take_control(self, limit: float) -> None:
        """Wait until the robot can be armed: on the wire, its built-in controller is released first."""
        self.wait(lambda: bool(self.robot.get("cycles")), START_LIMIT, "a running robot node")
        self.wait(lambda: not self.robot.get("hardware", {}).get("taking_control"), limit, "control of the robot")

    def stand_up(self) -> None:
        """Stand up, from disarmed, after a landing, or from a policy. Raises ``RobotError`` where that fails."""
        self._insist(self._stand_once)

    def _stand_once(self) -> None:
        if self.mode == "disarmed":
            self.call(self._arm, SetBool.Request(data=True))
        elif self.mode.startswith("landing"):
            self.call(self._triggers["reset"], Trigger.Request())
        self.call(self._triggers["stand"], Trigger.Request())
        self.wait(lambda: self.mode == "stand", ANSWER_LIMIT, "mode stand")
        told = self.told["/robot_node"]  # what is told after the next two was not known before
        self.wait(lambda: self.mode != "stand" or (self.told["/robot_node"] > told + 1 and self.robot["ready"] is True),
                  START_LIMIT, "the robot to stand")  # fmt: skip
        if self.mode != "stand":
            raise RobotError(expected("the robot to stand", self.robot.get("message"), "a machine with time to spare"))

    def activate_again(self) -> None:
        """Activate, though the policy node may not have heard yet that it lost its lease. Raises ``RobotError``."""
        self._insist(lambda: self.activate(configured=True))

    def _insist(self, ask: Callable[[], None]) -> None:
        """Ask until it is granted: on a busy machine a state may be too old for a moment.

        Raises:
            RobotError: the last refusal, after ``INSIST``.
        """
        end = time.monotonic() + INSIST
        while True:
            try:
                ask()
                return
            except RobotError:
                if time.monotonic() > end:
                    raise
                self.watch(0.2)

    def trips(self) -> list[dict[str, Any]]:
        """Return the trips that the robot node has told, oldest first."""
        return list(self.robot.get("trips", []))

    def configure(self) -> None:
        """Configure the policy node, and leave its publisher the time to be found."""
        self._change(Transition.TRANSITION_CONFIGURE)
        self.watch(FOUND)

    def watch(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Serve for ``seconds``, or until ``done``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not done():
            self._beat()
            self._spinner.spin_for(0.005)

    @property
    def mode(self) -> str:
        """The newest mode."""
        return self.modes[-1][1] if self.modes else ""

    @property
    def commanding(self) -> str:
        """The policy that commands."""
        return self.policies[-1][1] if self.policies else ""

    def hand_over(self, after: float, policy: str) -> tuple[float, str] | None:
        """Return when after ``after`` (monotonic [s]) first another than ``policy`` was heard to command, and which."""
        return next(((at, name) for at, name in self.policies if at > after and name != policy), None)

    def send_command(self, profile: str, position: float, count: int = 12) -> None:
        """Publish a joint command that nobody asked for."""
        out = self._publisher("joint_command", JointState)
        message = JointState(position=[position] * count, velocity=[0.0] * count, effort=[0.0] * count)
        message.header.frame_id = profile
        message.header.stamp = self._node.get_clock().now().to_msg()
        out.publish(message)

    def send_velocity(self, x: float) -> None:
        """Publish a velocity [m/s]."""
        message = TwistStamped()
        message.twist.linear.x = x
        self._cmd_vel.publish(message)

    def ask_lease(self, holder: str) -> bool:
        """Ask for the command lease as ``holder``; return whether it was given."""
        values = {"holder": holder, "control_dt_ns": 20_000_000, "gain_profile": "x", "inputs": ["state"]}
        return self._set("command_lease", values)

    def set_gains(self, stiffness: float) -> bool:
        """Offer a gain profile; return whether it was accepted."""
        gains = {"name": "rogue/0", "stiffness": [stiffness] * 12, "damping": [1.0] * 12}
        values = {f"gain_profile.{key}": value for key, value in gains.items()}
        return self._set("robot_node/set_parameters_atomically", values)

    def _set(self, service: str, values: dict[str, Any]) -> bool:
        client = self._rogue.setdefault(service, self._node.create_client(SetParametersAtomically, service))
        self.wait(client.service_is_ready, START_LIMIT, f"the service {service}")
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        future = client.call_async(SetParametersAtomically.Request(parameters=parameters))
        self.wait(future.done, ANSWER_LIMIT, f"an answer of {service}")
        result = future.result()
        if result is None:
            raise RobotError(expected(f"an answer of {service}", "none", "one"))
        return bool(result.result.successful)

    def _publisher(self, topic: str, kind: type) -> Any:
        return self._rogue.setdefault(topic, self._node.create_publisher(kind, topic, RELIABLE))

    def prepare_rogue(self) -> None:
        """Be known as a publisher of commands, long enough before the first one that it arrives."""
        self._publisher("joint_command", JointState)
        self.watch(FOUND)

    def _beat(self) -> None:
        now = time.monotonic()
        if self.velocity is not None and math.isfinite(self.velocity) and now >= self._next_velocity:
            self._next_velocity = now + VELOCITY_PERIOD
            self.send_velocity(self.velocity)

    def _commands(self, message: String) -> None:
        self.policies.append((time.monotonic(), message.data))

    def _mode(self, message: String) -> None:
        self.modes.append((time.monotonic(), message.data))
