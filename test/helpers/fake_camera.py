"""A depth camera in a process of its own that can be told to fail: what goes wrong goes wrong on the topic.

Images are of a floor as a Go2's own camera sees it, with noise, 30 a second on the clock of the states, ``delay`` (a
parameter, 0.06 s) old as they come out. ``camera_fault`` (std_msgs/String) names a fault of ``FAULTS``, or is "" for
none; ``camera_said`` answers with the fault and the stamp of the state at which the first message went out so, or did
not go out.
"""

from __future__ import annotations

import sys

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.lockstep import Horizon
from robot_policies.nodes.runtime import LATCHED, RELIABLE, Spinner

PERIOD = 33_000_000  # [ns]
WIDTH, HEIGHT, FOCAL = 106, 60, 55.85
ABOVE, PITCH, FAR = 0.365, 0.3927, 2.5  # [m] of the lens above the floor, [rad] that it looks down, [m] of the sky
FAULTS = (
    *("unplugged", "same_stamp", "same_picture", "late", "early", "holes", "not_finite"),
    *("resolution", "encoding", "intrinsics"),
)


class FakeCamera(Node):
    """Publishes at each whole period of the stamps of ``ground_truth/odom``."""

    def __init__(self) -> None:
        super().__init__("fake_camera")
        self._random = np.random.default_rng(1)
        self._fault, self._told = "", ""
        self._due_ns: int | None = None
        self._held: tuple[int, np.ndarray] | None = None  # stamp and picture of a frozen camera
        self._delay_ns = round(1e9 * float(self.declare_parameter("delay", 0.06).value))
        self._image = self.create_publisher(Image, "depth/image_rect", RELIABLE)
        self._info = self.create_publisher(CameraInfo, "depth/camera_info", RELIABLE)
        self._said = self.create_publisher(String, "camera_said", LATCHED)
        self._horizon = Horizon(self)
        self.create_subscription(String, "camera_fault", self._on_fault, LATCHED)
        self.create_subscription(Odometry, "ground_truth/odom", self._on_state, 32)

    def _on_fault(self, message: String) -> None:
        self._fault, self._held = message.data, None

    def _on_state(self, message: Odometry) -> None:
        now_ns = to_ns(message.header.stamp)
        if self._due_ns is None:
            self._due_ns = now_ns
        if now_ns >= self._due_ns:
            self._due_ns = now_ns - now_ns % PERIOD + PERIOD
            self._publish(now_ns)
        self._horizon.set(self._due_ns)

    def _publish(self, now_ns: int) -> None:
        fault, stamp_ns, picture = self._fault, now_ns - self._delay_ns, self._picture()
        if fault in ("same_stamp", "same_picture"):
            # What comes first under the fault is new once: the camera stops with it.
            self._held = self._held or (stamp_ns, picture)
            picture = self._held[1]
            stamp_ns = self._held[0] if fault == "same_stamp" else stamp_ns
        stamp_ns += {"late": -200_000_000, "early": 300_000_000}.get(fault, 0)
        if fault == "holes":
            picture = np.zeros_like(picture)
        if fault == "not_finite":
            picture = np.full_like(picture, np.nan)
        if fault == "resolution":
            picture = np.repeat(np.repeat(picture, 2, 0), 2, 1)
        if fault != "unplugged":
            self._send(stamp_ns, picture, fault)
        if self._told != fault:
            self._told = fault
            self._said.publish(String(data=f"{fault} {now_ns}"))

    def _send(self, stamp_ns: int, picture: np.ndarray, fault: str) -> None:
        height, width = picture.shape
        image = Image(height=height, width=width, encoding="32FC1", step=4 * width, data=picture.tobytes())
        image.encoding = "8UC1" if fault == "encoding" else "32FC1"
        focal = FOCAL * (1.1 if fault == "intrinsics" else 1.0) * (2.0 if fault == "resolution" else 1.0)
        info = CameraInfo(height=height, width=width, distortion_model="plumb_bob")
        info.k = [focal, 0.0, width / 2 - 0.5, 0.0, focal, height / 2 - 0.5, 0.0, 0.0, 1.0]
        for message, publisher in ((info, self._info), (image, self._image)):
            set_stamp(message.header.stamp, stamp_ns)
            publisher.publish(message)

    def _picture(self) -> np.ndarray:
        down = np.sin(PITCH) + np.cos(PITCH) * (np.arange(HEIGHT) - HEIGHT / 2 + 0.5) / FOCAL
        rows = np.minimum(ABOVE / np.maximum(down, 0.01), FAR)[:, None] + np.zeros((HEIGHT, WIDTH))
        return (rows + self._random.normal(0.0, 0.003, rows.shape)).astype(np.float32)

    def end(self) -> None:
        self._horizon.end()


def main() -> None:
    rclpy.init()
    node = FakeCamera()
    spinner = Spinner(node)
    try:
        while True:
            spinner.spin_for(0.1)
    except KeyboardInterrupt:
        node.end()
    sys.exit(0)


if __name__ == "__main__":
    main()
