"""Intel RealSense through pyrealsense2, which is imported here only.

Stamps are captures in system time. Where the device offers global time, librealsense compares both clocks itself, and
its stamp is checked against the receipt; else, and for recorded files, ``DeviceClock`` maps the device's clock.
"""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np

from robot_policies.cameras.camera import Camera, depth_mount, intrinsics
from robot_policies.cameras.depth_grid import DepthGrid
from robot_policies.cameras.device_clock import DeviceClock
from robot_policies.contract import DepthIntrinsics
from robot_policies.exceptions import ResourceError, RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.schema import parse, schema
from robot_policies.sensor_spec import DepthFilter, DepthSensor, DepthStream, load_depth_sensor
from robot_policies.types import DepthImage, owned

LOST = 0.5  # [s] without an image: the device is gone, or hangs, and is opened anew
RETRY = 0.5  # [s] from one try to open it to the next
WRAP_NS = 2**32 * 1000  # the device counts microseconds in 32 bits
AGES_NS = (-5_000_000, 500_000_000)  # least and most from a global stamp to the receipt
HOLE_FILLING = {"left": 0, "farthest": 1, "nearest": 2}


@schema
class RealSenseOptions:
    """Options of ``create``."""

    camera: Optional[str] = None  # a name under sensors.depth of the robot file; None: its only one
    sensor: Optional[str] = None  # a file of config/sensors; None: the robot file's
    serial: str = ""  # of the device; empty: the first
    file: str = ""  # a recording (.db3) in the place of a device; it starts anew at its end


