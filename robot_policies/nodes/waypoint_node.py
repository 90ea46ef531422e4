"""Waypoints: follows a list of points by asking for velocities, with ``odom`` as the only thing that says where it is.

``odom`` has an orientation and a velocity, estimated; its position is zero where nobody estimates one, so by default
positions are added up from the velocity. Ground truth is never read.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

from nav_msgs.msg import Odometry, Path
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import String

from robot_policies.control.waypoints import DeadReckoning, Point, WaypointFollower, load_waypoints
from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.conversions import to_ns, wxyz
from robot_policies.nodes.diagnostics import OK, WARN, Diagnostics
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.runtime import LATCHED, RELIABLE, Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.nodes.velocity_ranges import ZERO, Velocity
from robot_policies.nodes.velocity_source import VelocitySource
from robot_policies.policies.heading import yaw_of
from robot_policies.types import Mode

PERIOD_NS = 50_000_000  # [ns] of odom's clock between two velocities
ZEROS = 5  # zero velocities at the end, before silence
QUEUE = QoSProfile(depth=200, reliability=QoSReliabilityPolicy.BEST_EFFORT)  # 1 s at 200 Hz: a sum leaves none out
LOST = 0.5  # [s] without odom, after which the robot is stopped
REPORT = 0.5  # [s]
POSITIONS = ("twist", "pose")


class WaypointNode(Node):
    """Goes from point to point while the robot is active; stops at the end, and where it does not know where it is."""

    def __init__(self) -> None:
        super().__init__("waypoint_node")
        file = parameter(self, "file", "")
        speed, reached = parameter(self, "speed", 0.5), parameter(self, "reached", 0.3)
        self._from = parameter(self, "position", "twist")
        stamped = parameter(self, "cmd_vel_stamped", True)
        refuse_unknown_parameters(self)
        if self._from not in POSITIONS:
            raise InputError(expected("waypoint_node: position", self._from, POSITIONS))
        self._speed, self._reached = speed, reached
        self._follower: WaypointFollower | None = None
        if file:
            waypoints = load_waypoints(file)
            self._follower = WaypointFollower(waypoints.points, waypoints.speed, waypoints.reached)
        self._reckoning = DeadReckoning()
        self._frame = "odom"
        self._active = False
        self._heard: float | None = None  # when odom came last (monotonic [s])
        self._stamp_ns = self._next_ns = 0
        self._zeros = 0  # zero velocities still to send
        self.said = ""
        self._position: Point = (0.0, 0.0)
        self._report_at = 0.0
        self._cmd_vel = VelocitySource(self, stamped)
        self._diagnostics = Diagnostics(self, "waypoints")
        self.create_subscription(Odometry, "odom", self._on_odom, QUEUE)
        self.create_subscription(Path, "path", self._on_path, RELIABLE)
        self.create_subscription(String, "robot_mode", self._on_mode, LATCHED)

    def _on_mode(self, message: String) -> None:
        self._active = message.data == Mode.ACTIVE.value

    def _on_path(self, message: Path) -> None:
        """Take a new path in place of the one before; refuse a malformed one whole, and go on as before."""
        try:
            frame = message.header.frame_id
            if frame != self._frame:
                raise InputError(expected("path: its frame", frame or "none", self._frame))
            points = [(pose.pose.position.x, pose.pose.position.y) for pose in message.poses]
            follower = WaypointFollower(points, self._speed, self._reached)
        except InputError as error:
            self._say(f"refused: {error}")
            return
        self._follower, self._cmd_vel.other_at = follower, -math.inf
        self._say(f"a path of {len(points)} points")

    def _on_odom(self, message: Odometry) -> None:
        self._heard = time.monotonic()
        self._frame = message.header.frame_id or self._frame
        self._stamp_ns = to_ns(message.header.stamp)
        quat = wxyz(message.pose.pose.orientation)
        yaw, twist, place = yaw_of(quat), message.twist.twist.linear, message.pose.pose.position
        try:
            if not all(map(math.isfinite, (*quat, twist.x, twist.y, place.x, place.y))):
                raise InputError(expected("odom: finite numbers", "one that is not", "a working estimator"))
            moved = self._reckoning(self._stamp_ns, yaw, (twist.x, twist.y))
        except InputError as error:
            self._reckoning = DeadReckoning()
            if self._from == "twist" or "finite" in str(error):
                self._lose(str(error))
            return
        self._position = moved if self._from == "twist" else (place.x, place.y)
        if self._stamp_ns >= self._next_ns or self._next_ns - self._stamp_ns > 2 * PERIOD_NS:  # the clock was set back
            self._next_ns = self._stamp_ns + PERIOD_NS
            self._drive(yaw)

    def _drive(self, yaw: float) -> None:
        """Ask for the velocity of now, if a path is under way."""
        follower = self._follower
        if follower is not None and self._cmd_vel.other_at > -math.inf:
            self._say("somebody else commands the velocity: the path ends")
            self._follower, self._zeros = None, 0
        elif follower is not None and self._active:
            forward, turn = follower(self._position, yaw)
            self._cmd_vel.publish(Velocity(forward, 0.0, turn), self._stamp_ns)
            if follower.done:
                self._say(f"at the end, the last of {len(follower.points)} points")
                self._follower, self._zeros = None, ZEROS
        elif self._zeros > 0:
            self._zeros -= 1
            self._cmd_vel.publish(ZERO, self._stamp_ns)

    def _lose(self, why: str) -> None:
        """End the path: where the robot is, nobody knows any more."""
        if self._follower is None:
            return
        self._follower, self._zeros = None, ZEROS
        self._cmd_vel.publish(ZERO, self._stamp_ns)
        self._say(f"stopped, and the path ended: {why}")

    def look(self, now: float) -> None:
        """Notice an odom that comes no more, and report; ``now`` is the monotonic clock [s]."""
        if self._heard is not None and now - self._heard > LOST:
            self._lose(expected("odom", f"none for {now - self._heard:.2f} s", f"one at least every {LOST:g} s"))
            self._heard = None
            self._reckoning = DeadReckoning()
        if now < self._report_at:
            return
        self._report_at = now + REPORT
        follower = self._follower
        under_way = "" if follower is None else f"to point {follower.next + 1} of {len(follower.points)}"
        waiting = "" if self._heard is not None else "no odom"
        lost = self.said.startswith(("stopped", "refused"))
        values = {"x": round(self._position[0], 3), "y": round(self._position[1], 3), "said": self.said}
        message = under_way or self.said or waiting or "no path"
        self._diagnostics.publish(self.get_clock().now().nanoseconds, WARN if lost else OK, message, values)

    def _say(self, text: str) -> None:
        self.said = text
        self.get_logger().info(text)
        self._report_at = 0.0

    def close(self) -> None:
        """Leave the robot standing."""
        if self._follower is not None and self._active:
            self._cmd_vel.publish(ZERO, self._stamp_ns)
        self.destroy_node()


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit code 2 for a wrong parameter or file, said in one line."""

    def body(stop: Stop) -> None:
        node = WaypointNode()
        spinner = Spinner(node)
        try:
            while not stop.requested:
                spinner.spin_for(0.1)
                node.look(time.monotonic())
        finally:
            node.close()

    return run(body, args)


if __name__ == "__main__":
    sys.exit(main())
