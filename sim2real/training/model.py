"""The robot's model as training needs it: the deployed one, with sensors on feet and on everything else."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.types import Array
from sim2real.training.motion import Bools

_FOUND = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND)


@dataclass(frozen=True)
class Plant:
    """A compiled model and where to read in it; joints and feet are in the order that was asked for."""

    model: mujoco.MjModel
    trunk: str  # body that carries the base
    qpos: tuple[int, ...]  # address of each joint in qpos
    qvel: tuple[int, ...]
    control: tuple[int, ...]  # actuator of each joint
    feet: tuple[tuple[int, int, int], ...]  # sensor addresses per foot: contact, position, velocity
    foot_radius: float  # [m]
    bad: tuple[int, ...]  # sensor addresses of the contacts that no walking robot has

    def contacts(self, sensors: Array) -> tuple[Bools, Array]:
        """Return which feet touch (N, f), and how many other contacts there are (N,), from (N, nsensordata)."""
        touch = sensors[:, [foot[0] for foot in self.feet]] > 0.0
        return touch, np.asarray((sensors[:, list(self.bad)] > 0.0).sum(axis=1, dtype=float))

    def foot_motion(self, sensors: Array) -> tuple[Array, Array]:
        """Return the feet's lowest points (N, f, 3) [m] and velocities (N, f, 3) [m/s], both in the world."""
        place = np.stack([sensors[:, foot[1] : foot[1] + 3] for foot in self.feet], axis=1)
        place[:, :, 2] -= self.foot_radius
        speed = np.stack([sensors[:, foot[2] : foot[2] + 3] for foot in self.feet], axis=1)
        return place, speed


def build_plant(spec: mujoco.MjSpec, joints: tuple[str, ...], foot_geoms: tuple[str, ...], physics_dt: float) -> Plant:
    """Add the sensors to ``spec`` and compile it.

    Args:
        spec: the robot on its ground: one free joint, one motor per joint.
        joints: joint names, in the order of all arrays.
        foot_geoms: names of the feet's spheres, in the order of all arrays.
        physics_dt: [s], replaces the model's time step.

    Raises:
        RobotError: the model lacks one of the names.
    """
    known = {geom.name for geom in spec.geoms}
    for name in foot_geoms:
        if name not in known:
            raise RobotError(expected("model: a geom for every foot", f"no {name}", sorted(known)))
    _strip(spec)
    _add_sensors(spec, foot_geoms)
    spec.option.timestep = physics_dt
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_SPARSE  # a tenth to a fifth quicker, the same to 1e-13
    spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)  # a broken state must show
    model = spec.compile()
    qpos, qvel, control = _addresses(model, joints)
    address = {model.sensor(i).name: int(model.sensor_adr[i]) for i in range(model.nsensor)}
    return Plant(
        model=model,
        trunk=model.body(int(model.jnt_bodyid[0])).name,
        qpos=qpos,
        qvel=qvel,
        control=control,
        feet=tuple((address[f"train/touch/{g}"], address[f"train/pos/{g}"], address[f"train/vel/{g}"])
                   for g in foot_geoms),
        foot_radius=float(model.geom(foot_geoms[0]).size[0]),
        bad=tuple(value for name, value in address.items() if name.startswith("train/bad/")),
    )  # fmt: skip


def _strip(spec: mujoco.MjSpec) -> None:
    """Drop what costs time and moves nothing: the look, which has no mass and no contacts, and the robot's sensors."""
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    for geom in list(spec.geoms):
        if not (geom.contype or geom.conaffinity) and geom.parent is not spec.worldbody:
            spec.delete(geom)


def _add_sensors(spec: mujoco.MjSpec, foot_geoms: tuple[str, ...]) -> None:
    for index, geom in enumerate(list(spec.geoms)):
        collides = bool(geom.contype or geom.conaffinity)
        if geom.name in foot_geoms:
            _contact(spec, f"train/touch/{geom.name}", geom.name)
            _frame(spec, f"train/pos/{geom.name}", geom.name, mujoco.mjtSensor.mjSENS_FRAMEPOS)
            _frame(spec, f"train/vel/{geom.name}", geom.name, mujoco.mjtSensor.mjSENS_FRAMELINVEL)
        elif collides and geom.parent is not spec.worldbody:
            geom.name = geom.name or f"train/{index}"
            _contact(spec, f"train/bad/{geom.name}", geom.name)


def _frame(spec: mujoco.MjSpec, name: str, geom: str, kind: mujoco.mjtSensor) -> None:
    spec.add_sensor(name=name, type=kind, objtype=mujoco.mjtObj.mjOBJ_GEOM, objname=geom)


def _contact(spec: mujoco.MjSpec, name: str, geom: str) -> None:
    sensor = spec.add_sensor(name=name, type=mujoco.mjtSensor.mjSENS_CONTACT)
    sensor.objtype = mujoco.mjtObj.mjOBJ_GEOM
    sensor.objname = geom
    sensor.intprm[0], sensor.intprm[1], sensor.intprm[2] = _FOUND, 0, 1


def _addresses(
    model: mujoco.MjModel, joints: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    names = [model.joint(i).name for i in range(model.njnt)]
    missing = [name for name in joints if name not in names]
    if missing:
        raise RobotError(expected("model: every joint of the robot file", f"no {', '.join(missing)}", names))
    index = [names.index(name) for name in joints]
    driven = {int(model.actuator_trnid[i, 0]): i for i in range(model.nu)}
    return (
        tuple(int(model.jnt_qposadr[i]) for i in index),
        tuple(int(model.jnt_dofadr[i]) for i in index),
        tuple(driven[i] for i in index),
    )
