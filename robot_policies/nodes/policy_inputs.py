"""The newest inputs of a policy beside the robot's state: velocity commands and depth images, by stamp.

A command or image takes effect at the first tick whose state has its stamp or a later one, so that runs in lockstep
do not depend on when a message happened to arrive.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.bundle.robot_check import reads_height_scan
from robot_policies.exceptions import InputError, expected
from robot_policies.nodes.conversions import Pinhole, depth_image, velocity_command
from robot_policies.nodes.runtime import RELIABLE
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import DepthImage, VelocityCommand

AHEAD_NS = 5_000_000_000  # a stamp farther ahead than this is refused instead of waited for
IMAGE_AHEAD_NS = 50_000_000  # the newest state here is that much older than the true one at most, on a busy machine
IMAGES = 8  # that may wait: they are large, and come while the policy is inactive too
SENSOR = QoSProfile(depth=2, reliability=QoSReliabilityPolicy.BEST_EFFORT)


def load_for_topics(policy: str, spec: RobotSpec) -> Bundle:
    """Load a bundle as ``load_bundle`` does. Raises ``InputError`` where it reads what no topic has."""
    bundle = load_bundle(policy, spec)
    if reads_height_scan(bundle.contract):
        found = f"{bundle.contract.name}, which reads height_scan: no topic has true heights"
        raise InputError(expected("a policy for the nodes", found, "robot-policies eval: no ROS"))
    return bundle


class Stamped(Protocol):
    """A value with a stamp."""

    @property
    def stamp_ns(self) -> int:
        """When it was captured or asked for."""


T = TypeVar("T", bound=Stamped)


class Inbox(Generic[T]):
    """Keeps the values that are not yet due, and the newest that is."""

    def __init__(self, kept: int = 64) -> None:
        """Let at most ``kept`` values wait, the newest ones."""
        self._waiting: deque[T] = deque(maxlen=kept)
        self._newest: T | None = None
        self.received = 0

    def put(self, value: T) -> None:
        """Take a value in."""
        self._waiting.append(value)
        self.received += 1

    def at(self, stamp_ns: int) -> T | None:
        """Return the newest value whose stamp is at or before ``stamp_ns``."""
        due = [value for value in self._waiting if value.stamp_ns <= stamp_ns]
        if due:
            newest = max(due, key=lambda value: value.stamp_ns)
            if self._newest is None or newest.stamp_ns >= self._newest.stamp_ns:
                self._newest = newest
            self._waiting = deque((v for v in self._waiting if v.stamp_ns > stamp_ns), self._waiting.maxlen)
        return self._newest

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._newest = None


class PolicyTopics:
    """Subscribes to what the bundle reads. Malformed messages are refused whole and counted."""

    def __init__(self, node: Node, depth_names: tuple[str, ...], stamped: bool, now_ns: Callable[[], int]) -> None:
        """Subscribe to ``cmd_vel`` (TwistStamped, or Twist unless ``stamped``) and to the depth image, if any."""
        self.velocity: Inbox[VelocityCommand] = Inbox()
        self.depth: dict[str, Inbox[DepthImage]] = {name: Inbox(IMAGES) for name in depth_names}
        self.on_image: Callable[[str, int], None] = lambda name, stamp_ns: None  # told of every image that is taken
        self.bad_images: dict[str, str] = {}  # why the newest message of an input was refused, by its name
        self._pinholes: dict[str, Pinhole] = {}
        self.refused = 0
        self.last_error = ""
        self._now_ns = now_ns
        node.create_subscription(TwistStamped if stamped else Twist, "cmd_vel", self._velocity, RELIABLE)
        for name in depth_names:
            # The first depth input has the plain topic; a second camera is told apart by the input's name.
            topic = "depth" if len(depth_names) == 1 else f"{name}/depth"
            node.create_subscription(Image, f"{topic}/image_rect", self._image(name), SENSOR)
            node.create_subscription(CameraInfo, f"{topic}/camera_info", self._info(name), SENSOR)

    def clear(self) -> None:
        """Forget what was asked before an activation. An image from before still shows the ground; its age tells."""
        self.velocity.clear()

    def _velocity(self, message: TwistStamped | Twist) -> None:
        now_ns = self._now_ns()
        value = velocity_command(message, now_ns)
        if value.stamp_ns - now_ns > AHEAD_NS:
            ahead = f"{(value.stamp_ns - now_ns) * 1e-9:.3f} s ahead"
            self._refuse(expected("cmd_vel: a stamp on the robot's clock", ahead, "at most 5 s ahead, or 0"))
        elif not math.isfinite(value.lin_vel_x + value.lin_vel_y + value.ang_vel_z):
            # Anybody may publish here: the policy's own check would take it for an error of the policy, and land.
            asked = (value.lin_vel_x, value.lin_vel_y, value.ang_vel_z)
            self._refuse(expected("cmd_vel: finite numbers", asked, "m/s and rad/s"))
        else:
            self.velocity.put(value)

    def _image(self, name: str) -> Callable[[Image], None]:
        def callback(message: Image) -> None:
            try:
                image = depth_image(message, self._pinholes.get(name))
                self._check_ahead(image.stamp_ns)
            except InputError as error:
                self.bad_images[name] = f"{name}: {error}"
                self._refuse(self.bad_images[name])
            else:
                self.bad_images.pop(name, None)
                self.depth[name].put(image)
                self.on_image(name, image.stamp_ns)

        return callback

    def images(self, stamp_ns: int) -> dict[str, DepthImage]:
        """Return the newest images at or before ``stamp_ns``, by input, of those that have one."""
        newest = {name: inbox.at(stamp_ns) for name, inbox in self.depth.items()}
        return {name: image for name, image in newest.items() if image is not None}

    def _check_ahead(self, stamp_ns: int) -> None:
        ahead_ns = stamp_ns - self._now_ns()
        if ahead_ns > IMAGE_AHEAD_NS:
            valid = f"at most {IMAGE_AHEAD_NS * 1e-9:g} s ahead"
            raise InputError(expected("image: a stamp on the robot's clock", f"{ahead_ns * 1e-9:.3f} s ahead", valid))

    def _info(self, name: str) -> Callable[[CameraInfo], None]:
        def callback(message: CameraInfo) -> None:
            self._pinholes[name] = (message.k[0], message.k[4], message.k[2], message.k[5])

        return callback

    def _refuse(self, error: str) -> None:
        self.refused += 1
        self.last_error = error
