"""A real depth camera as a process of its own: the same topics as the simulated one's, ``depth/image_rect`` first.

``backend`` is an entry point of the group ``robot_policies.cameras``; ``options.*`` are its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from robot_policies import resources
from robot_policies.cameras.camera import Camera, intrinsics
from robot_policies.control import pacing
from robot_policies.control.timing import Percentiles
from robot_policies.exceptions import ResourceError, expected
from robot_policies.nodes.camera_messages import ENCODINGS, CameraMessages
from robot_policies.nodes.diagnostics import ERROR, OK, WARN, Diagnostics
from robot_policies.nodes.parameters import parameter
from robot_policies.nodes.runtime import RELIABLE, Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import DepthImage

REPORT_PERIOD = 1.0  # [s]
PATIENCE = 0.1  # [s] for an image, after which callbacks are served


class CameraNode(Node):
    """Publishes every image of one camera as it comes."""

    def __init__(self) -> None:
        super().__init__("depth_camera_node")
        spec = load_robot_spec(parameter(self, "robot", "go2"))
        backend, prefix = parameter(self, "backend", "realsense"), parameter(self, "frame_prefix", "")
        encoding = parameter(self, "encoding", "32FC1")
        if encoding not in ENCODINGS:
            raise ResourceError(expected("depth_camera_node: encoding", encoding, ENCODINGS))
        options = self._options()
        refuse_unknown_parameters(self)
        self.camera: Camera = resources.plugin("cameras", backend)(spec, options)
        camera = self.camera
        self._messages = CameraMessages(intrinsics(camera.sensor), prefix + camera.mount.frame, encoding)
        # A robot's only camera has the plain topic; of several, each is told apart by its name in the robot file.
        topic = "depth" if len(spec.sensors.depth) == 1 else f"{camera.name}/depth"
        self._image = self.create_publisher(Image, f"{topic}/image_rect", RELIABLE)
        self._info = self.create_publisher(CameraInfo, f"{topic}/camera_info", RELIABLE)
        self._diagnostics = Diagnostics(self, f"{spec.name} {camera.name} ({backend})")
        self._ages, self._images, self._reported = Percentiles(), 0, time.monotonic()

    def _options(self) -> dict[str, Any]:
        """Return what was given under ``options.``; the camera says which it knows."""
        given = [name for name in self._parameter_overrides if name.startswith("options.")]
        values = {name: self.declare_parameter(name, self._parameter_overrides[name].value).value for name in given}
        return {name.removeprefix("options."): value for name, value in values.items()}

    def publish(self, image: DepthImage) -> None:
        """Publish an image and its camera_info."""
        self._messages.fill(image)
        self._image.publish(self._messages.image)
        self._info.publish(self._messages.info)
        self._images += 1
        self._ages.add(max(time.time_ns() - image.stamp_ns, 0))

    def report(self, now: float) -> None:
        """Tell ``/diagnostics``, once a second of the monotonic clock ``now`` [s]."""
        passed = now - self._reported
        if passed < REPORT_PERIOD:
            return
        rate, wanted, health = self._images / passed, self.camera.sensor.rate, self.camera.health()
        values = {"rate_hz": round(rate, 2), "age_ms": dict(self._ages.summary_ms()), **health}
        level, text = OK, "images come at their rate"
        if not health["connected"]:
            level, text = ERROR, f"camera gone: {health['last_error']}; it is opened again when it is back"
        elif rate < 0.9 * wanted:
            level, text = WARN, f"{rate:.1f} of {wanted:.1f} images a second"
        self._diagnostics.publish(self.get_clock().now().nanoseconds, level, text, values)
        self._reported, self._images = now, 0


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit code 2 for a missing SDK, a wrong parameter or no camera, said in one line."""
    return run(_main, args)


def _main(stop: Stop) -> None:
    node = CameraNode()
    spinner = Spinner(node)
    pacing.freeze_garbage()
    try:
        while not stop.requested:
            image = node.camera.read(PATIENCE)
            if image is not None:
                node.publish(image)
            node.report(time.monotonic())
            spinner.spin_for(0.0)
    finally:
        node.camera.close()


if __name__ == "__main__":
    sys.exit(main())
