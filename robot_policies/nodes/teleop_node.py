"""Teleop: a keyboard or a game pad becomes ``cmd_vel`` and calls of the robot node's services."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.node import Node
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.joystick import PadLayout, PadState, PadTeleop, SdlPad
from robot_policies.nodes.keyboard import HELP, KeyboardTeleop, RawTerminal
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.robot_services import RobotServices
from robot_policies.nodes.runtime import LATCHED, RELIABLE, Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.nodes.velocity_ranges import RANGE_DEFAULTS, ZERO, Velocity, VelocityRanges, velocity_range

POLL = 0.01  # [s] between looks at the device: what an emergency stop waits at most
ZEROS = 5  # zero commands after the dead-man button was released, before silence
DEVICES = ("keyboard", "joystick")


class TeleopNode(Node):
    """Publishes what the device asks for at a fixed rate; the device itself is polled faster."""

    def __init__(self) -> None:
        super().__init__("teleop_node")
        self.device = parameter(self, "device", "keyboard")
        rate = parameter(self, "rate", 20.0)  # [Hz]
        self._stamped = parameter(self, "cmd_vel_stamped", True)  # False: geometry_msgs/Twist
        self._frame = parameter(self, "frame", "base_link")
        self.ranges = VelocityRanges(*(self._range(name, default) for name, default in RANGE_DEFAULTS))
        policy_node = parameter(self, "policy_node", "policy_node")
        self.pad_index = parameter(self, "pad", 0)
        self.dead_zone = parameter(self, "dead_zone", 0.05)
        layout = {role: parameter(self, f"button_{role}", getattr(PadLayout(), role)) for role in PadLayout.__slots__}
        refuse_unknown_parameters(self)
        self.layout = PadLayout(**layout)
        if self.device not in DEVICES:
            raise InputError(expected("teleop_node: device", self.device, DEVICES))
        if not 1.0 <= rate <= 100.0:
            raise InputError(expected("teleop_node: rate", rate, "1 to 100 Hz"))
        self._period, self._next = 1.0 / rate, 0.0
        self._zeros = 0  # zero commands still to send
        self.mode = "no robot node"
        self._cmd_vel = self.create_publisher(TwistStamped if self._stamped else Twist, "cmd_vel", RELIABLE)
        self._joy = self.create_publisher(Joy, "joy", RELIABLE)
        self.create_subscription(String, "robot_mode", self._on_mode, LATCHED)
        self.robot = RobotServices(self, _tell, policy_node)

    def send(self, velocity: Velocity | None, pad: PadState | None, now: float) -> bool:
        """Publish what is due at ``now`` (monotonic [s]) and return whether anything was due.

        None releases the robot: a few zero commands, then silence, so that another source may command.
        """
        self.robot.poll(now)
        if now < self._next:
            return False
        # Absolute deadlines keep the rate; after a gap they start anew instead of catching up.
        self._next = max(self._next + self._period, now)
        self._zeros = ZEROS if velocity is not None else max(self._zeros - 1, -1)
        if velocity is not None or self._zeros >= 0:
            self.publish(velocity or ZERO)
        if pad is not None:
            joy = Joy(axes=list(pad.axes), buttons=[int(button) for button in pad.buttons])
            joy.header.stamp = self.get_clock().now().to_msg()
            self._joy.publish(joy)
        return True

    def publish(self, velocity: Velocity) -> None:
        """Publish one velocity command, stamped with the node's clock."""
        message = TwistStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self._frame
        twist = message.twist
        twist.linear.x, twist.linear.y, twist.angular.z = velocity
        self._cmd_vel.publish(message if self._stamped else twist)

    def _range(self, name: str, default: list[float]) -> tuple[float, float]:
        return velocity_range(f"teleop_node: {name}", parameter(self, name, default))

    def _on_mode(self, message: String) -> None:
        self.mode = message.data


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(_main, args)


def _main(stop: Stop) -> None:
    node = TeleopNode()
    spinner = Spinner(node)
    with ExitStack() as stack:
        step = (_keyboard if node.device == "keyboard" else _joystick)(node, stack)
        # Also when the device goes: the robot is not left with the last velocity.
        stack.callback(node.publish, ZERO)
        while not stop.requested:
            step()
            spinner.spin_for(POLL)


def _keyboard(node: TeleopNode, stack: ExitStack) -> Callable[[], None]:
    terminal = stack.enter_context(RawTerminal())
    teleop = KeyboardTeleop(node.ranges)
    _say(f"{HELP}\n")
    stack.callback(_say, "\n")

    def step() -> None:
        for key in terminal.pressed():
            service = teleop.press(key)
            if service:
                node.robot.call(service)
        if node.send(teleop.velocity, None, time.monotonic()):
            x, y, turn = teleop.velocity
            _say(f"\r\x1b[Kx {x:+.2f} m/s  y {y:+.2f} m/s  turn {turn:+.2f} rad/s  {node.mode}")

    return step


def _joystick(node: TeleopNode, stack: ExitStack) -> Callable[[], None]:
    pad = SdlPad(node.pad_index)
    stack.callback(pad.close)
    teleop = PadTeleop(node.ranges, node.layout, node.dead_zone)
    roles = ", ".join(f"{getattr(node.layout, role)} {role}" for role in PadLayout.__slots__)
    _say(f"game pad {node.pad_index}: {roles}\n")

    def step() -> None:
        state = pad.read()
        velocity, services = teleop.update(state)
        for service in services:
            node.robot.call(service)
        node.send(velocity, state, time.monotonic())

    return step


def _tell(service: str, success: bool, message: str) -> None:
    _say(f"\r\x1b[K{service}: {'done' if success else 'refused'}{', ' if message else ''}{message}\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
