"""Sensor profiles: what a kind of sensor sees, how often, how late and how well. Files of ``config/sensors``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Optional, Union

from pydantic import Field
from typing_extensions import Annotated

from robot_policies import resources
from robot_policies.exceptions import SchemaError, expected
from robot_policies.schema import load, schema

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


@schema
class Decimation:
    """Each block of magnitude x magnitude pixels becomes one: median up to 3, above that the mean."""

    name: Literal["decimation"]
    magnitude: Annotated[int, Field(ge=2, le=8)]


@schema
class Disparity:
    """Depth becomes disparity (``to_disparity``), in which noise is even, or depth again (``to_depth``)."""

    name: Literal["to_disparity", "to_depth"]


@schema
class Spatial:
    """Smooths inside of surfaces. ``holes`` up to 5: how far holes are filled from the left."""

    name: Literal["spatial"]
    alpha: Annotated[float, Field(ge=0.25, le=1)]
    delta: Annotated[float, Field(ge=1, le=50)]
    magnitude: Annotated[int, Field(ge=1, le=5)]
    holes: Annotated[int, Field(ge=0, le=5)]


@schema
class Temporal:
    """Smooths each pixel over time. ``persistence`` up to 8: how long a pixel that is lost keeps its depth."""

    name: Literal["temporal"]
    alpha: Annotated[float, Field(ge=0, le=1)]
    delta: Annotated[float, Field(ge=1, le=100)]
    persistence: Annotated[int, Field(ge=0, le=8)]


@schema
class HoleFilling:
    """Every pixel without return gets the depth of a neighbour."""

    name: Literal["hole_filling"]
    mode: Literal["left", "farthest", "nearest"]


DepthFilter = Annotated[Union[Decimation, Disparity, Spatial, Temporal, HoleFilling], Field(discriminator="name")]


@schema
class DepthStream:
    """How a device of this kind is set up; a simulated camera has none of it. Filters are those of librealsense."""

    width: Count  # [px], of the device's own image
    height: Count
    rate: Count  # [Hz]
    transfer: NotNegative  # [s], least time from capture to receipt, where the device's clock is not the system's
    filters: tuple[DepthFilter, ...]  # in this order, before the image is sampled


@schema
class DepthSensor:
    """A depth camera: pinhole model of the image that it publishes, and its faults. Depth is along the optical axis."""

    format: Literal[1]
    kind: Literal["depth"]
    width: Count  # [px]
    height: Count
    fx: Positive  # [px]
    fy: Positive
    cx: float  # [px], of pixel centres: the middle of the image is ((width - 1) / 2, (height - 1) / 2)
    cy: float
    near: NotNegative  # [m], nothing nearer is seen
    far: Positive  # [m], nothing farther is seen
    rate: Positive  # [Hz]
    delay: tuple[NotNegative, NotNegative]  # [s], capture to publication: least and most, drawn for each image
    baseline: NotNegative  # [m], between the imagers; the blind band on the left is fx * baseline / depth pixels wide
    noise_quadratic: NotNegative  # [1/m], standard deviation of a depth z is noise_quadratic * z^2
    hole_rate: Annotated[float, Field(ge=0, le=1)]  # share of pixels without return
    edge_hole_rate: Annotated[float, Field(ge=0, le=1)]  # share of pixels at a step in depth without return
    stream: Optional[DepthStream] = None  # None: no device gives these images


@schema
class ImuSensor:
    """An IMU with an attitude filter; standard deviations per sample."""

    format: Literal[1]
    kind: Literal["imu"]
    gyro_noise: NotNegative  # [rad/s]
    acc_noise: NotNegative  # [m/s^2]
    attitude_noise: NotNegative  # [rad], of each axis of a small rotation


def load_depth_sensor(name_or_path: str | Path) -> DepthSensor:
    """Return a depth camera's profile. Raises ResourceError (no such file) or SchemaError (not a depth profile)."""
    path = resources.find("sensors", name_or_path)
    sensor = load(DepthSensor, path)
    if sensor.near >= sensor.far:
        raise SchemaError(expected(f"{path}: near below far", f"{sensor.near} and {sensor.far}", "near < far"))
    if sensor.delay[0] > sensor.delay[1]:
        raise SchemaError(expected(f"{path}: delay", list(sensor.delay), "the least first, then the most"))
    return sensor


def load_imu_sensor(name_or_path: str | Path) -> ImuSensor:
    """Return an IMU's profile. Raises ResourceError (no such file) or SchemaError (not an IMU profile)."""
    return load(ImuSensor, resources.find("sensors", name_or_path))
