"""Poses of a robot along a lane, and what MuJoCo's own rays see from them, without faults."""

from __future__ import annotations

import numpy as np

from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import Array, Array32
from sim2real.mujoco.camera_profile import CameraOptions, CameraProfile, camera_profile
from sim2real.mujoco.depth_camera import BasePose, Mirror, RayCamera, SimulatedDepthCamera
from sim2real.mujoco.terrain import Place
from sim2real.mujoco.world import build_model

SPEC = load_robot_spec("go2")
STAND = SPEC.poses["stand"]
PERFECT = {"noise": 0.0, "hole_random": 0.0, "hole_edges": 0.0, "blind_band": 0.0, "left_band": False}


def profile(**changes: object) -> CameraProfile:
    return camera_profile(SPEC, CameraOptions(**{**PERFECT, **changes}))  # type: ignore[arg-type]


def quaternion(roll: float, pitch: float, yaw: float) -> Array:
    """wxyz, roll first."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.array([roll, pitch, yaw]) / 2), np.sin(np.array([roll, pitch, yaw]) / 2)
    return np.array([
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    ])  # fmt: skip


def poses(place: Place, count: int, seed: int) -> tuple[Array, Array]:
    """Base positions (count, 3) and attitudes (count, 4): rolled, pitched, turned, as far as climbing robots go."""
    rng = np.random.default_rng(seed)
    assert place.lane is not None
    xy = np.stack([rng.uniform(-0.5, place.lane.last_edge + 1.0, count), rng.uniform(-1.4, 1.4, count)], axis=1)
    around = xy[:, None] + rng.uniform(-0.45, 0.45, (count, 60, 2))  # nothing under the robot, so nothing in its lens
    z = place.ground.heights(around).max(axis=1) + rng.uniform(0.25, 0.5, count)
    angles = rng.uniform(-1.0, 1.0, (count, 3)) * (0.4, 0.6, 1.0)
    return np.column_stack([xy, z]), np.array([quaternion(*each) for each in angles])


def ray_camera(terrain: str, **options: object) -> SimulatedDepthCamera:
    """A camera that casts rays at the simulator's whole world, as the simulated camera no longer does."""
    seen = profile(**options)
    mirror = Mirror(build_model(SPEC, terrain), SPEC.joint_names)
    return SimulatedDepthCamera(mirror, RayCamera(mirror.model, mirror.base_body, seen.mount, seen.intrinsics), seen)


def simulated(terrain: str, position: Array, quat_wxyz: Array, **options: object) -> Array32:
    """(count, 60, 106) [m], by ``ray_camera``."""
    camera = ray_camera(terrain, **options)
    return np.array([
        camera.capture(0, STAND, BasePose(place, quat)).depth for place, quat in zip(position, quat_wxyz, strict=True)
    ])  # fmt: skip


def clipped(depth: Array32, far: float) -> Array32:
    """What counts of an image: no return is as far as ``far``."""
    return np.where((depth <= 0.0) | (depth > far), np.float32(far), depth)
