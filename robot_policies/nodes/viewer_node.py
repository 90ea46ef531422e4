"""The viewer: a page on this machine that shows the robot and the stack, and from which a person can drive it.

The robot's looks come from ``robot_description``, what it stands on from ``ground``; joints from ``joint_states``;
where the base is from ``ground_truth/odom``, else from ``odom``, else from the IMU, standing on its lowest part.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.robot_services import RobotServices
from robot_policies.nodes.runtime import Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.nodes.velocity_ranges import RANGE_DEFAULTS, VelocityRanges, velocity_range
from robot_policies.nodes.velocity_source import VelocitySource
from robot_policies.nodes.viewer_browser import open_browser
from robot_policies.nodes.viewer_controls import Held, Pressed
from robot_policies.nodes.viewer_facts import Facts
from robot_policies.nodes.viewer_inputs import ViewerInputs
from robot_policies.nodes.viewer_loop import Loop
from robot_policies.nodes.viewer_pad import Pad
from robot_policies.nodes.viewer_page import Page, PageUnavailable, first_free
from robot_policies.nodes.viewer_walk import Walk

UNAVAILABLE = 3  # exit code: no page, but nothing is wrong with the robot
PORTS = 10  # tried, from the one that was asked for on
CALLBACKS = 64  # as many as can wait at once: topics, answers, requests for parameters
STUCK = 1.0  # [s] that waiting callbacks may take at most


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
        if not 0.0 <= near < far < float("inf"):
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

    def say(self, text: str) -> None:
        """Show ``text`` on the page until something else is said."""
        self.note = text

    def act(self, event: object, now: float) -> None:
        """Do what a browser asks for."""
        if isinstance(event, Held):
            self.pad.held(event.client, event.velocity, now)
        elif not isinstance(event, Pressed):
            self.pad.released(event.client)  # type: ignore[attr-defined]
        elif event.request == "walk":
            self.walk.begin()
        else:
            self.walk.cancel(event.request)
            self.robot.call(event.request)

    def _answered(self, service: str, success: bool, message: str) -> None:
        self.say(f"{service}: {message or ('done' if success else 'refused')}")


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
    port = first_free(node.host, node.port, PORTS)
    page = Page(node.host, port, node.ranges, node.depth_range)
    taken = "" if port == node.port else f" (port {node.port} is taken; viewer_port:=PORT chooses another)"
    sys.stdout.write(f"viewer: {page.address}{taken}\n")
    sys.stdout.flush()
    if node.browser:
        open_browser(page.address)
    spinner = Spinner(node)
    loop = Loop(node, page)
    while not stop.requested:
        started = time.monotonic()
        serve_waiting(spinner)
        loop.step(time.monotonic())
        time.sleep(max(0.0, started + loop.period() - time.monotonic()))
    page.close()


def serve_waiting(spinner: Spinner) -> None:
    """Serve every callback that waits, and no more.

    States come four times as often as this is called. As nothing is served in between, only the newest message of each
    topic is ever taken, which halves what the viewer costs.
    """
    executor = spinner.executor
    if isinstance(executor, SingleThreadedExecutor):  # looks at what is ready each time; a task would come first
        for _ in range(CALLBACKS):
            executor.spin_once(timeout_sec=0.0)
        return
    # Events are served in order, so a task that is put behind them is done when they are.
    executor.spin_until_future_complete(executor.create_task(lambda: None), STUCK)


if __name__ == "__main__":
    sys.exit(main())
