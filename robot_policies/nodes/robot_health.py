"""What a robot tells beside its state, on ROS: ``battery``, ``joy``, diagnostics; its remote's buttons are requests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import BatteryState, Joy

from robot_policies.control.robot_step import RobotStep
from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.joystick import BUTTONS, PadLayout
from robot_policies.nodes.runtime import RELIABLE
from robot_policies.robots.robot import Robot, TellsHealth
from robot_policies.safety.state_machine import Request
from robot_policies.types import Battery, Remote, RobotHealth

BATTERY_NS = 1_000_000_000  # [ns] between two messages
JOY_NS = 50_000_000  # [ns], 20 Hz as ROS's joy node repeats


class HealthPort:
    """Reads the health of a robot that tells it, publishes it, and obeys its remote; idle for all other robots."""

    def __init__(self, node: Node, robot: Robot, step: RobotStep, now_ns: Callable[[], int]) -> None:
        """Make the publishers."""
        self._robot = robot if isinstance(robot, TellsHealth) else None
        self._step, self._now_ns, self._say = step, now_ns, node.get_logger().info
        self._battery = node.create_publisher(BatteryState, "battery", RELIABLE)
        self._joy = node.create_publisher(Joy, "joy", RELIABLE)
        # The same layout as of a pad: the vendor's remote stops the robot by the same buttons.
        self._services = PadLayout().services()
        self._pressed: frozenset[str] | None = None  # None until the remote was heard
        self._health: RobotHealth | None = None
        self._next_battery = self._next_joy = 0

    def read(self) -> RobotHealth | None:
        """Return what belongs to the newest state, after doing what the remote asks."""
        if self._robot is None:
            return None
        self._health = self._robot.health()
        self._obey(self._health.remote)
        return self._health

    def publish(self, stamp_ns: int) -> None:
        """Publish what is due; after what a policy or the motors wait for."""
        health = self._health
        if health is None:
            return
        if health.battery is not None and stamp_ns >= self._next_battery:
            self._next_battery = stamp_ns + BATTERY_NS
            self._battery.publish(_battery_message(health.battery, stamp_ns))
        if health.remote is not None and stamp_ns >= self._next_joy:
            self._next_joy = stamp_ns + JOY_NS
            self._joy.publish(_joy_message(health.remote, stamp_ns))

    def report(self) -> Mapping[str, Any]:
        """Return the robot's own report, empty where it has none."""
        return {} if self._robot is None else self._robot.report()

    def _obey(self, remote: Remote | None) -> None:
        if remote is None:
            self._pressed = None
            return
        # A button that is down when the remote is first heard was pressed for something else.
        before = remote.pressed if self._pressed is None else self._pressed
        self._pressed = remote.pressed
        for button in sorted(remote.pressed - before):
            service = self._services.get(button)
            if service is not None:
                reply = self._step.request(Request(service), self._now_ns())
                self._say(f"the remote asks for {service}: {reply.message}")


def _battery_message(battery: Battery, stamp_ns: int) -> BatteryState:
    status = BatteryState.POWER_SUPPLY_STATUS_DISCHARGING
    message = BatteryState(
        voltage=battery.voltage,
        current=battery.current,
        percentage=battery.charge,
        temperature=battery.temperature,
        cell_voltage=list(battery.cells),
        charge=math.nan,
        capacity=math.nan,
        design_capacity=math.nan,
        power_supply_status=status if battery.current < 0.0 else BatteryState.POWER_SUPPLY_STATUS_UNKNOWN,
        present=True,
    )
    set_stamp(message.header.stamp, stamp_ns)
    return message


def _joy_message(remote: Remote, stamp_ns: int) -> Joy:
    message = Joy(axes=list(remote.axes), buttons=[int(name in remote.pressed) for name in BUTTONS])
    set_stamp(message.header.stamp, stamp_ns)
    return message
