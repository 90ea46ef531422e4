"""The robot file: joints in motor order, limits, poses, gains to stand with, and where the sensors are.

``config/robots/<name>.yaml`` is read into strict dataclasses, checked as a whole, and given out as a ``RobotSpec``
whose arrays are in motor order and cannot be written. Everything above maps by name, once, with ``joint_index``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

import numpy as np
import numpy.typing as npt
from pydantic import Field
from typing_extensions import Annotated

from robot_policies import resources
from robot_policies.exceptions import InputError, SchemaError, expected
from robot_policies.schema import load, schema
from robot_policies.types import Array, owned

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Vector = tuple[float, float, float]
PerJoint = tuple[NotNegative, ...]  # one number for all joints, or one each, in the order of ``joints``


@schema
class Joint:
    """One motor, as the robot's own protocol counts them."""

    name: Name
    range: tuple[float, float]  # [rad]
    velocity: Positive  # [rad/s], rated maximum
    effort: Positive  # [N m], peak
    torque_speed: tuple[NotNegative, Positive]  # [rad/s]: fastest at peak effort; where no driving effort is left


@schema
class StandGains:
    """Gains with which the robot stands up and holds a pose."""

    stiffness: PerJoint  # [N m/rad]
    damping: PerJoint  # [N m s/rad]


@schema
class ImuMount:
    """The IMU. Its axes are those of the base."""

    sensor: Name  # a file of config/sensors
    frame: Name
    position: Vector  # [m] in the base frame


@schema
class DepthMount:
    """A depth camera. Its optical axis lies in the base's x-z plane."""

    sensor: Name  # a file of config/sensors
    frame: Name  # of the image, z along the optical axis
    position: Vector  # [m] of the optical centre in the base frame
    pitch: float  # [rad], positive looks down


@schema
class JointSensors:
    """Standard deviations of what the motors report, per sample."""

    pos_noise: NotNegative  # [rad]
    vel_noise: NotNegative  # [rad/s]
    effort_noise: NotNegative  # [N m]


@schema
class FootSensors:
    """Foot force sensors, one per foot."""

    noise: NotNegative  # [N], standard deviation per sample


@schema
class Sensors:
    """All that the robot senses with."""

    imu: ImuMount
    joints: JointSensors
    feet: Optional[FootSensors] = None
    depth: dict[Name, DepthMount] = Field(default_factory=dict)


@schema
class Bodies:
    """Names of the model's bodies that tell a fall when they touch the ground."""

    base: tuple[Name, ...]
    thigh: tuple[Name, ...]


@schema
class _File:
    """The whole of a robot file."""

    format: Literal[1]
    name: Name
    source: str
    model: Optional[Name]  # a file of sim2real/mujoco/models; null where there is none
    state_rate: Positive  # [Hz]
    base_frame: Name
    joints: Annotated[tuple[Joint, ...], Field(min_length=1)]
    feet: tuple[Name, ...]
    poses: dict[Name, tuple[float, ...]]  # [rad]
    stand_gains: StandGains
    bodies: Bodies
    sensors: Sensors
    hardware: dict[Name, dict[str, Any]] = Field(default_factory=dict)  # backend -> what its driver must know


