"""The simulated depth camera: rays through the pixels of a pinhole, into a mirror of the simulation.

No GL is needed. The body that carries the camera is invisible to it, as the optics look out of a window in their own
housing; the legs are seen where they swing into view, as on the robot. What is drawn is seen (the ground and the
robot's look), not the simpler collision shapes. The ground is rendered from its boxes, as a ray that MuJoCo casts takes
longer the more boxes there are; the robot is seen by rays into a world that holds nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mujoco
import numpy as np

from robot_policies.contract import DepthIntrinsics
from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import DepthMount, RobotSpec
from robot_policies.schema import parse
from robot_policies.types import Array, Array32, DepthImage, owned
from sim2real.mujoco.camera_profile import CameraOptions, CameraProfile, camera_profile
from sim2real.mujoco.camera_timing import CaptureClock, DelayLine
from sim2real.mujoco.depth_faults import apply
from sim2real.mujoco.depth_renderer import DepthRenderer
from sim2real.mujoco.ground import GROUND_GROUP, Ground
from sim2real.mujoco.terrain import find_ground
from sim2real.mujoco.world import LOOK_GROUP, build_model

_ONLY = np.zeros(1, np.int64)  # index of the one ground
SEEN_GROUPS = np.array([group in (GROUND_GROUP, LOOK_GROUP) for group in range(6)], np.uint8)


@dataclass(frozen=True, slots=True)
class BasePose:
    """Where the base is in the world."""

    position: Array  # (3,) [m]
    quat_wxyz: Array  # (4,)


def optical_rotation(pitch: float) -> Array:
    """Return (3, 3), optical frame (x right, y down, z forward) to base frame, of a camera ``pitch`` [rad] down."""
    down, ahead = np.sin(pitch), np.cos(pitch)
    return np.array([[0.0, -down, ahead], [-1.0, 0.0, 0.0], [0.0, -ahead, -down]])


def pixel_rays(intrinsics: DepthIntrinsics) -> Array:
    """Return (height * width, 3) rays in the optical frame, row by row from the top; z is 1, so length counts depth.

    Pixel centres have whole coordinates, as in sensor_msgs/CameraInfo: the middle of the image is (width - 1) / 2.
    """
    v, u = np.mgrid[: intrinsics.height, : intrinsics.width].astype(np.float64)
    x, y = (u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy
    return np.stack((x, y, np.ones_like(x)), axis=-1).reshape(-1, 3)


class Sight(Protocol):
    """Sees the posed mirror without any fault."""

    def depth(self, data: mujoco.MjData) -> Array32:
        """Return (height, width) depth along the optical axis [m], 0 where nothing is hit; row 0 on top."""
        ...


class RayCamera:
    """Casts the rays of one camera that is fixed to one body, at everything that the model has."""

    def __init__(self, model: mujoco.MjModel, body: int, mount: DepthMount, intrinsics: DepthIntrinsics) -> None:
        """Prepare the rays; ``mount`` is the camera's place in the frame of ``body``."""
        self._model, self._body = model, body
        self._position = owned(mount.position)
        self._rays = pixel_rays(intrinsics) @ optical_rotation(mount.pitch).T
        self._shape = (intrinsics.height, intrinsics.width)
        self._distance = np.zeros(len(self._rays))
        self._geom = np.zeros(len(self._rays), np.int32)

    def depth(self, data: mujoco.MjData) -> Array32:
        """Return (height, width) depth along the optical axis [m], 0 where nothing is hit; row 0 on top."""
        origin, rotation = self.place(data)
        rays = np.ascontiguousarray(self._rays @ rotation.T).ravel()
        mujoco.mj_multiRay(
            self._model, data, origin, rays, SEEN_GROUPS, True, self._body,
            self._geom, self._distance, None, len(self._rays), mujoco.mjMAXVAL,
        )  # fmt: skip
        return np.maximum(self._distance, 0.0).astype(np.float32).reshape(self._shape)

    def place(self, data: mujoco.MjData) -> tuple[Array, Array]:
        """Return the optical centre in the world, (3,) [m], and the rotation of body to world, (3, 3)."""
        rotation = data.xmat[self._body].reshape(3, 3)
        return data.xpos[self._body] + rotation @ self._position, rotation


class GroundCamera:
    """The ground from its boxes, and the robot by rays into a model without ground: the nearer of both."""

    def __init__(self, ground: Ground, robot: RayCamera, profile: CameraProfile) -> None:
        """Prepare the ground; ``robot`` sees the robot alone."""
        k, self._robot = profile.intrinsics, robot
        rows, columns = np.arange(k.height, dtype=float), np.arange(k.width, dtype=float)
        self._renderer = DepthRenderer([ground], (rows - k.cy) / k.fy, (columns - k.cx) / k.fx, profile.far)
        self._optical = optical_rotation(profile.mount.pitch)

    def depth(self, data: mujoco.MjData) -> Array32:
        """Return (height, width) depth along the optical axis [m], 0 where nothing is hit; row 0 on top."""
        origin, rotation = self._robot.place(data)
        around = self._renderer.depth(_ONLY, origin[None], (rotation @ self._optical)[None])[0]
        robot = self._robot.depth(data)
        return np.where((robot > 0.0) & ((robot < around) | (around == 0.0)), robot, around)


