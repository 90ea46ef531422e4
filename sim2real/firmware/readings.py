"""What a robot's main board knows when it sends a state, and what a command asks of its motors: plain numbers.

Both protocols carry 20 motors, of which a quadruped has 12, in the order FR, FL, RR, RL with hip, thigh, calf each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array

MOTORS = 12
SLOTS = 20  # motors in a record
REMOTE_SIZE = 40  # bytes of the wireless remote

# unitree_sdk2 and unitree_legged_sdk, comm.h: "no target" for a position [rad] and a velocity [rad/s]
POS_STOP = 2.146e9
VEL_STOP = 16000.0


@dataclass
class Readings:
    """One state, mutable so that a fault can falsify it on its way out."""

    tick: int  # [ms] since power-on
    quat_wxyz: list[float]
    gyro: list[float]  # [rad/s]
    acc: list[float]  # [m/s^2]
    rpy: list[float]  # [rad]
    imu_temperature: int  # [deg C]
    mode: list[int]  # of each motor
    pos: list[float]  # [rad]
    vel: list[float]  # [rad/s]
    effort: list[float]  # [N m], estimated
    temperature: list[int]  # [deg C]
    lost: list[int]  # packets lost between board and motor
    error: list[int]  # code of each motor, 0 = none
    foot_force: list[int]  # counts of about 1 N
    soc: int  # [%]
    current: int  # [mA], negative while it discharges
    voltage: float  # [V]
    remote: bytes = bytes(REMOTE_SIZE)


@dataclass(frozen=True)
class MotorCommand:
    """Of 12 motors: ``stiffness (pos - q) + damping (vel - dq) + effort`` where ``servo``, a brake where not."""

    servo: npt.NDArray[np.bool_]
    pos: Array  # [rad]
    vel: Array  # [rad/s]
    effort: Array  # [N m]
    stiffness: Array  # [N m/rad]
    damping: Array  # [N m s/rad]


@dataclass(frozen=True)
class Refused:
    """A command that the robot ignores, and why."""

    reason: str  # size | crc | head | level | mode | not_finite


def motor_command(rows: Sequence[Sequence[float]], servo_mode: int) -> MotorCommand | Refused:
    """Return the command in ``rows`` of (mode, q, dq, tau, kp, kd), or why the robot ignores it.

    It does (an assumption) where a number is not finite, and where motors have modes of which none is ``servo_mode``.
    A target of "stop" takes its gain away, as the vendor's headers say of PosStopF and VelStopF.
    """
    mode, pos, vel, effort, stiffness, damping = np.array(rows, dtype=float).T
    if not math.isfinite(float((pos + vel + effort + stiffness + damping).sum())):
        return Refused("not_finite")
    if mode.any() and not (mode == servo_mode).any():
        return Refused("mode")
    stiffness, damping = stiffness.copy(), damping.copy()
    no_pos, no_vel = np.abs(pos) >= 0.999 * POS_STOP, np.abs(vel) >= 0.999 * VEL_STOP
    stiffness[no_pos], damping[no_vel] = 0.0, 0.0
    pos, vel = np.where(no_pos, 0.0, pos), np.where(no_vel, 0.0, vel)
    return MotorCommand(mode == servo_mode, pos, vel, effort, stiffness, damping)


def roll_pitch_yaw(quat_wxyz: Sequence[float]) -> list[float]:
    """Return the angles [rad] of a rotation about z, then y, then x (REP 103)."""
    w, x, y, z = quat_wxyz
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    return [roll, pitch, math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))]
