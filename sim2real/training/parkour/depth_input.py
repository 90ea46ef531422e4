"""The depth input of the parkour student: what the bundle states, and what the cameras of training draw."""

from __future__ import annotations

from dataclasses import replace

from robot_policies.cameras.camera import intrinsics
from robot_policies.contract import CameraPose, Depth
from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.sensor_spec import load_depth_sensor
from sim2real.mujoco.camera_profile import CameraOptions, CameraProfile, camera_profile

NAME = "depth"
SIZE = (29, 49)  # of the network's image: every second pixel of the crop, docs/training/depth.md
CROP = (0, 2, 4, 4)  # as Extreme Parkour: bottom rows and outer columns
FAR = 2.0  # [m], as Extreme Parkour
RATE = 10.0  # [Hz] of the network
# [s], capture to publication: of a D435 (config/sensors/d435.yaml), and what a busy machine adds
CAMERA_DELAY = (0.08, 0.16)
# [s], capture to use: one period of the camera at 30 Hz and one control step later at most
USED = (0.08, 0.215)
PLACE = (0.02, 0.02, 0.02)  # +- [m], of the optical centre: how well a bracket is fitted
PITCH = 0.07  # +- [rad]
BLIND = 0.28  # [m], nearer than this a D435 at 848 x 480 gives nothing


def depth_input(spec: RobotSpec) -> Depth:
    """Return the depth input of the bundle for the robot's own camera.

    Raises:
        RobotError: the robot has no depth camera, or several.
        ResourceError, SchemaError: its sensor's file cannot be found or read.
    """
    mounts = spec.sensors.depth
    if len(mounts) != 1:
        raise RobotError(expected(f"{spec.name}: a robot for parkour", f"{len(mounts)} depth cameras", "one"))
    (mount,) = mounts.values()
    sensor = load_depth_sensor(mount.sensor)
    return Depth(
        sensor=mount.sensor,
        intrinsics=intrinsics(sensor),
        pose=CameraPose(position=mount.position, pitch=mount.pitch, position_range=PLACE, pitch_range=PITCH),
        crop=CROP,
        size=SIZE,
        interpolation="nearest",
        near=0.0,
        far=FAR,
        invalid="far",
        scale=1.0 / FAR,
        offset=-0.5,
        rate=RATE,
        delay=USED,
    )


def drawn(depth: Depth) -> Depth:
    """Return ``depth`` with the delays that cameras are drawn with: waiting for the next image comes on top."""
    return replace(depth, delay=CAMERA_DELAY)


def camera(spec: RobotSpec) -> CameraProfile:
    """Return the simulated camera: its faults, its range, its rate."""
    return camera_profile(spec, CameraOptions(blind_band=BLIND))