class RealSenseCamera:
    """One depth stream. A device that goes away is opened again when it comes back."""

    def __init__(self, name: str, spec: RobotSpec, sensor: DepthSensor, device: Callable[[], Any], sdk: Any) -> None:
        """Open the stream. ``device`` returns a device of ``sdk``, or None while there is none.

        Raises:
            RobotError: there is no device, or it has no such stream.
        """
        if sensor.stream is None:
            raise RobotError(expected("sensor profile: stream, the set-up of a device", "none", "docs/realsense.md"))
        self.name, self.mount, self.sensor = name, spec.sensors.depth[name], sensor
        self._stream: DepthStream = sensor.stream
        self._sdk, self._device = sdk, device
        self._source: Any = None  # of frames: the sensor that streams
        self._kept: Any = None  # its device
        self._counts: Counter[str] = Counter()
        self._facts: dict[str, Any] = {}
        self._last_ns, self._last_error = 0, ""
        self._heard = self._tried = time.monotonic()
        try:
            self._open()
        except RuntimeError as error:  # librealsense's own
            self._stop()
            if isinstance(error, RobotError):
                raise
            told = " ".join(str(error).split())
            raise RobotError(
                expected("a RealSense device that opens", told, "no other program that uses it")
            ) from error
        if self._source is None:
            valid = "a camera on a USB 3 port (robot-policies doctor lists them)"
            raise RobotError(expected("a RealSense device", "none", valid))

    def _open(self) -> None:
        """Open the device where there is one. Raises ``RobotError`` where it has no such stream."""
        self._tried = self._heard = time.monotonic()
        device = self._device()
        if device is None:
            return
        source = device.first_depth_sensor()
        profile = _profile(source, self._stream, device, self._sdk)
        self._live = not device.is_playback()
        if self._live and source.supports(self._sdk.option.global_time_enabled):
            source.set_option(self._sdk.option.global_time_enabled, 1.0)
        self._grid = self._sampler(profile.as_video_stream_profile().get_intrinsics())
        self._filters = [made_filter(self._sdk, item) for item in self._stream.filters]
        self._clock = DeviceClock(round(self._stream.transfer * 1e9), WRAP_NS)
        self._queue = self._sdk.frame_queue(2, keep_frames=True)
        self._source, self._kept = source, device  # the stream ends with its device
        source.open(profile)
        source.start(self._queue)
        self._facts = {
            "device": _info(device, self._sdk, "name"),
            "usb": _info(device, self._sdk, "usb_type_descriptor"),
        }
        self._facts["outside"] = round(self._grid.outside, 4)

    def _sampler(self, k: Any) -> DepthGrid:
        """Return the way from the device's pixels, decimated, to the profile's grid."""
        step = int(np.prod([item.magnitude for item in self._stream.filters if item.name == "decimation"]))
        # librealsense divides the principal point by the step, as if pixels lay at their corners; ours are centres.
        return DepthGrid(
            DepthIntrinsics(
                width=k.width // step,
                height=k.height // step,
                fx=k.fx / step,
                fy=k.fy / step,
                cx=(k.ppx + 0.5) / step - 0.5,
                cy=(k.ppy + 0.5) / step - 0.5,
            ),
            intrinsics(self.sensor),
        )

    def read(self, timeout: float) -> DepthImage | None:
        """Return the next image, or None after ``timeout`` [s]; opens a device that is away again."""
        if self._source is None:
            self._again(timeout)
            return None
        try:
            found, frame = self._queue.try_wait_for_frame(max(1, round(timeout * 1e3)))
            receipt_ns = time.time_ns()
            if found:
                self._heard = time.monotonic()
                return self._image(frame, receipt_ns)
        except RuntimeError as error:  # librealsense's own, of a device that is going
            self._lost(" ".join(str(error).split()))
            return None
        if time.monotonic() - self._heard > LOST:
            self._lost(f"no image for {LOST:g} s")
        return None

    def _again(self, timeout: float) -> None:
        if time.monotonic() - self._tried < RETRY:
            time.sleep(min(timeout, RETRY))
            return
        try:
            self._open()
        except RuntimeError as error:  # of librealsense or ours, where a device is only half there
            self._stop()
            self._last_error = " ".join(str(error).split())
        if self._source is not None:
            self._counts["reconnects"] += 1

    def _lost(self, why: str) -> None:
        self._counts["lost"] += 1
        self._last_error = why
        self._stop()

    def _stop(self) -> None:
        source, self._source, self._kept = self._source, None, None
        if source is None:
            return
        for end in (source.stop, source.close):
            try:
                end()
            except RuntimeError as error:  # it has gone, so there is nothing to stop
                self._last_error = " ".join(str(error).split())

    def _image(self, frame: Any, receipt_ns: int) -> DepthImage | None:
        stamp_ns = self._stamp(frame, receipt_ns)
        if stamp_ns is None or stamp_ns <= self._last_ns:
            self._counts["bad_stamp" if stamp_ns is None else "not_newer"] += 1
            return None
        for item in self._filters:
            frame = item.process(frame)
        depth = self._grid(np.asanyarray(frame.get_data()), frame.as_depth_frame().get_units())
        depth[(depth < self.sensor.near) | (depth > self.sensor.far)] = 0.0
        self._last_ns = stamp_ns
        self._counts["images"] += 1
        return DepthImage(stamp_ns, owned(depth, np.float32))

    def _stamp(self, frame: Any, receipt_ns: int) -> int | None:
        """Return the capture in system time [ns], or None for a stamp that cannot be true."""
        domain, device_ns = frame.frame_timestamp_domain, round(frame.get_timestamp() * 1e6)
        self._facts["clock"] = domain.name if self._live else "recorded"
        if self._live and domain != self._sdk.timestamp_domain.hardware_clock:
            return device_ns if AGES_NS[0] <= receipt_ns - device_ns <= AGES_NS[1] else None
        return self._clock.stamp(device_ns, receipt_ns)

    def health(self) -> Mapping[str, Any]:
        """Return what is connected, and the counts of images, losses, reconnections and refused stamps."""
        counts = {key: self._counts[key] for key in ("images", "lost", "reconnects", "bad_stamp", "not_newer")}
        now = {"connected": self._source is not None, "clock_steps": self._clock.steps, "last_error": self._last_error}
        return {**now, **counts, **self._facts}

    def close(self) -> None:
        """Stop the stream and release the device."""
        self._stop()


