"""The robot's model on its ground: one MuJoCo world with one robot in it, and where in it each joint is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from robot_policies import resources
from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from sim2real.mujoco.terrain import find_ground

Indices = npt.NDArray[np.intp]
Terrain = Callable[[mujoco.MjSpec], None]  # adds the ground to a world that holds the robot

LOOK_GROUP = 2  # geoms of the look: no mass, no contacts


def world_spec(spec: RobotSpec, terrain: Terrain | str | None = None, look: bool = True) -> mujoco.MjSpec:
    """Return the robot's model on its ground, not yet compiled, so that a caller can add to it.

    Args:
        spec: the robot.
        terrain: what adds the ground, or its name (see ``terrain``); None is the plane.
        look: False leaves out what is only seen, which is a tenth of a physics step.

    Raises:
        RobotError: the robot has no model, or nothing is called ``terrain``.
        ResourceError: the model's file is not there.
    """
    if spec.model is None:
        raise RobotError(expected(f"a MuJoCo model of the robot {spec.name}", "none in its file", "backend mock"))
    add_ground = find_terrain(terrain)
    world = mujoco.MjSpec.from_file(str(resources.find("models", spec.model)))
    if look:
        _add_light(world)
    else:
        for geom in [geom for geom in world.geoms if geom.group == LOOK_GROUP]:
            world.delete(geom)
    add_ground(world)
    return world


def build_model(spec: RobotSpec, terrain: Terrain | str | None = None, look: bool = True) -> mujoco.MjModel:
    """Return the compiled world; arguments and errors as for ``world_spec``."""
    return world_spec(spec, terrain, look).compile()


def find_terrain(terrain: Terrain | str | None) -> Terrain:
    """Return what adds the ground of that name. Raises ``RobotError``: no such terrain, difficulty or seed."""
    if terrain is None or isinstance(terrain, str):
        return find_ground(terrain).add_to
    return terrain


def _add_light(world: mujoco.MjSpec) -> None:
    world.visual.headlight.ambient = [0.35, 0.35, 0.35]
    world.visual.headlight.diffuse = [0.5, 0.5, 0.5]
    world.stat.extent = 1.0  # [m], what shadows and cameras take for the size of the scene
    base = world.worldbody.first_body()
    base.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
        pos=[0.0, 0.0, 2.5],
        dir=[0.0, 0.0, -1.0],
        diffuse=[0.5, 0.5, 0.5],
    )
    world.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.65, 0.75, 0.9],
        rgb2=[0.95, 0.97, 1.0],
        width=64,
        height=64,
    )


@dataclass(frozen=True)
class ModelMap:
    """Where the robot's parts are in the model's arrays; joints in motor order, feet in the order of the robot file."""

    qpos: Indices  # (n,)
    qvel: Indices  # (n,)
    ctrl: Indices  # (n,)
    gyro: slice  # of sensordata
    acc: slice
    quat: slice
    lin_vel: slice
    foot_force: Indices  # (feet,)
    fall_bodies: dict[int, str]  # bodies that must not touch the ground: id -> name


def map_model(spec: RobotSpec, model: mujoco.MjModel) -> ModelMap:
    """Find the robot's parts by name. Raises RobotError where the model lacks one; lists what it has."""
    joints = [_id(model, mujoco.mjtObj.mjOBJ_JOINT, name) for name in spec.joint_names]
    motors = {int(joint): motor for motor, joint in enumerate(model.actuator_trnid[:, 0])}
    idle = [name for name, joint in zip(spec.joint_names, joints, strict=True) if joint not in motors]
    if idle:
        raise RobotError(expected("model: a motor on every joint", f"none on {', '.join(idle)}", "one <motor> each"))
    bodies = (*spec.base_bodies, *spec.thigh_bodies)
    return ModelMap(
        qpos=model.jnt_qposadr[joints].astype(np.intp),
        qvel=model.jnt_dofadr[joints].astype(np.intp),
        ctrl=np.array([motors[joint] for joint in joints], dtype=np.intp),
        gyro=_sensor(model, "imu_gyro"),
        acc=_sensor(model, "imu_acc"),
        quat=_sensor(model, "imu_quat"),
        lin_vel=_sensor(model, "base_lin_vel"),
        foot_force=np.array([_sensor(model, f"{foot}_force").start for foot in spec.feet], dtype=np.intp),
        fall_bodies={_id(model, mujoco.mjtObj.mjOBJ_BODY, name): name for name in bodies},
    )


def _id(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str) -> int:
    number = int(mujoco.mj_name2id(model, kind, name))
    if number < 0:
        word = kind.name.removeprefix("mjOBJ_").lower()
        counts = {"joint": model.njnt, "body": model.nbody, "sensor": model.nsensor}
        known = [mujoco.mj_id2name(model, kind, index) or f"#{index}" for index in range(counts[word])]
        raise RobotError(expected(f"model: a {word} named {name}", "none", known))
    return number


def _sensor(model: mujoco.MjModel, name: str) -> slice:
    number = _id(model, mujoco.mjtObj.mjOBJ_SENSOR, name)
    start = int(model.sensor_adr[number])
    return slice(start, start + int(model.sensor_dim[number]))
