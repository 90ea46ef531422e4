"""A RealSense camera without hardware: the SDK's own software device, and recordings that it makes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_policies.cameras import realsense
from robot_policies.types import DepthImage

MS = 1_000_000
WIDTH, HEIGHT, RATE = 848, 480, 30
BOOT_MS = 5_000.0  # the device's clock at its first image


def sdk() -> Any:
    """Return pyrealsense2, or skip the test."""
    try:
        import pyrealsense2
    except ImportError as error:
        pytest.skip(f"no pyrealsense2 ({error}): pip install pyrealsense2==2.59.1.11053, apt-get install libusb-1.0-0")
    return pyrealsense2


class SoftwareD435:
    """A software device with one depth stream; images are given by hand, or by a thread at its rate."""

    def __init__(self, sdk: Any, size: tuple[int, int] = (WIDTH, HEIGHT), rate: int = RATE) -> None:
        self._sdk, (self.width, self.height), self._rate = sdk, size, rate
        self.device = sdk.software_device()
        self.device.register_info(sdk.camera_info.name, "Software D435")
        self.device.register_info(sdk.camera_info.usb_type_descriptor, "3.2")
        self.sensor = self.device.add_sensor("Stereo Module")
        self._stream = self.sensor.add_video_stream(self._video_stream())
        self.sensor.add_read_only_option(sdk.option.depth_units, 0.001)
        self.sensor.add_read_only_option(sdk.option.stereo_baseline, 50.0)
        self._count = 0
        self._kept: list[Any] = []  # the SDK does not copy pixels
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def _video_stream(self) -> Any:
        sdk, video = self._sdk, self._sdk.video_stream()
        video.type, video.index, video.uid = sdk.stream.depth, 0, 1
        video.width, video.height, video.fps, video.bpp, video.fmt = (
            self.width,
            self.height,
            self._rate,
            2,
            sdk.format.z16,
        )
        k = sdk.intrinsics()
        k.width, k.height = self.width, self.height
        k.fx = k.fy = 55.85 * self.width / 106.0
        k.ppx, k.ppy = (self.width - 1) / 2, (self.height - 1) / 2
        k.model, k.coeffs = sdk.distortion.brown_conrady, [0.0] * 5
        video.intrinsics = k
        return video

    def give(self, pixels: np.ndarray, device_ms: float | None = None, domain: str = "hardware_clock") -> None:
        """Give one image of uint16 [mm], stamped ``device_ms`` of its clock (by default evenly)."""
        frame = self._sdk.software_video_frame()
        self._kept = [*self._kept[-30:], np.ascontiguousarray(pixels, np.uint16)]
        frame.pixels, frame.stride, frame.bpp = self._kept[-1], 2 * self.width, 2
        frame.timestamp = BOOT_MS + 1000.0 / self._rate * self._count if device_ms is None else device_ms
        frame.domain = getattr(self._sdk.timestamp_domain, domain)
        frame.frame_number, frame.profile = self._count, self._stream.as_video_stream_profile()
        self._count += 1
        self.sensor.on_video_frame(frame)

    def run(self, pixels: np.ndarray) -> None:
        """Give that image at the device's rate until ``stop``."""
        self._thread = threading.Thread(target=self._run, args=(pixels,))
        self._thread.start()

    def _run(self, pixels: np.ndarray) -> None:
        begun = time.monotonic()
        for k in range(100_000):
            if self._stop.wait(max(0.0, begun + k / self._rate - time.monotonic())):
                return
            self.give(pixels, BOOT_MS + k * 1000.0 / self._rate)

    def stop(self) -> None:
        """End the thread: the device is gone."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


def scene() -> np.ndarray:
    """Return depths [mm] that tell place: 1 m + a number of its own for each 8 x 8 block; a hole on the right."""
    blocks = 1000 + np.arange(60)[:, None] * 40 + np.arange(106)[None, :]
    pixels = np.kron(blocks, np.ones((8, 8))).astype(np.uint16)
    pixels[:, 8 * 100 :] = 0
    return pixels


def truth() -> np.ndarray:
    """Return what ``scene`` is on the grid [m]."""
    return scene()[4::8, 4::8].astype(np.float32) / 1000.0


def record(sdk: Any, path: Path, seconds: float) -> int:
    """Record ``scene`` from a software device into a .db3 file; return how many images."""
    camera = SoftwareD435(sdk)
    recorder = sdk.recorder(str(path), camera.device)
    sensor = recorder.query_sensors()[0]
    sensor.open(sensor.get_stream_profiles()[0])
    queue = sdk.frame_queue(8)
    sensor.start(queue)
    count = round(seconds * RATE)
    begun = time.monotonic()
    for k in range(count):
        time.sleep(max(0.0, begun + k / RATE - time.monotonic()))
        camera.give(scene())
        queue.try_wait_for_frame(500)
    sensor.stop()
    sensor.close()
    return count


def read(camera: realsense.RealSenseCamera, seconds: float = 5.0) -> DepthImage:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        image = camera.read(0.2)
        if image is not None:
            return image
    raise AssertionError(f"no image: {camera.health()}")