def load_sdk() -> Any:
    """Return pyrealsense2. Raises ``ResourceError`` where it, or the libusb that it needs, is missing."""
    try:
        return importlib.import_module("pyrealsense2")
    except ImportError as error:
        asked = "pyrealsense2, the SDK of RealSense cameras"
        if "libusb" in str(error):
            raise ResourceError(expected(asked, error, "apt-get install libusb-1.0-0, then again")) from error
        raise ResourceError(expected(asked, error, "pip install 'robot_policies[realsense]'")) from error


def made_filter(sdk: Any, item: DepthFilter) -> Any:
    """Return the filter of librealsense that ``item`` describes."""
    if item.name == "decimation":
        return sdk.decimation_filter(float(item.magnitude))
    if item.name == "spatial":
        return sdk.spatial_filter(item.alpha, item.delta, float(item.magnitude), float(item.holes))
    if item.name == "temporal":
        return sdk.temporal_filter(item.alpha, item.delta, item.persistence)
    if item.name == "hole_filling":
        return sdk.hole_filling_filter(HOLE_FILLING[item.mode])
    return sdk.disparity_transform(item.name == "to_disparity")


def _profile(source: Any, stream: DepthStream, device: Any, sdk: Any) -> Any:
    """Return the depth stream of the asked size and rate. Raises ``RobotError`` with those that there are."""
    offered = []
    for profile in source.get_stream_profiles():
        if profile.stream_type() != sdk.stream.depth or profile.format() != sdk.format.z16:
            continue
        video = profile.as_video_stream_profile()
        size = (video.width(), video.height(), video.fps())
        if size == (stream.width, stream.height, stream.rate):
            return profile
        offered.append("{}x{}@{}".format(*size))
    asked = f"depth {stream.width}x{stream.height}@{stream.rate} of {_info(device, sdk, 'name')}"
    usb = _info(device, sdk, "usb_type_descriptor")
    found = f"no such stream (USB {usb})" if usb else "no such stream"
    raise RobotError(expected(asked, found, f"{', '.join(sorted(set(offered))) or 'none'}; USB 2 offers fewer"))


def _info(device: Any, sdk: Any, key: str) -> str:
    info = getattr(sdk.camera_info, key)
    return str(device.get_info(info)) if device.supports(info) else ""


def _finder(sdk: Any, options: RealSenseOptions) -> Callable[[], Any]:
    """Return what finds the device, or opens the recording, each time anew."""
    if options.file:
        if not Path(options.file).is_file() or Path(options.file).suffix != ".db3":
            raise ResourceError(expected("a recording of librealsense", options.file, "the path of a .db3 file"))
        return lambda: sdk.context().load_device(options.file)

    def find() -> Any:
        devices = list(sdk.context().query_devices())
        serials = [_info(device, sdk, "serial_number") for device in devices]
        if options.serial and devices and options.serial not in serials:
            raise RobotError(expected("a RealSense device by its serial number", options.serial, serials))
        return devices[serials.index(options.serial) if options.serial else 0] if devices else None

    return find


def create(spec: RobotSpec, options: Mapping[str, Any]) -> Camera:
    """Return a RealSense camera. ``options`` are the fields of ``RealSenseOptions``; SchemaError on others.

    Raises:
        ResourceError: the SDK, the camera or its profile is missing.
        RobotError: there is no device, or it has no such stream.
    """
    chosen = parse(RealSenseOptions, dict(options), "options of the camera realsense")
    name, mount = depth_mount(spec, chosen.camera)
    sensor = load_depth_sensor(chosen.sensor or mount.sensor)
    sdk = load_sdk()
    return RealSenseCamera(name, spec, sensor, _finder(sdk, chosen), sdk)


def devices() -> list[tuple[str, str, str]]:
    """Return name, serial number and USB speed (such as ``3.2``) of each device. Raises ``ResourceError``."""
    sdk = load_sdk()
    keys = ("name", "serial_number", "usb_type_descriptor")
    return [tuple(_info(device, sdk, key) for key in keys) for device in sdk.context().query_devices()]  # type: ignore[misc]
