"""The messages of a depth camera, simulated or real: an image and its camera_info, built once and filled in place."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, Image

from robot_policies.contract import DepthIntrinsics
from robot_policies.nodes.conversions import set_stamp
from robot_policies.types import DepthImage

ENCODINGS: dict[str, tuple[type, float]] = {"32FC1": (np.float32, 1.0), "16UC1": (np.uint16, 1e3)}  # steps per metre


class CameraMessages:
    """``image`` and ``info`` of one camera. Depth is in metres (32FC1) or whole millimetres (16UC1)."""

    def __init__(self, k: DepthIntrinsics, frame: str, encoding: str = "32FC1") -> None:
        """Take the pinhole of the images and the name of their optical frame."""
        kind, self._scale = ENCODINGS[encoding]
        size = np.dtype(kind).itemsize
        self.image = Image(height=k.height, width=k.width, encoding=encoding, step=size * k.width)
        self.image.is_bigendian = int(sys.byteorder == "big")
        self.image.data = bytes(size * k.width * k.height)
        self._pixels: npt.NDArray[Any] = np.frombuffer(self.image.data, kind)
        self.info = CameraInfo(height=k.height, width=k.width, distortion_model="plumb_bob", d=[0.0] * 5)
        self.info.k = [k.fx, 0.0, k.cx, 0.0, k.fy, k.cy, 0.0, 0.0, 1.0]
        self.info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        self.info.p = [k.fx, 0.0, k.cx, 0.0, 0.0, k.fy, k.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        for message in (self.image, self.info):
            message.header.frame_id = frame

    def fill(self, image: DepthImage) -> None:
        """Write an image and its stamp into both messages."""
        depth = image.depth.ravel()
        self._pixels[:] = depth if self._scale == 1.0 else np.clip(np.rint(depth * self._scale), 0, 65535)
        for message in (self.image, self.info):
            set_stamp(message.header.stamp, image.stamp_ns)