class Mirror:
    """A second copy of the simulation, posed by what the robot reports instead of stepped."""

    def __init__(self, model: mujoco.MjModel, joint_names: Sequence[str]) -> None:
        """Find the base and the joints.

        Raises:
            RobotError: the model has no free base, or lacks a joint.
        """
        self.model, self.data = model, mujoco.MjData(model)
        free = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)
        known = {model.joint(i).name: int(model.jnt_qposadr[i]) for i in range(model.njnt)}
        missing = [name for name in joint_names if name not in known]
        if missing or len(free) != 1:
            found = f"no {', '.join(missing)}" if missing else f"{len(free)} free joints"
            raise RobotError(expected("depth camera: a model with a free base and the robot's joints", found, known))
        self.base_body = int(model.jnt_bodyid[free[0]])
        self._base = int(model.jnt_qposadr[free[0]])
        self._joints = np.array([known[name] for name in joint_names])

    def pose(self, joint_pos: Array, base: BasePose) -> mujoco.MjData:
        """Set the joints (n,) [rad] in the order of ``joint_names`` and the base; return the posed data."""
        qpos = self.data.qpos
        qpos[self._base : self._base + 3] = base.position
        qpos[self._base + 3 : self._base + 7] = base.quat_wxyz
        qpos[self._joints] = joint_pos
        mujoco.mj_kinematics(self.model, self.data)
        return self.data


Pose = Callable[[], tuple[Array, BasePose]]


class SimulatedDepthCamera:
    """What a robot's depth camera gives in simulation: the same in its own process and offline."""

    def __init__(self, mirror: Mirror, sight: Sight, profile: CameraProfile) -> None:
        """Join the parts."""
        self.profile = profile
        self._mirror, self._sight = mirror, sight
        self._clock = CaptureClock(profile.rate)
        self._line = DelayLine(profile.delay, profile.jitter, profile.seed)
        self._newest_ns: int | None = None

    def step(self, stamp_ns: int, pose: Pose) -> list[DepthImage]:
        """Take the state of ``stamp_ns`` and return the images that come out by then, oldest first.

        Args:
            stamp_ns: of the state; every state is shown to the camera, in order.
            pose: gives the joints (n,) [rad] in the order of the robot file, and the base. Called where it captures.
        """
        self.see(stamp_ns, pose)
        return [image for _, image in self.release(stamp_ns)]

    def see(self, stamp_ns: int, pose: Pose) -> None:
        """Capture the state of ``stamp_ns`` if it is due. Arguments as for ``step``."""
        if self._newest_ns is not None and stamp_ns < self._newest_ns:
            self._line.clear()
        self._newest_ns = stamp_ns
        if self._clock.due(stamp_ns):
            self._line.put(self.capture(stamp_ns, *pose()))

    def release(self, now_ns: int) -> list[tuple[int, DepthImage]]:
        """Return the images that come out by ``now_ns``, oldest first, each after the moment at which it was due."""
        return self._line.take_with_dues(now_ns)

    def horizon(self, now_ns: int) -> int:
        """Return the stamp [ns], after ``now_ns``, before which no image comes out that has not yet: a lower bound."""
        capture = self._clock.next_ns()
        if capture is None:
            return now_ns + 1
        due = self._line.next_ns
        return max(now_ns + 1, capture + self._line.least_ns if due is None else due)

    def capture(self, stamp_ns: int, joint_pos: Array, base: BasePose) -> DepthImage:
        """Return the image of that moment. Its faults hang on seed and stamp only, not on the images before."""
        depth = self._sight.depth(self._mirror.pose(joint_pos, base))
        rng = np.random.default_rng((self.profile.seed, stamp_ns))
        return DepthImage(stamp_ns, owned(apply(depth, self.profile.faults, self.profile.far, rng), np.float32))


def create(spec: RobotSpec, options: Mapping[str, Any]) -> SimulatedDepthCamera:
    """Return the simulated depth camera of ``spec``. ``options`` are the fields of ``CameraOptions``.

    Raises:
        SchemaError: other options, or a sensor file that is none.
        ResourceError: no such camera or sensor.
        RobotError: the robot has no model, or there is no such terrain.
    """
    given = parse(CameraOptions, dict(options), "options of the simulated depth camera")
    return simulated_camera(spec, camera_profile(spec, given), find_ground(given.terrain))


def simulated_camera(spec: RobotSpec, profile: CameraProfile, ground: Ground) -> SimulatedDepthCamera:
    """Return the camera of ``profile`` on ``spec``, on ``ground``. Raises ``RobotError`` without a model."""
    mirror = Mirror(build_model(spec, _no_ground), spec.joint_names)
    robot = RayCamera(mirror.model, mirror.base_body, profile.mount, profile.intrinsics)
    return SimulatedDepthCamera(mirror, GroundCamera(ground, robot, profile), profile)


def _no_ground(world: mujoco.MjSpec) -> None:
    """Add nothing."""
