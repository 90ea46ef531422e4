"""LowState and LowCmd of the Go2 as bytes, written from the IDL: serialized (CDR) and as the C image of the checksum.

Every record is one flat row of numbers. Two formats of ``struct`` lay the same row out: CDR aligns each number and
not each struct, so that the first motor sits closer than in C and all that follows lies 4 bytes earlier.
"""

from __future__ import annotations

import struct

from sim2real.firmware.crc import word_crc
from sim2real.firmware.readings import MOTORS, SLOTS, MotorCommand, Readings, Refused, motor_command

LITTLE_ENDIAN = b"\0\1\0\0"  # CDR encapsulation, 4 bytes before the record
HEAD = (0xFE, 0xEF)
LOW_LEVEL = 0xFF
SERVO = 0x01  # of a motor: field-oriented control; 0 is stop
FREQUENCY = 500  # what the board says of its motors' bus; a robot in public recordings said 602 and 632

_START = "4B4IH"  # head, level flag, frame, serial number, version, bandwidth
_CMD_END = "4B40s12s3B"  # battery switch, remote, lights, fans, gpio
_CMD_CDR = struct.Struct(f"<{_START}Bx5f3I{'B3x5f3I' * (SLOTS - 1)}{_CMD_END}x2I")
_CMD_C = struct.Struct(f"<{_START}2x{'B3x5f3I' * SLOTS}{_CMD_END}x2I")
_STATE_END = "4BiH4B15H8hI40sB3xf2B2x2f4H2I"  # battery, feet, tick, remote, supply, fans, reserve, checksum
_STATE_CDR = struct.Struct(f"<{_START}2x13fBB2x7fB3x3I{'B3x7fB3x3I' * (SLOTS - 1)}{_STATE_END}")
_STATE_C = struct.Struct(f"<{_START}2x13fB3x{'B3x7fB3x3I' * SLOTS}{_STATE_END}")
_FIRST_MOTOR, _MOTOR = 9, 9  # in a command's row: before the motors, and numbers each
_EMPTY_MOTOR = (0, *(0.0,) * 7, 0, 0, 0, 0)
CMD_SIZE, STATE_SIZE = _CMD_CDR.size, _STATE_CDR.size  # 808 and 1176 bytes

assert (_CMD_C.size, _STATE_C.size) == (812, 1180), "as the vendor's classes make them"


def encode_state(readings: Readings, crc_error: int = 0) -> bytes:
    """Return a LowState with its encapsulation; ``crc_error`` is added to the checksum."""
    row = _state_row(readings)
    crc = word_crc(_STATE_C.pack(*row, 0)[:-4])
    return LITTLE_ENDIAN + _STATE_CDR.pack(*row, (crc + crc_error) & 0xFFFFFFFF)


def _state_row(readings: Readings) -> list[float | int | bytes]:
    """Return everything before the checksum, in the order of the IDL."""
    r = readings
    row: list[float | int | bytes] = [*HEAD, LOW_LEVEL, 0, 0, 0, 0, 0, 0]
    row += [*r.quat_wxyz, *r.gyro, *r.acc, *r.rpy, r.imu_temperature]
    for i in range(MOTORS):
        motor = (r.mode[i], r.pos[i], r.vel[i], 0.0, r.effort[i], 0.0, 0.0, 0.0, r.temperature[i], r.lost[i])
        row += [*motor, r.error[i], FREQUENCY]
    row += _EMPTY_MOTOR * (SLOTS - MOTORS)
    cell = round(1000.0 * r.voltage / 8)  # [mV]; eight cells in series (28.8 V nominal)
    row += [0, 0, 0, r.soc, r.current, 0, 30, 30, 30, 30, *(cell,) * 8, *(0,) * 7]
    row += [*r.foot_force, *r.foot_force, r.tick & 0xFFFFFFFF, r.remote]
    row += [0, 0.0, 30, 30, r.voltage, -0.001 * r.current, 0, 0, 0, 0, 0]
    return row


def decode_command(data: bytes) -> MotorCommand | Refused:
    """Return what a LowCmd with its encapsulation asks, or why the robot ignores it.

    That it ignores a bad checksum is known (the vendor's examples fill it in for that); of head, level flag and
    numbers that are not finite it is an assumption.
    """
    if len(data) < len(LITTLE_ENDIAN) + CMD_SIZE or data[:2] != LITTLE_ENDIAN[:2]:
        return Refused("size")
    row = _CMD_CDR.unpack_from(data, len(LITTLE_ENDIAN))
    if word_crc(_CMD_C.pack(*row)[:-4]) != row[-1]:
        return Refused("crc")
    if row[:2] != HEAD:
        return Refused("head")
    if row[2] != LOW_LEVEL:
        return Refused("level")
    starts = range(_FIRST_MOTOR, _FIRST_MOTOR + MOTORS * _MOTOR, _MOTOR)
    return motor_command([row[start : start + 6] for start in starts], SERVO)


def encode_command(command: MotorCommand) -> bytes:
    """Return a LowCmd with its encapsulation, as the built-in controller sends it."""
    row: list[float | int | bytes] = [*HEAD, LOW_LEVEL, 0, 0, 0, 0, 0, 0]
    columns = (command.pos, command.vel, command.effort, command.stiffness, command.damping)
    for servo, *numbers in zip(command.servo.tolist(), *(c.tolist() for c in columns), strict=True):
        row += [SERVO if servo else 0, *numbers, 0, 0, 0]
    row += (0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0) * (SLOTS - MOTORS)
    row += [0, 0, 0, 0, bytes(40), bytes(12), 0, 0, 0, 0]
    crc = word_crc(_CMD_C.pack(*row, 0)[:-4])
    return LITTLE_ENDIAN + _CMD_CDR.pack(*row, crc)
