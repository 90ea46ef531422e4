"""The records of Unitree's legged SDK 3.8 (Go1): what a command and a state look like as bytes.

Packed, little endian, found by probing the SDK (wheel unitree-legged-sdk 3.8.20231105) on the loopback interface;
``test/unit/test_unitree_legged_wire.py`` compares both records with it, byte for byte. No vendor code is needed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import RobotError, expected
from robot_policies.types import Array

MOTORS = 20  # slots of a record; a dog uses the first 12
HEAD = (0xFE, 0xEF)
LOW_LEVEL = 0xFF  # level flag of records that name single motors (HIGHLEVEL is 0xEE)
MODE_IDLE, MODE_SERVO = 0x00, 0x0A  # of a motor; the SDK's examples drive with 0x0A
# Numbers that ask a motor for no position and no speed: PosStopF and VelStopF of the SDK's comm.h.
NO_POSITION, NO_VELOCITY = 2.146e9, 16000.0
# Steps of what goes as a 16-bit number: torque in 1/256 N m, stiffness in 1/32, damping in 1/16.
EFFORT_STEPS, STIFFNESS_STEPS, DAMPING_STEPS = 256.0, 32.0, 16.0
CELL_STEP = 0.032  # [V], of a cell's voltage
CRC_BYTES = 4

_HEADER: list[Any] = [
    ("head", "u1", 2),
    ("level", "u1"),
    ("frame_reserve", "u1"),
    ("serial_number", "<u4", 2),
    ("version", "<u4", 2),
    ("bandwidth", "<u2"),
]
_MOTOR_COMMAND = np.dtype(
    [
        ("mode", "u1"),
        ("pos", "<f4"),  # [rad]
        ("vel", "<f4"),  # [rad/s]
        ("effort", "<i2"),
        ("stiffness", "<i2"),
        ("damping", "<i2"),
        ("reserve", "<u4", 3),
    ]
)
_MOTOR_STATE = np.dtype(
    [
        ("mode", "u1"),
        ("pos", "<f4"),  # [rad]
        ("vel", "<f4"),  # [rad/s]
        ("acc", "<i2"),
        ("effort", "<i2"),
        ("pos_raw", "<f4"),
        ("vel_raw", "<f4"),
        ("acc_raw", "<i2"),
        ("temperature", "i1"),  # [deg C]
        ("reserve", "<u4", 2),
    ]
)
_BATTERY = np.dtype(
    [
        ("version", "u1", 2),
        ("status", "u1"),
        ("charge", "u1"),  # [%]
        ("current", "<i4"),  # [mA]
        ("cycles", "<u2"),
        ("cell_temperature", "i1", 2),  # [deg C]
        ("board_temperature", "i1", 2),  # [deg C]
        ("cells", "u1", 10),
    ]
)
COMMAND = np.dtype(
    [
        *_HEADER,
        ("motors", _MOTOR_COMMAND, MOTORS),
        ("battery", "u1", 4),
        ("remote", "u1", 40),
        ("reserve", "<u4"),
        ("crc", "<u4"),
    ]
)
STATE = np.dtype(
    [
        *_HEADER,
        ("quat_wxyz", "<f4", 4),
        ("gyro", "<f4", 3),  # [rad/s]
        ("acc", "<f4", 3),  # [m/s^2]
        ("rpy", "<f4", 3),  # [rad]
        ("imu_temperature", "i1"),  # [deg C]
        ("motors", _MOTOR_STATE, MOTORS),
        ("battery", _BATTERY),
        ("foot_force", "<i2", 4),
        ("foot_force_estimate", "<i2", 4),
        ("tick", "<u4"),  # the motion controller's own time
        ("remote", "u1", 40),
        ("reserve", "<u4"),
        ("crc", "<u4"),
    ]
)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(record: bytes) -> int:
    """Return the checksum of a whole record (its last four bytes, the checksum, are left out).

    It is CRC-32/MPEG-2 over the whole 32-bit words, each taken from its high byte on. zlib counts the other way round,
    so the bits of every byte are turned, and those of the result. Bytes after the last whole word are not covered.
    """
    covered = (len(record) - CRC_BYTES) // 4 * 4
    words = np.frombuffer(record, "<u4", covered // 4).astype(">u4").tobytes()
    mirrored = (zlib.crc32(words.translate(_REVERSED)) ^ 0xFFFFFFFF).to_bytes(4, "little")
    return int.from_bytes(mirrored.translate(_REVERSED), "big")


def encoded(record: npt.NDArray[Any]) -> bytes:
    """Return ``record`` (a scalar of ``COMMAND`` or ``STATE``) with its checksum written into it."""
    record["crc"] = checksum(record.tobytes())
    return record.tobytes()


def idle_command() -> npt.NDArray[Any]:
    """Return a command that asks nothing of any motor: idle, no position, no velocity, no gains."""
    record = np.zeros((), COMMAND)
    record["head"], record["level"] = HEAD, LOW_LEVEL
    record["motors"]["pos"], record["motors"]["vel"] = NO_POSITION, NO_VELOCITY
    record["motors"]["mode"] = MODE_IDLE
    return record


@dataclass(frozen=True, slots=True)
class MotorTargets:
    """What a command asks of the first n motors, each array (n,) in the SDK's motor order."""

    pos: Array  # [rad]
    vel: Array  # [rad/s]
    effort: Array  # [N m]
    stiffness: Array  # [N m/rad]
    damping: Array  # [N m s/rad]


def servo_command(targets: MotorTargets) -> npt.NDArray[Any]:
    """Return a command that drives the first n motors. Numbers between two steps go towards 0, as in the SDK.

    Raises:
        RobotError: a torque or gain that 16 bits do not hold. The SDK would send it with its sign turned.
    """
    record = idle_command()
    motors = record["motors"][: len(targets.pos)]
    motors["mode"] = MODE_SERVO
    motors["pos"], motors["vel"] = targets.pos, targets.vel
    for key, steps in (("effort", EFFORT_STEPS), ("stiffness", STIFFNESS_STEPS), ("damping", DAMPING_STEPS)):
        motors[key] = _steps(key, getattr(targets, key), steps)
    return record


def _steps(key: str, values: Array, steps: float) -> npt.NDArray[np.int16]:
    scaled = np.asarray(values, np.float32) * np.float32(steps)
    lowest = -32768.0 if key == "effort" else 0.0
    if not ((scaled >= lowest) & (scaled < 32768.0)).all():
        bad = ", ".join(f"{value:g}" for value, s in zip(values, scaled, strict=True) if not lowest <= s < 32768.0)
        raise RobotError(
            expected(f"command: {key} that the record holds", bad, f"{lowest / steps:g} to {32767 / steps:g}")
        )
    return scaled.astype(np.int16)


def fault(packet: bytes) -> str | None:
    """Return what is wrong with a state's packet: ``size``, ``header`` or ``crc``; None where it is whole."""
    if len(packet) != STATE.itemsize:
        return "size"
    if tuple(packet[:3]) != (*HEAD, LOW_LEVEL):
        return "header"
    if checksum(packet) != int.from_bytes(packet[-CRC_BYTES:], "little"):
        return "crc"
    return None


def decoded(packet: bytes) -> npt.NDArray[Any]:
    """Return the record of a packet without ``fault``, a scalar of ``STATE``."""
    return np.frombuffer(packet, STATE, 1).reshape(())
