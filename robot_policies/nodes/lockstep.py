"""How simulated sensors in processes of their own hold the simulator, in lockstep, until they have given what is due.

Each says on ``lockstep_horizon`` up to which stamp the simulator may go without asking: nothing comes out of it before
that. At that stamp the simulator first says where everything is (``ground_truth/odom``), waits until every sensor has
set a later horizon, and only then publishes the robot's state. What a sensor gives by a stamp is so on its way before
the state that a policy ticks on, and a sensor may work ahead in the time of its delay.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.task import Future
from std_msgs.msg import Header

from robot_policies.exceptions import LockstepTimeout, expected
from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.runtime import LATCHED, Spinner

TOPIC = "lockstep_horizon"
NEVER_NS = 2**31 * 1_000_000_000 - 1  # the last stamp of ROS: a sensor that has ended holds nobody
LIMIT = 5.0  # [s] of wall clock, DESIGN section 5
# Every sensor's newest horizon, also for a simulator that starts later.
_ALL = QoSProfile(
    depth=32, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL
)  # fmt: skip


class Horizon:
    """A sensor's side."""

    def __init__(self, node: Node) -> None:
        """Say nothing yet: a sensor that has not seen a state holds nobody."""
        self._publisher = node.create_publisher(Header, TOPIC, LATCHED)
        self._message = Header(frame_id=node.get_fully_qualified_name())
        self._stamp_ns: int | None = None

    def set(self, stamp_ns: int) -> None:
        """Let the simulator go on to before ``stamp_ns``."""
        if stamp_ns != self._stamp_ns:
            self._stamp_ns = stamp_ns
            set_stamp(self._message.stamp, stamp_ns)
            self._publisher.publish(self._message)

    def end(self) -> None:
        """Hold nobody any more."""
        if self._stamp_ns is not None:
            self.set(NEVER_NS)


class Sensors:
    """The simulator's side: the horizons of all sensors that have said one."""

    def __init__(self, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        """Listen with a node of its own: while a cycle waits here, nothing else that is asked of ``node`` may act."""
        self._node = Node(
            f"{node.get_name()}_sensors",
            context=node.context,
            namespace=node.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
        )
        self._spinner, self._clock = Spinner(self._node), clock
        self._horizons: dict[str, int] = {}
        self._waiting: Future | None = None
        self._node.create_subscription(Header, TOPIC, self._hear, _ALL)

    def wait(self, stamp_ns: int) -> None:
        """Return when no sensor has anything left to give by ``stamp_ns``.

        Raises:
            LockstepTimeout: one has been silent for the wall-clock limit; says which.
        """
        end = self._clock() + LIMIT
        self._spinner.spin_for(0.0)
        while self._behind(stamp_ns):
            self._waiting = Future()
            if not self._spinner.spin_until(self._waiting, end - self._clock()):
                asked = f"lockstep: all that {', '.join(self._behind(stamp_ns))} has to give by stamp {stamp_ns}"
                raise LockstepTimeout(expected(asked, f"nothing said for {LIMIT:g} s", "a sensor that keeps up"))

    def close(self) -> None:
        """Stop listening."""
        self._spinner.close()
        self._node.destroy_node()

    def _behind(self, stamp_ns: int) -> list[str]:
        return [name for name, horizon_ns in self._horizons.items() if horizon_ns <= stamp_ns]

    def _hear(self, message: Header) -> None:
        self._horizons[message.frame_id] = to_ns(message.stamp)
        if self._waiting is not None:
            self._waiting.set_result(None)
            self._waiting = None
