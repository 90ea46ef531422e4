"""What a simulated depth camera is: the robot file's mount and sensor, with what a run overrides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pydantic import Field
from typing_extensions import Annotated

from robot_policies.cameras.camera import depth_mount
from robot_policies.contract import DepthIntrinsics
from robot_policies.robot_spec import DepthMount, RobotSpec
from robot_policies.schema import schema
from robot_policies.sensor_spec import DepthSensor, load_depth_sensor
from sim2real.mujoco.depth_faults import DepthFaults

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, lt=60)]
Pixels = Annotated[int, Field(ge=2, le=4096)]


@schema
class CameraOptions:
    """Options of ``create``. None takes what the robot file and its sensor profile say."""

    camera: Optional[str] = None  # a name under sensors.depth of the robot file; None: its only one
    sensor: Optional[str] = None  # a file of config/sensors
    terrain: Optional[str] = None  # as for the robot; None is the plane
    seed: Annotated[int, Field(ge=0)] = 0  # of the faults
    width: Optional[Pixels] = None  # [px]; the field of view stays
    height: Optional[Pixels] = None
    rate: Optional[Annotated[float, Field(gt=0, le=1000)]] = None  # [Hz]
    delay: Optional[Seconds] = None  # [s], capture to publication, the least
    jitter: Optional[Seconds] = None  # [s], up to this much more, drawn for each image
    noise: Optional[NotNegative] = None  # [1/m], standard deviation of a depth z is noise * z^2
    hole_random: Optional[Share] = None
    hole_edges: Optional[Share] = None
    blind_band: Optional[NotNegative] = None  # [m], nothing nearer returns
    left_band: bool = True  # whether the columns that only one imager sees are without return


@dataclass(frozen=True, slots=True)
class CameraProfile:
    """A camera as it will be simulated."""

    name: str
    mount: DepthMount
    intrinsics: DepthIntrinsics
    faults: DepthFaults
    far: float  # [m]
    rate: float  # [Hz]
    delay: float  # [s], the least
    jitter: float  # [s], up to this much more
    seed: int


def camera_profile(spec: RobotSpec, options: CameraOptions) -> CameraProfile:
    """Return the camera that ``options`` ask for on ``spec``.

    Raises:
        ResourceError: the robot has no such camera, or there is no such sensor.
    """
    name, mount = depth_mount(spec, options.camera)
    sensor = load_depth_sensor(options.sensor or mount.sensor)
    intrinsics = resized(sensor, options.width or sensor.width, options.height or sensor.height)
    faults = DepthFaults(
        noise=_or(options.noise, sensor.noise_quadratic),
        hole_edges=_or(options.hole_edges, sensor.edge_hole_rate),
        hole_random=_or(options.hole_random, sensor.hole_rate),
        blind_band=_or(options.blind_band, sensor.near),
        left_band=intrinsics.fx * sensor.baseline if options.left_band else 0.0,
    )
    least, most = sensor.delay
    return CameraProfile(
        name=name,
        mount=mount,
        intrinsics=intrinsics,
        faults=faults,
        far=sensor.far,
        rate=_or(options.rate, sensor.rate),
        delay=_or(options.delay, least),
        jitter=_or(options.jitter, most - least),
        seed=options.seed,
    )


def resized(sensor: DepthSensor, width: int, height: int) -> DepthIntrinsics:
    """Return the sensor's pinhole with another number of pixels over the same field of view."""
    x, y = width / sensor.width, height / sensor.height
    # Pixel centres have whole coordinates, so the image's left edge is at -0.5.
    cx, cy = (sensor.cx + 0.5) * x - 0.5, (sensor.cy + 0.5) * y - 0.5
    return DepthIntrinsics(width=width, height=height, fx=sensor.fx * x, fy=sensor.fy * y, cx=cx, cy=cy)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
