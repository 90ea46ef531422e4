"""A firmware peer as a node of a bring-up: a robot on its wire, and what only a simulator knows as ROS topics.

The peer itself speaks no ROS. Here it gets its options from parameters, and viewer, camera and report get the truth.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nav_msgs.msg import Odometry
from rclpy.node import Node
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from robot_policies.control import pacing
from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes.conversions import odometry
from robot_policies.nodes.ground_markers import ground_markers
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.runtime import LATCHED, RELIABLE, Stop, refuse_unknown_parameters, run
from sim2real.firmware.board import PERIOD
from sim2real.firmware.peer import Peer, PeerOptions
from sim2real.firmware.robots import ROBOTS, robot_link, robot_spec
from sim2real.mujoco.ground_shape import ground_shape
from sim2real.mujoco.urdf import robot_description

WORLD = "world"
TRUTH_TICKS = round(0.01 / PERIOD)  # the truth 100 times a second


class FirmwareNode(Node):
    """One peer; see ``robot-policies firmware``."""

    def __init__(self) -> None:
        super().__init__("firmware_node")
        kind = parameter(self, "robot", "go2")
        if kind not in ROBOTS:
            raise RobotError(expected("robot", kind, ROBOTS))
        interface, domain = parameter(self, "interface", "lo"), parameter(self, "domain", 0)
        port, prefix = parameter(self, "port", 8007), parameter(self, "frame_prefix", "")
        options = self._options(kind)
        refuse_unknown_parameters(self)
        self.link = robot_link(kind, interface, domain, port)
        self.peer = Peer(robot_spec(kind), options)
        body = self.peer.board.body
        self._truth = self.create_publisher(Odometry, "ground_truth/odom", RELIABLE)
        self._message = Odometry(child_frame_id=prefix + body.spec.base_frame)
        self._message.header.frame_id = prefix + WORLD
        self._description = self.create_publisher(String, "robot_description", LATCHED)
        self._description.publish(String(data=robot_description(body.spec, body.model)))
        self._ground = self.create_publisher(MarkerArray, "ground", LATCHED)
        self._ground.publish(ground_markers(ground_shape(body.model), prefix + WORLD))
        self.get_logger().info(f"{kind} on {interface}; faults: UDP 127.0.0.1:{self.peer.control.port}")

    def _options(self, kind: str) -> PeerOptions:
        log, mode = parameter(self, "log", ""), parameter(self, "mode", ROBOTS[kind].mode)
        return PeerOptions(
            terrain=parameter(self, "terrain", "") or None,
            seed=parameter(self, "seed", 0),
            noise=parameter(self, "noise", 1.0),
            mode="" if mode == "released" else mode,
            control=parameter(self, "control", 0),
            impossible=ROBOTS[kind].impossible,
            log=Path(log) if log else None,
        )

    def tick(self) -> None:
        """Let the peer tick, and tell the truth when it is due."""
        self.peer.tick(self.link)
        if self.peer.board.ticks % TRUTH_TICKS == 0:
            truth = self.peer.board.body.truth()
            pose, twist = (truth.position, truth.quat_wxyz), (truth.lin_vel, truth.ang_vel)
            odometry(self._message, time.time_ns(), pose, twist)
            self._truth.publish(self._message)

    def end(self) -> None:
        """Say how the peer did, and close it."""
        status = self.peer.status()
        self.get_logger().info(
            f"{status['rate_hz']} Hz, {status['cpu_percent']} % of a core, {status['missed']} missed"
        )
        self.peer.close()
        self.link.close()


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(_main, args)


def _main(stop: Stop) -> None:
    node = FirmwareNode()
    pacing.prepare(node.get_logger().warning)
    while not stop.requested:
        node.tick()
    node.end()


if __name__ == "__main__":
    sys.exit(main())
