"""The simulated depth camera as a process of its own: mirrors the simulator's state by stamp and renders there.

Joints come from ``joint_states`` and the base from ``ground_truth/odom`` of the same stamp. An image is stamped with
its capture and comes out when the stamps have passed the camera's delay, so it is the same in real time and lockstep.
In lockstep the simulator says with ``ground_truth/odom`` that a moment has come, and waits here for the images of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, JointState, TimeReference

from robot_policies.contract import DepthIntrinsics
from robot_policies.control import pacing
from robot_policies.control.timing import Percentiles
from robot_policies.exceptions import InputError
from robot_policies.nodes.camera_messages import CameraMessages
from robot_policies.nodes.conversions import joint_array, set_stamp, to_ns, wxyz
from robot_policies.nodes.diagnostics import OK, WARN, Diagnostics
from robot_policies.nodes.lockstep import Horizon
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.runtime import RELIABLE, Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import Array, DepthImage, owned
from sim2real.mujoco.camera_profile import CameraOptions, camera_profile
from sim2real.mujoco.depth_camera import BasePose, create

# States that may wait, or of which a part is waited for. In lockstep none may be lost, as one of them is captured; in
# real time old ones are of no use to a camera that has fallen behind.
KEPT, KEPT_REAL_TIME = 128, 16
AHEAD_NS = 250_000_000  # [ns] that the simulator may be ahead, in lockstep: far fewer states than may wait
PRIORITY = pacing.PRIORITY - 20  # of SCHED_FIFO: robot and policy go first
REPORT_PERIOD = 1.0  # [s]


class SimulatedCameraMessages(CameraMessages):
    """The image, its camera_info and when it was due, built once."""

    def __init__(self, k: DepthIntrinsics, frame: str) -> None:
        super().__init__(k, frame)
        self.due = TimeReference(source="configured delay")
        self.due.header.frame_id = frame

    def fill_due(self, image: DepthImage, due_ns: int) -> None:
        """Write an image with its stamp into all messages, and the moment [ns] at which its delay was over."""
        self.fill(image)
        set_stamp(self.due.header.stamp, image.stamp_ns)
        set_stamp(self.due.time_ref, due_ns)


class DepthCameraNode(Node):
    """Publishes ``depth/image_rect``, ``depth/camera_info`` and, before each image, ``depth/due``."""

    def __init__(self) -> None:
        super().__init__("depth_camera_node")
        self._spec = load_robot_spec(parameter(self, "robot", "go2"))
        prefix = parameter(self, "frame_prefix", "")
        options = self._options()
        refuse_unknown_parameters(self)
        self._camera = create(self._spec, options)
        profile = self._camera.profile
        self._messages = SimulatedCameraMessages(profile.intrinsics, prefix + profile.mount.frame)
        # A robot's only camera has the plain topic; of several, each is told apart by its name in the robot file.
        topic = "depth" if len(self._spec.sensors.depth) == 1 else f"{profile.name}/depth"
        self._image = self.create_publisher(Image, f"{topic}/image_rect", RELIABLE)
        self._info = self.create_publisher(CameraInfo, f"{topic}/camera_info", RELIABLE)
        self._due = self.create_publisher(TimeReference, f"{topic}/due", RELIABLE)
        self._diagnostics = Diagnostics(self, f"{self._spec.name} {profile.name} (simulated)")
        self._rendering, self._images, self._bad, self._last_error = Percentiles(), 0, 0, ""
        self._reported = time.monotonic()
        self._parts: dict[int, dict[str, Any]] = {}
        self._newest_ns = -1
        self._capturing_ns: int | None = None
        self._horizon = Horizon(self) if bool(self.get_parameter("use_sim_time").value) else None
        kept = KEPT_REAL_TIME if self._horizon is None else KEPT
        states = QoSProfile(depth=kept, reliability=QoSReliabilityPolicy.RELIABLE)
        self.create_subscription(Odometry, "ground_truth/odom", self._on_base, states)
        self.create_subscription(JointState, "joint_states", self._on_joints, states)

    def _options(self) -> dict[str, Any]:
        """Declare what the robot file decides with its values as defaults, so that they can be seen and changed."""
        named = {name: parameter(self, name, "") or None for name in ("camera", "sensor", "terrain")}
        profile = camera_profile(self._spec, CameraOptions(camera=named["camera"], sensor=named["sensor"]))
        defaults = {
            "width": profile.intrinsics.width,
            "height": profile.intrinsics.height,
            "rate": profile.rate,
            "delay": profile.delay,
            "jitter": profile.jitter,
            "noise": profile.faults.noise,
            "hole_random": profile.faults.hole_random,
            "hole_edges": profile.faults.hole_edges,
            "blind_band": profile.faults.blind_band,
            "left_band": profile.faults.left_band > 0.0,
            "seed": profile.seed,
        }
        given = {name: parameter(self, name, value) for name, value in defaults.items()}
        for name in ("delay", "jitter"):  # below 0: the sensor's own
            given[name] = given[name] if given[name] >= 0.0 else defaults[name]
        return named | given

    def report(self, now: float) -> None:
        """Tell ``/diagnostics``, once a second of the monotonic clock ``now`` [s]."""
        passed = now - self._reported
        if passed < REPORT_PERIOD:
            return
        rate, wanted = self._images / passed, self._camera.profile.rate
        values = {"rate_hz": round(rate, 2), "render_ms": dict(self._rendering.summary_ms()), "bad_states": self._bad}
        slow = rate < 0.9 * wanted
        text = self._last_error or (
            f"{rate:.1f} of {wanted:.1f} images a second" if slow else "images come at their rate"
        )
        level = WARN if slow or self._bad else OK
        self._diagnostics.publish(self.get_clock().now().nanoseconds, level, text, values)
        self._reported, self._images, self._bad, self._last_error = now, 0, 0, ""

    @property
    def lockstep(self) -> bool:
        """Whether the simulator waits for this camera."""
        return self._horizon is not None

    def end(self) -> None:
        """Let the simulator go on without this camera."""
        if self._horizon is not None:
            self._horizon.end()

    def _on_base(self, message: Odometry) -> None:
        stamp_ns = to_ns(message.header.stamp)
        self._join(stamp_ns, "base", message)
        if self._horizon is not None:
            self._give(stamp_ns)

    def _on_joints(self, message: JointState) -> None:
        self._join(to_ns(message.header.stamp), "joints", message)

    def _join(self, stamp_ns: int, part: str, message: Any) -> None:
        parts = self._parts.setdefault(stamp_ns, {})
        parts[part] = message
        if len(parts) == 2:
            # A clock that was set back leaves only younger stamps behind, of a time that is gone.
            gone = stamp_ns < self._newest_ns
            self._parts = {} if gone else {s: kept for s, kept in self._parts.items() if s > stamp_ns}
            self._newest_ns = stamp_ns
            self._state(stamp_ns, parts["joints"], parts["base"])
        while len(self._parts) > KEPT:
            del self._parts[next(iter(self._parts))]

    def _state(self, stamp_ns: int, joints: JointState, base: Odometry) -> None:
        try:
            self._camera.see(stamp_ns, lambda: self._pose(joints, base))
            if self._capturing_ns is not None:
                self._rendering.add(time.perf_counter_ns() - self._capturing_ns)
                self._capturing_ns = None
        except InputError as error:
            self._bad, self._last_error = self._bad + 1, str(error)
        self._give(max([stamp_ns, *self._parts]) if self._horizon is not None else stamp_ns)

    def _give(self, now_ns: int) -> None:
        """Publish what comes out by ``now_ns``; in lockstep, once every state before it was seen, let time pass."""
        if self._newest_ns < 0 or any(stamp_ns < now_ns for stamp_ns in self._parts):
            return
        for due_ns, image in self._camera.release(now_ns):
            self._messages.fill_due(image, due_ns)
            self._due.publish(self._messages.due)
            self._image.publish(self._messages.image)
            self._info.publish(self._messages.info)
            self._images += 1
        if self._horizon is not None:
            self._horizon.set(min(self._camera.horizon(now_ns), now_ns + AHEAD_NS))

    def _pose(self, joints: JointState, base: Odometry) -> tuple[Array, BasePose]:
        self._capturing_ns = time.perf_counter_ns()
        position = base.pose.pose.position
        where = BasePose(owned([position.x, position.y, position.z]), wxyz(base.pose.pose.orientation))
        return joint_array(joints, "position", self._spec.joint_names), where


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code."""
    return run(_main, args)


def _main(stop: Stop) -> None:
    node = DepthCameraNode()
    spinner = Spinner(node)
    if node.lockstep:
        pacing.freeze_garbage()
    else:  # a camera is hardware: its delay does not grow with what else the machine does
        pacing.prepare(node.get_logger().debug, PRIORITY)
    try:
        while not stop.requested:
            spinner.spin_for(0.1)
            node.report(time.monotonic())
    finally:
        node.end()


if __name__ == "__main__":
    sys.exit(main())
