"""LowState and LowCmd of the Go1 and A1: packed, little endian; found out by probing the vendor's SDK on loopback."""

from __future__ import annotations

import struct

from sim2real.firmware.crc import word_crc
from sim2real.firmware.readings import MOTORS, SLOTS, MotorCommand, Readings, Refused, motor_command

HEAD = b"\xfe\xef\xff"  # and the level flag: low level
SERVO = 0x0A  # PMSM in the vendor's headers; 0 is BRAKE
CMD_SIZE, STATE_SIZE = 614, 807
CMD_CHECKED, STATE_CHECKED = 608, 800  # bytes under the checksum, which is the last word

_START = struct.Struct("<3sB4IH")
_MOTOR_CMD = struct.Struct("<Bff3h3I")
_MOTOR_STATE = struct.Struct("<Bffhhffhb2I")
_IMU = struct.Struct("<13fb")
_BATTERY = struct.Struct("<4BiH4b10B")
_STATE_END = struct.Struct("<8hI40sI")
_CRC = struct.Struct("<I")
_EFFORT, _STIFFNESS, _DAMPING = 256.0, 32.0, 16.0  # counts per N m, N m/rad and N m s/rad

assert _START.size + _IMU.size + SLOTS * _MOTOR_STATE.size + _BATTERY.size + _STATE_END.size + 4 == STATE_SIZE
assert _START.size + SLOTS * _MOTOR_CMD.size + 4 + 40 + 4 + 4 == CMD_SIZE


def encode_state(readings: Readings, crc_error: int = 0) -> bytes:
    """Return a LowState; ``crc_error`` is added to the checksum."""
    r = readings
    parts = [_START.pack(HEAD, 0, 0, 0, 0, 0, 0)]
    parts.append(_IMU.pack(*r.quat_wxyz, *r.gyro, *r.acc, *r.rpy, r.imu_temperature))
    for i in range(MOTORS):
        mode, effort = SERVO if r.mode[i] else 0, _counts(r.effort[i], _EFFORT)
        heat = min(r.temperature[i], 127)
        parts.append(_MOTOR_STATE.pack(mode, r.pos[i], r.vel[i], 0, effort, 0.0, 0.0, 0, heat, r.error[i], 0))
    parts.append(bytes(_MOTOR_STATE.size * (SLOTS - MOTORS)))
    cells = (min(round(1000.0 * r.voltage / 8 / 32), 255),) * 8  # in units of 32 mV
    parts.append(_BATTERY.pack(0, 0, 0, r.soc, r.current, 0, 30, 30, 30, 30, *cells, 0, 0))
    parts.append(_STATE_END.pack(*r.foot_force, *r.foot_force, r.tick & 0xFFFFFFFF, r.remote, 0))
    record = b"".join(parts)
    crc = word_crc(record[:STATE_CHECKED])
    return record + _CRC.pack((crc + crc_error) & 0xFFFFFFFF)


def decode_command(data: bytes) -> MotorCommand | Refused:
    """Return what a LowCmd asks, or why the robot ignores it (an assumption for all but the checksum)."""
    if len(data) != CMD_SIZE:
        return Refused("size")
    if data[:2] != HEAD[:2]:
        return Refused("head")
    if data[2] != HEAD[2]:
        return Refused("level")
    if _CRC.unpack_from(data, CMD_SIZE - 4)[0] != word_crc(data[:CMD_CHECKED]):
        return Refused("crc")
    rows = []
    for i in range(MOTORS):
        mode, pos, vel, effort, stiffness, damping, *_ = _MOTOR_CMD.unpack_from(data, _START.size + i * _MOTOR_CMD.size)
        rows.append((mode, pos, vel, effort / _EFFORT, stiffness / _STIFFNESS, damping / _DAMPING))
    return motor_command(rows, SERVO)


def _counts(value: float, scale: float) -> int:
    return max(-32768, min(32767, round(value * scale)))
