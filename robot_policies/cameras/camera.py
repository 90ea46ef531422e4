"""The one interface of every depth camera that is a device: images on the grid of its sensor profile, in metres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from robot_policies.contract import DepthIntrinsics
from robot_policies.exceptions import ResourceError, expected
from robot_policies.robot_spec import DepthMount, RobotSpec
from robot_policies.sensor_spec import DepthSensor
from robot_policies.types import DepthImage


class Camera(Protocol):
    """A camera that was opened. A camera that goes away is opened again when it comes back."""

    name: str  # under sensors.depth of the robot file
    mount: DepthMount
    sensor: DepthSensor

    def read(self, timeout: float) -> DepthImage | None:
        """Return the next image, stamped with its capture in system time, or None after ``timeout`` [s]."""
        ...

    def health(self) -> Mapping[str, Any]:
        """Return what the camera counts: ``connected``, ``reconnects``, what was refused and why."""
        ...

    def close(self) -> None:
        """Release the device."""
        ...


def depth_mount(spec: RobotSpec, name: str | None) -> tuple[str, DepthMount]:
    """Return the depth camera of ``spec`` with that name; None is its only one. Raises ``ResourceError``."""
    mounts = spec.sensors.depth
    if name is None and len(mounts) == 1:
        name = next(iter(mounts))
    if name is None or name not in mounts:
        found = f"no {name}" if name else f"{len(mounts)} cameras and no name"
        raise ResourceError(expected(f"a depth camera of the robot {spec.name}", found, mounts))
    return name, mounts[name]


def intrinsics(sensor: DepthSensor) -> DepthIntrinsics:
    """Return the pinhole of the images that a profile describes."""
    return DepthIntrinsics(
        width=sensor.width, height=sensor.height, fx=sensor.fx, fy=sensor.fy, cx=sensor.cx, cy=sensor.cy
    )
