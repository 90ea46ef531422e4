"""What the course and the seed make of the simulated world, and the cameras in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import mujoco
import numpy as np

from robot_policies.contract import Contract
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, DepthImage, RobotState
from sim2real.evaluation.camera_draw import drawn_camera
from sim2real.evaluation.judge import Velocity
from sim2real.evaluation.offline import Cameras
from sim2real.evaluation.plant import Plant
from sim2real.mujoco.camera_profile import CameraOptions, camera_profile
from sim2real.mujoco.depth_camera import BasePose, simulated_camera
from sim2real.mujoco.ground import Ground
from sim2real.mujoco.robot import GroundTruth
from sim2real.mujoco.terrain import find_ground
from sim2real.mujoco.world import Terrain

STRAY = 2.0  # [m] that a robot may be farther from its start than its command leads it


def farthest(command: Velocity, seconds: float) -> float:
    """Return how far a command leads from the start [m]: straight on, or on a circle."""
    x, y, turn = command
    speed = math.hypot(x, y)
    return min(speed * seconds, 2.0 * speed / abs(turn) if turn else math.inf)


def within(ground: Ground, radius: float) -> Ground:
    """Return ``ground`` without the boxes that begin farther than ``radius`` [m] from the start: each costs time."""
    near = [box for box in ground.boxes if math.hypot(*box.centre[:2]) - math.hypot(*box.half[:2]) <= radius]
    return replace(ground, boxes=tuple(near))


def varied_world(ground: Ground, plant: Plant, spec: RobotSpec) -> Terrain:
    """Return what makes the world of one episode: the ground, and the robot's feet, trunk and start as drawn."""

    def build(world: mujoco.MjSpec) -> None:
        ground.add_to(world)
        if plant.foot_friction is not None:
            for foot in spec.feet:
                world.geom(foot).friction[0] = plant.foot_friction
        trunk = world.body(spec.base_bodies[0])
        trunk.fullinertia = np.asarray(trunk.fullinertia) * (1.0 + plant.added_mass / trunk.mass)
        trunk.mass += plant.added_mass
        trunk.ipos = np.asarray(trunk.ipos) + plant.com_shift
        trunk.pos = np.asarray(trunk.pos) + (0.0, plant.start_y, 0.0)
        trunk.quat = (math.cos(plant.start_yaw / 2.0), 0.0, 0.0, math.sin(plant.start_yaw / 2.0))

    return build


def simulated_cameras(
    contract: Contract,
    spec: RobotSpec,
    truth: Callable[[], GroundTruth],
    terrain: str | None,
    seed: int,
    randomized: bool = False,
) -> Cameras | None:
    """Return the depth cameras that the bundle reads; None where it is blind.

    A single depth input reads the robot's only camera; of several, each reads the camera of its name, as in the nodes.

    Args:
        contract: of the bundle.
        spec: the robot.
        truth: gives where it is.
        terrain: the name of its ground; None is the plane.
        seed: of the cameras' faults.
        randomized: whether the seed also draws their places, delays and how faulty they are.

    Raises:
        ResourceError: the robot has no such camera.
    """
    if not contract.depth:
        return None
    single, ground = len(contract.depth) == 1, find_ground(terrain)
    profiles = {
        name: camera_profile(spec, CameraOptions(camera=None if single else name, seed=seed)) for name in contract.depth
    }
    if randomized:
        for number, (name, depth) in enumerate(contract.depth.items()):
            profiles[name] = drawn_camera(profiles[name], depth, contract.timing.control_dt, seed, number)
    cameras = {name: simulated_camera(spec, profile, ground) for name, profile in profiles.items()}

    def pose() -> tuple[Array, BasePose]:
        true = truth()
        return true.joint_pos, BasePose(true.position, true.quat_wxyz)

    def images(state: RobotState) -> Mapping[str, DepthImage]:
        ready = {name: camera.step(state.stamp_ns, pose) for name, camera in cameras.items()}
        return {name: released[-1] for name, released in ready.items() if released}

    return images