@dataclass(frozen=True, eq=False)
class RobotSpec:
    """A robot. ``n`` joints, every joint array in the order of ``joint_names`` (the robot's motor order)."""

    name: str
    joint_names: tuple[str, ...]
    joint_lower: Array  # (n,) [rad]
    joint_upper: Array  # (n,) [rad]
    joint_vel_limit: Array  # (n,) [rad/s]
    effort_limit: Array  # (n,) [N m], peak
    torque_speed: Array  # (n, 2) [rad/s]: fastest speed at peak torque, speed at which no driving torque is left
    poses: Mapping[str, Array]  # name -> (n,) [rad]; "stand" and "sit" at least
    stand_stiffness: Array  # (n,) [N m/rad]
    stand_damping: Array  # (n,) [N m s/rad]
    feet: tuple[str, ...]  # names of the feet: model sites, frames, order of RobotState.foot_force
    base_frame: str
    imu_frame: str
    base_bodies: tuple[str, ...]  # bodies of the model that must not touch the ground
    thigh_bodies: tuple[str, ...]
    sensors: Sensors
    state_rate: float  # [Hz], how often states are read and commands written
    model: str | None  # name of the MuJoCo model
    source: str
    # by backend (``unitree``): what a driver must know of this robot; the driver has the schema of its section
    hardware: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def joint_index(self, names: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return the index of each of ``names``: ``robot_array[index]`` is in the order of ``names``.

        Raises:
            InputError: a name that the robot does not have, or one named twice.
        """
        unknown = [name for name in names if name not in self.joint_names]
        twice = sorted({name for name in names if list(names).count(name) > 1})
        if unknown or twice:
            found = ", ".join([f"unknown {name}" for name in unknown] + [f"{name} twice" for name in twice])
            raise InputError(expected(f"joints of the robot {self.name}, each once", found, self.joint_names))
        return np.array([self.joint_names.index(name) for name in names], dtype=np.intp)


def load_robot_spec(name_or_path: str | Path) -> RobotSpec:
    """Return the robot that a name (``go2``) or the path of a robot file leads to.

    Raises:
        ResourceError: there is no such robot.
        SchemaError: the file is not a robot file; one line per fault.
    """
    path = resources.find("robots", name_or_path)
    file = load(_File, path)
    faults = _faults(file, path.stem)
    if faults:
        raise SchemaError("\n".join(f"{path}: {fault}" for fault in faults))
    return _spec(file)


def _faults(file: _File, stem: str) -> list[str]:
    """Return what no single value can show: sizes, names and order of the limits."""
    count, names = len(file.joints), [joint.name for joint in file.joints]
    faults = [] if file.name == stem else [expected("name: the name of the file", file.name, stem)]
    for what, items in (("joints", names), ("feet", list(file.feet))):
        twice = sorted({item for item in items if items.count(item) > 1})
        faults += [expected(f"{what}: each name once", f"{item} twice", "unique names") for item in twice]
    for joint in file.joints:
        faults += _joint_faults(joint)
    for key in ("stiffness", "damping"):
        size = len(getattr(file.stand_gains, key))
        if size not in (1, count):
            faults.append(expected(f"stand_gains.{key}: one number, or one per joint", size, f"1 or {count}"))
    faults += [
        expected("poses: a stand and a sit pose", f"no {pose}", f"{pose}: {count} joint positions [rad]")
        for pose in ("stand", "sit")
        if pose not in file.poses
    ]
    for pose, values in file.poses.items():
        faults += _pose_faults(file, pose, values)
    return faults


def _joint_faults(joint: Joint) -> list[str]:
    return [
        expected(f"joints.{joint.name}.{key}: low before high", f"{low}, {high}", "[low, high] with low < high")
        for key, (low, high) in (("range", joint.range), ("torque_speed", joint.torque_speed))
        if low >= high
    ]


def _pose_faults(file: _File, pose: str, values: tuple[float, ...]) -> list[str]:
    if len(values) != len(file.joints):
        asked = f"poses.{pose}: one position per joint"
        return [expected(asked, f"{len(values)} numbers", f"{len(file.joints)} numbers, in the order of joints")]
    return [
        expected(f"poses.{pose}: {joint.name} within its limits", value, f"{joint.range[0]} to {joint.range[1]} rad")
        for joint, value in zip(file.joints, values, strict=True)
        if not joint.range[0] <= value <= joint.range[1]
    ]


def _spec(file: _File) -> RobotSpec:
    joints, count = file.joints, len(file.joints)
    return RobotSpec(
        name=file.name,
        joint_names=tuple(joint.name for joint in joints),
        joint_lower=owned([joint.range[0] for joint in joints]),
        joint_upper=owned([joint.range[1] for joint in joints]),
        joint_vel_limit=owned([joint.velocity for joint in joints]),
        effort_limit=owned([joint.effort for joint in joints]),
        torque_speed=owned([joint.torque_speed for joint in joints]),
        poses={pose: owned(values) for pose, values in file.poses.items()},
        stand_stiffness=owned(np.broadcast_to(file.stand_gains.stiffness, count)),
        stand_damping=owned(np.broadcast_to(file.stand_gains.damping, count)),
        feet=file.feet,
        base_frame=file.base_frame,
        imu_frame=file.sensors.imu.frame,
        base_bodies=file.bodies.base,
        thigh_bodies=file.bodies.thigh,
        sensors=file.sensors,
        state_rate=file.state_rate,
        model=file.model,
        source=file.source,
        hardware=file.hardware,
    )
