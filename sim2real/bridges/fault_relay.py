"""A node between two others that hands messages on, and spoils them on request (``sim2real.faults``)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rclpy.node import Node
from sensor_msgs.msg import Image, JointState

from robot_policies.control import pacing
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.runtime import RELIABLE, Spinner, Stop, refuse_unknown_parameters, run
from sim2real.door import Door, Request
from sim2real.faults.message_faults import MessageFaults

POLL = 0.002  # [s] between looks at the side door and at late messages


class FaultRelay(Node):
    """Hands on ``source`` as ``target``."""

    def __init__(self) -> None:
        super().__init__("fault_relay")
        source, target = parameter(self, "source", "relayed/joint_command"), parameter(self, "target", "joint_command")
        kind = {"JointState": JointState, "Image": Image}[parameter(self, "kind", "JointState")]
        self.faults = MessageFaults()
        self.door = Door(parameter(self, "control", 0), {"fault": self.faults.start, "clear": self._clear})
        refuse_unknown_parameters(self)
        self._out = self.create_publisher(kind, target, RELIABLE)
        self.create_subscription(kind, source, self._take, RELIABLE)

    def late(self) -> None:
        """Hand on what was held back long enough."""
        for message in self.faults.due(time.monotonic()):
            self._out.publish(message)

    def _take(self, message: JointState | Image) -> None:
        for each in self.faults.take(message, time.monotonic()):
            self._out.publish(each)

    def _clear(self, request: Request) -> None:
        self.faults.clear()


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(_main, args)


def _main(stop: Stop) -> None:
    node = FaultRelay()
    spinner = Spinner(node)
    pacing.prepare(node.get_logger().warning)  # it stands in a control path
    while not stop.requested:
        spinner.spin_for(POLL)
        node.door.serve()
        node.late()
    node.door.close()
    spinner.close()


if __name__ == "__main__":
    sys.exit(main())
