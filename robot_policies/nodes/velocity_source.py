"""One of several sources of ``cmd_vel``: it hears the others, so that no two fight over the robot.

A message carries no sender. A source knows its own by stamp and values.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.runtime import RELIABLE
from robot_policies.nodes.velocity_ranges import Velocity

OWN = 64  # own messages that may be on their way back to us; sources send at 10 to 20 Hz
HEARD = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)  # also sources that offer no more

FRESH = 1.0  # [s] after which a command that came no more does not count

Key = tuple[int, float, float, float]


class VelocitySource:
    """Publishes velocities and keeps what it hears on the topic.

    Attributes:
        newest: the newest message of anybody and when it came (monotonic [s]), None before the first.
        other_at: when somebody else's newest message came (monotonic [s]), -inf before the first.
    """

    def __init__(
        self, node: Node, stamped: bool = True, frame: str = "base_link", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make both ends of ``cmd_vel``: TwistStamped, or Twist unless ``stamped``; receipts are timed by ``clock``."""
        self._stamped, self._frame, self._clock = stamped, frame, clock
        self.newest: tuple[float, Velocity] | None = None
        self.other_at = -math.inf
        self._own: deque[Key] = deque(maxlen=OWN)
        self._stamp_ns = 0
        self._times: deque[float] = deque(maxlen=OWN)
        kind = TwistStamped if stamped else Twist
        self._publisher = node.create_publisher(kind, "cmd_vel", RELIABLE)
        node.create_subscription(kind, "cmd_vel", self._hear, HEARD)

    def publish(self, velocity: Velocity, stamp_ns: int) -> None:
        """Publish one velocity command with that stamp."""
        message = TwistStamped()
        set_stamp(message.header.stamp, stamp_ns)
        message.header.frame_id = self._frame
        twist = message.twist
        twist.linear.x, twist.linear.y, twist.angular.z = velocity
        sent = message if self._stamped else twist
        self._own.append(_key(sent))
        self._publisher.publish(sent)

    def forget(self) -> None:
        """Forget what was heard, as another time of a recording comes."""
        self.newest, self._stamp_ns = None, 0
        self._times.clear()

    def age(self, now_ns: int) -> float | None:
        """Return how old the newest command is at ``now_ns`` by its stamp, else since its receipt [s]; None: none."""
        if self.newest is None:
            return None
        since = self._clock() - self.newest[0]
        return since if since > FRESH or not self._stamp_ns else (now_ns - self._stamp_ns) * 1e-9

    def rate(self) -> float | None:
        """Return how often commands come [Hz], over the last ones; None where they do not."""
        if len(self._times) < 2 or self._clock() - self._times[-1] > FRESH:
            return None
        span = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / span if span > 0.0 else None

    def _hear(self, message: Any) -> None:
        key = _key(message)
        now = self._clock()
        self.newest = now, Velocity(*key[1:])
        self._stamp_ns = key[0]
        self._times.append(now)
        if key not in self._own:
            self.other_at = now


def _key(message: Any) -> Key:
    stamp_ns = to_ns(message.header.stamp) if isinstance(message, TwistStamped) else 0
    twist = getattr(message, "twist", message)
    return stamp_ns, twist.linear.x, twist.linear.y, twist.angular.z
