"""The viewer as a ROS node: what it hears, and what a press on its page asks of the robot."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.robot_services import RobotServices
from robot_policies.nodes.runtime import refuse_unknown_parameters
from robot_policies.nodes.velocity_ranges import RANGE_DEFAULTS, VelocityRanges, velocity_range
from robot_policies.nodes.velocity_source import VelocitySource
from robot_policies.nodes.viewer_controls import Held, Pressed, Released
from robot_policies.nodes.viewer_facts import Facts
from robot_policies.nodes.viewer_inputs import ViewerInputs
from robot_policies.nodes.viewer_pad import Pad
from robot_policies.nodes.viewer_walk import Walk


class ViewerNode(Node):
    """Hears what the page shows, and carries what is pressed on it to the robot.

    Attributes:
        note: the last answer to something that was pressed.
    """

    def __init__(self) -> None:
        super().__init__("viewer_node")
        self.host = parameter(self, "host", "127.0.0.1")
        self.port = parameter(self, "port", 8080)
        self.browser = parameter(self, "browser", False)
        rate = parameter(self, "rate", 25.0)  # [Hz] of the picture
        stamped = parameter(self, "cmd_vel_stamped", True)  # False: cmd_vel is geometry_msgs/Twist
        policy_node = parameter(self, "policy_node", "policy_node")
        depth_topic = parameter(self, "depth_topic", "depth/image_rect")
        near, far = (parameter(self, name, value) for name, value in (("depth_near", 0.2), ("depth_far", 3.0)))
        ranges = {name: parameter(self, name, default) for name, default in RANGE_DEFAULTS}
        refuse_unknown_parameters(self)
        if not 1.0 <= rate <= 60.0:
            raise InputError(expected("viewer_node: rate", rate, "1 to 60 Hz"))
        if not 0.0 <= near < far < math.inf:
            raise InputError(expected("viewer_node: depth_near, depth_far", f"{near}, {far}", "0 <= near < far [m]"))
        self.ranges = VelocityRanges(*(velocity_range(f"viewer_node: {name}", value) for name, value in ranges.items()))
        self.depth_range = (near, far)
        self.period = 1.0 / rate
        self.note = ""
        self.facts = Facts(self.get_namespace())
        self.create_subscription(DiagnosticArray, "/diagnostics", self.facts.take, 10)
        self.inputs = ViewerInputs(self, depth_topic, self.say)
        self.velocity = VelocitySource(self, stamped)
        self.pad = Pad(self.velocity, self.now_ns, self.say)
        self.robot = RobotServices(self, self._answered)
        self.walk = Walk(self, policy_node, self.facts, self.say)

    def now_ns(self) -> int:
        """Return the time by which ages are told [ns]; the robot's in lockstep."""
        return int(self.get_clock().now().nanoseconds)

    def clock(self) -> float:
        """Return the time by which it counts what is heard as fresh [s]."""
        return time.monotonic()

    def serve(self, events: Iterable[object], now: float) -> None:
        """Carry what browsers ask for at ``now`` (monotonic [s]) to the robot, and go on with what is under way."""
        for event in events:
            self.act(event, now)
        self.robot.poll(now)
        self.walk.step()
        self.pad.step(now)

    def played(self) -> str:
        """Return where in a recording this is; "", as it is now."""
        return ""

    def say(self, text: str) -> None:
        """Show ``text`` on the page until something else is said."""
        self.note = text

    def act(self, event: object, now: float) -> None:
        """Do what a browser asks for."""
        if isinstance(event, Held):
            self.pad.held(event.client, event.velocity, now)
        elif isinstance(event, Released):
            self.pad.released(event.client)
        elif isinstance(event, Pressed) and event.request == "walk":
            self.walk.begin()
        elif isinstance(event, Pressed):
            self.walk.cancel(event.request)
            self.robot.call(event.request)

    def _answered(self, service: str, success: bool, message: str) -> None:
        self.say(f"{service}: {message or ('done' if success else 'refused')}")
