"""The values that flow through a control step. Each is frozen and owns its arrays.

Frames follow REP 103 (x forward, y left, z up), units are SI, time is integer nanoseconds on the robot's clock.
``n`` is the number of joints; every joint array is in the order of ``RobotSpec.joint_names`` (the robot's motor order).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Array32 = npt.NDArray[np.float32]


def owned(values: npt.ArrayLike, dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return a read-only copy of ``values`` that shares memory with nothing."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class RobotState:
    """One complete state of the robot; all parts were captured at ``stamp_ns``."""

    stamp_ns: int
    joint_pos: Array  # (n,) [rad]
    joint_vel: Array  # (n,) [rad/s]
    joint_effort: Array  # (n,) [N m], measured or estimated
    base_quat_wxyz: Array  # (4,) rotates base to world
    base_ang_vel: Array  # (3,) [rad/s], in the base frame
    base_lin_acc: Array  # (3,) [m/s^2], proper acceleration, in the base frame
    foot_force: Array  # (feet,) [N], order of RobotSpec.feet
    base_lin_vel: Array | None = None  # (3,) [m/s], in the base frame; None where nothing estimates it


@dataclass(frozen=True, slots=True)
class Battery:
    """The robot's battery."""

    charge: float  # 0 to 1
    voltage: float  # [V]
    current: float  # [A], negative while it gives
    temperature: float  # [deg C], of its warmest part
    cells: tuple[float, ...] = ()  # [V]


@dataclass(frozen=True, slots=True)
class Remote:
    """The vendor's own remote control. Axes and buttons as in ``nodes/joystick.py``."""

    axes: tuple[float, ...]  # left x, left y, right x, right y, left trigger, right trigger; left and up positive
    pressed: frozenset[str]  # names of buttons


@dataclass(frozen=True, slots=True)
class RobotHealth:
    """What a robot tells beside its state. None where it cannot tell."""

    motor_temperature: Array | None = None  # (n,) [deg C]
    motor_lost: Array | None = None  # (n,) packets that were lost on the way to each motor, counted by the robot
    battery: Battery | None = None
    remote: Remote | None = None
    rival: str = ""  # who else commands the motors, or may; "" for nobody
    motor_error: Array | None = None  # (n,) error code of each motor as the robot tells it, 0 for none


@dataclass(frozen=True, slots=True)
class VelocityCommand:
    """What the operator or planner asks of the base, in the base frame."""

    stamp_ns: int
    lin_vel_x: float  # [m/s]
    lin_vel_y: float  # [m/s]
    ang_vel_z: float  # [rad/s]


@dataclass(frozen=True, slots=True)
class DepthImage:
    """Depth along the optical axis; 0 or NaN where there is no return."""

    stamp_ns: int  # capture
    depth: Array32  # (height, width) [m], row 0 on top
    pinhole: tuple[float, float, float, float] | None = None  # fx, fy, cx, cy [px]; None where nobody says


@dataclass(frozen=True, slots=True)
class HeightScan:
    """True heights around the base at the points of the bundle's term ``height_scan``: only a simulator has them."""

    stamp_ns: int  # of the state that it belongs to
    base: float  # [m], height of the base in the world
    ground: Array  # (points,) [m], height of the ground in the world, in the order of the term


@dataclass(frozen=True, slots=True)
class PolicyInputs:
    """Everything that one policy step may read. ``velocity_command`` None means that none has come."""

    state: RobotState
    velocity_command: VelocityCommand | None = None
    depth: Mapping[str, DepthImage] = field(default_factory=dict)  # by name of the bundle's depth input
    height_scan: HeightScan | None = None  # in simulation without ROS, for a bundle that reads it


@dataclass(frozen=True, slots=True)
class Observation:
    """The groups that the bundle names, each as its networks will read it."""

    stamp_ns: int
    groups: Mapping[str, Array32]  # name -> (size,), scaled and clipped


@dataclass(frozen=True, slots=True)
class Action:
    """What the networks said, in the bundle's joint order, before any safety."""

    stamp_ns: int
    raw: Array32  # (actions,) the network's output
    processed: Array32  # (actions,) after the bundle's clip, filter and delay: what the target is made of
    last_action: Array32  # (actions,) what the next observation will see: the point that the bundle names


@dataclass(frozen=True, slots=True)
class GainProfile:
    """Gains per joint, in robot order. ``name`` is ``<bundle>/<12 hex of the SHA-256 of the gains>``."""

    name: str
    stiffness: Array  # (n,) [N m/rad]
    damping: Array  # (n,) [N m s/rad]


@dataclass(frozen=True, slots=True)
class JointCommand:
    """Targets of the joint PD: effort = stiffness (pos* - pos) + damping (vel* - vel) + effort*."""

    stamp_ns: int  # stamp of the state that this command answers
    joint_pos: Array  # (n,) [rad]
    joint_vel: Array  # (n,) [rad/s]
    joint_effort: Array  # (n,) [N m], feed-forward
    stiffness: Array  # (n,) [N m/rad]
    damping: Array  # (n,) [N m s/rad]
    gain_profile: str  # name of the gains


class Mode(Enum):
    """Modes of the robot half; ``LANDING`` is entered by a trip and names its landing beside it."""

    DISARMED = "disarmed"
    DAMPING = "damping"
    STAND = "stand"
    ACTIVE = "active"
    LANDING = "landing"


@dataclass(frozen=True, slots=True)
class Trip:
    """A safety trip that is latched until ``reset``."""

    stamp_ns: int
    name: str  # one of the trip names in the safety file
    detail: str  # measured value, limit, joint
    mode: Mode  # mode in which it fired
    landing: str  # damping | sit | hold


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """All values of one policy step."""

    tick: int  # 0 at activation
    inputs: PolicyInputs
    observation: Observation
    action: Action
    command: JointCommand
    # wall time of the stages, in order: observation, inference, decoding [ns]
    durations_ns: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class RobotRecord:
    """All values of one robot cycle. Commands are None where nothing was held or nothing was written."""

    state: RobotState
    mode: Mode
    command: JointCommand | None  # held, as asked
    safe: JointCommand | None  # after the filter
    clamps: tuple[str, ...] = ()  # what the filter changed, such as "joint_pos FL_calf_joint"
    trips: tuple[Trip, ...] = ()  # latched now
