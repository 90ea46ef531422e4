"""The viewer as a user starts it, and a robot of two links that is played for it."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from helpers.node_process import Probe, command, running
from helpers.page_client import PageClient
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from visualization_msgs.msg import MarkerArray

from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.runtime import LATCHED, RELIABLE

VIEWER = "robot_policies.nodes.viewer_node"
URDF = """<robot name="two_links">
  <link name="base"><visual><geometry><box size="0.4 0.2 0.1"/></geometry>
    <material name="red"><color rgba="1 0 0 1"/></material></visual></link>
  <link name="leg"><visual><origin xyz="0 0 -0.15"/>
    <geometry><cylinder radius="0.02" length="0.3"/></geometry></visual></link>
  <joint name="hip" type="revolute"><parent link="base"/><child link="leg"/>
    <origin xyz="0.2 0 0"/><axis xyz="0 1 0"/></joint>
</robot>"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Robot:
    """Stands for the robot node."""

    def __init__(self, probe: Probe, urdf: str = URDF) -> None:
        node = probe.node
        self._probe = probe
        self.description = node.create_publisher(String, "robot_description", LATCHED)
        self.mode = node.create_publisher(String, "robot_mode", LATCHED)
        self.joints = node.create_publisher(JointState, "joint_states", RELIABLE)
        self.truth = node.create_publisher(Odometry, "ground_truth/odom", RELIABLE)
        self.imu = node.create_publisher(Imu, "imu/data", RELIABLE)
        self.diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.command = node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
        self.sent = node.create_publisher(JointState, "joint_command_sent", RELIABLE)
        self.depth = node.create_publisher(Image, "depth/image_rect", RELIABLE)
        self.ground = node.create_publisher(MarkerArray, "ground", LATCHED)
        self.calls: list[str] = []
        for name in ("stand", "damp", "estop", "reset"):
            node.create_service(Trigger, name, self._service(name))
        node.create_service(SetBool, "arm", self._service("arm"))
        self.description.publish(String(data=urdf))
        self.mode.publish(String(data="active"))
        self.commanding = node.create_publisher(String, "commanding_policy", LATCHED)

    def _service(self, name: str) -> Any:
        def callback(request: Any, response: Any) -> Any:
            self.calls.append("disarm" if name == "arm" and not request.data else name)
            response.success, response.message = True, f"{name} <done>"
            return response

        return callback

    def state(self, hip: float, x: float = 0.0, truth: bool = True, roll: float = 0.0) -> None:
        joints, odometry, imu = JointState(name=["hip"], position=[hip]), Odometry(), Imu()
        for message in (joints, odometry, imu):
            set_stamp(message.header.stamp, time.time_ns())
        imu.orientation.w, imu.orientation.x = math.cos(roll / 2), math.sin(roll / 2)
        odometry.pose.pose.orientation = imu.orientation
        odometry.pose.pose.position.x, odometry.pose.pose.position.z = x, 0.4
        odometry.twist.twist.linear.x = 0.75
        for message, publisher in ((odometry, self.truth), (imu, self.imu), (joints, self.joints)):
            if truth or publisher is not self.truth:
                publisher.publish(message)

    def until(self, client: PageClient, done: Callable[[], Any], seconds: float = 15.0, **state: Any) -> bool:
        """Publish states while the page is read, until ``done()``; return whether it is done in time."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            self.drive(client, 0.1, **state)
        return True

    def drive(self, client: PageClient, seconds: float, **state: Any) -> None:
        """Publish states at 50 Hz while the page is read."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.state(**state)
            self._probe.spin(0.01)
            client.read(0.01)


@contextmanager
def page(domain: int, port: int, *parameters: str) -> Iterator[PageClient]:
    with running(command(VIEWER, f"port:={port}", *parameters), domain) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"viewer: http://127.0.0.1:{port}\n"
        client = PageClient(port)
        try:
            yield client
        finally:
            client.close()
