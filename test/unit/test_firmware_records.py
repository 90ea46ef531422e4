"""Records of the peers against the vendor's own classes: bytes, checksums, and what is refused."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from helpers.firmware import need_sdk, readings, single
from hypothesis import given
from hypothesis import strategies as st

from sim2real.firmware import go1_records, go2_records
from sim2real.firmware.crc import word_crc
from sim2real.firmware.readings import MotorCommand, Refused, motor_command, roll_pitch_yaw

MESSAGES = 300


def bit_by_bit(record: bytes) -> int:
    """The checksum as its definition says it, one bit at a time."""
    crc = 0xFFFFFFFF
    for (word,) in struct.iter_unpack("<I", record):
        for bit in range(31, -1, -1):
            carry = (crc >> 31) ^ (word >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if carry else 0)
    return crc


@given(st.binary(max_size=64).map(lambda data: data[: len(data) // 4 * 4]))
def test_the_checksum_is_the_defined_one(record: bytes) -> None:
    assert word_crc(record) == bit_by_bit(record)


def targets(seed: int) -> list[list[float]]:
    rng = random.Random(seed)
    scales = (3.0, 20.0, 40.0, 120.0, 6.0)
    return [[1, *(single(rng, scale) for scale in scales)] for _ in range(12)]


@pytest.fixture(scope="module")
def sdk() -> Any:
    need_sdk()
    from unitree_sdk2py.idl.unitree_go.msg import dds_
    from unitree_sdk2py.utils.crc import CRC

    return dds_, CRC()


def test_states_are_what_the_sdk_reads(sdk: Any) -> None:
    dds, crc = sdk
    for seed in range(MESSAGES):
        given_ = readings(seed)
        data = go2_records.encode_state(given_)
        state = dds.LowState_.deserialize(data)
        assert state.serialize() == data, "every byte has its place"
        assert state.crc == crc.Crc(state)
        assert (list(state.head), state.level_flag, state.tick) == ([0xFE, 0xEF], 0xFF, given_.tick)
        assert list(state.imu_state.quaternion) == given_.quat_wxyz
        assert list(state.imu_state.rpy) == given_.rpy
        motors = state.motor_state[:12]
        for name, field in (("q", "pos"), ("dq", "vel"), ("tau_est", "effort"), ("mode", "mode"), ("lost", "lost")):
            assert [getattr(motor, name) for motor in motors] == getattr(given_, field)
        assert [motor.temperature for motor in motors] == given_.temperature
        assert [motor.reserve[0] for motor in motors] == given_.error
        assert list(state.foot_force) == given_.foot_force
        assert (state.bms_state.soc, state.bms_state.current) == (given_.soc, given_.current)
        assert bytes(state.wireless_remote) == given_.remote
        assert state.power_v == pytest.approx(given_.voltage, rel=1e-6)


def test_a_wrong_checksum_is_wrong_by_what_was_asked(sdk: Any) -> None:
    dds, crc = sdk
    state = dds.LowState_.deserialize(go2_records.encode_state(readings(0), crc_error=1))
    assert state.crc == crc.Crc(state) + 1


def test_commands_of_the_sdk_are_understood(sdk: Any) -> None:
    from unitree_sdk2py.idl.default import unitree_go_msg_dds__LowCmd_

    for seed in range(MESSAGES):
        rows = targets(seed)
        command = unitree_go_msg_dds__LowCmd_()
        command.head, command.level_flag = [0xFE, 0xEF], 0xFF
        for motor, row in zip(command.motor_cmd, rows, strict=False):
            motor.mode, motor.q, motor.dq, motor.tau, motor.kp, motor.kd = row
        command.crc = sdk[1].Crc(command)
        decoded = go2_records.decode_command(command.serialize())
        assert isinstance(decoded, MotorCommand)
        columns = (decoded.pos, decoded.vel, decoded.effort, decoded.stiffness, decoded.damping)
        assert np.array_equal(np.array(columns).T, np.array(rows)[:, 1:])
        assert decoded.servo.all()


def test_the_built_in_controllers_commands_are_the_sdks(sdk: Any) -> None:
    dds, crc = sdk
    for seed in range(20):
        command = motor_command(targets(seed), 1)
        assert isinstance(command, MotorCommand)
        data = go2_records.encode_command(command)
        message = dds.LowCmd_.deserialize(data)
        assert message.serialize() == data
        assert message.crc == crc.Crc(message)
        again = go2_records.decode_command(data)
        assert isinstance(again, MotorCommand)
        assert np.array_equal(again.pos, command.pos)


def sealed(change: Any) -> bytes:
    """A Go2 command with one byte changed and its checksum made anew."""
    command = motor_command(targets(1), 1)
    assert isinstance(command, MotorCommand)
    row = list(go2_records._CMD_CDR.unpack_from(go2_records.encode_command(command), 4))
    change(row)
    row[-1] = word_crc(go2_records._CMD_C.pack(*row)[:-4])
    return go2_records.LITTLE_ENDIAN + go2_records._CMD_CDR.pack(*row)


def set_modes(row: list[Any], mode: int) -> None:
    for motor in range(12):
        row[9 + 9 * motor] = mode


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("head", lambda row: row.__setitem__(0, 0xFD)),
        ("level", lambda row: row.__setitem__(2, 0xEE)),
        ("mode", lambda row: set_modes(row, 10)),
        ("not_finite", lambda row: row.__setitem__(10, float("inf"))),
    ],
)
def test_what_a_go2_ignores(reason: str, change: Any) -> None:
    assert go2_records.decode_command(sealed(change)) == Refused(reason)
    assert isinstance(go2_records.decode_command(sealed(lambda row: None)), MotorCommand)


def test_a_go2_ignores_what_is_torn() -> None:
    good = sealed(lambda row: None)
    assert go2_records.decode_command(good[:-1]) == Refused("size")
    assert go2_records.decode_command(b"") == Refused("size")
    assert go2_records.decode_command(b"\0\3\0\0" + good[4:]) == Refused("size"), "another encapsulation"
    for place in (4, 100, 700, len(good) - 1):
        torn = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert go2_records.decode_command(torn) == Refused("crc")


def test_stop_of_all_motors_is_a_command() -> None:
    stop = go2_records.decode_command(sealed(lambda row: set_modes(row, 0)))
    assert isinstance(stop, MotorCommand)
    assert not stop.servo.any()


def test_targets_of_stop_have_no_gain() -> None:
    rows = targets(3)
    rows[4][1], rows[5][2] = 2.146e9, 16000.0
    command = motor_command(rows, 1)
    assert isinstance(command, MotorCommand)
    assert command.stiffness[4] == command.pos[4] == 0.0
    assert command.damping[5] == command.vel[5] == 0.0
    assert command.stiffness[5] == rows[5][4]
    assert command.damping[4] == rows[4][5]


def test_roll_pitch_yaw() -> None:
    half = 0.3
    assert roll_pitch_yaw([np.cos(half), np.sin(half), 0, 0]) == pytest.approx([0.6, 0, 0])
    assert roll_pitch_yaw([np.cos(half), 0, np.sin(half), 0]) == pytest.approx([0, 0.6, 0])
    assert roll_pitch_yaw([np.cos(half), 0, 0, np.sin(half)]) == pytest.approx([0, 0, 0.6])


def go1_command(rows: list[list[float]], head: bytes = b"\xfe\xef\xff") -> bytes:
    """A Go1 command packed here from the table of the format."""
    parts = [head, bytes(19)]
    for mode, pos, vel, effort, stiffness, damping in rows:
        scaled = (round(effort * 256), round(stiffness * 32), round(damping * 16))
        parts.append(struct.pack("<Bff3h12x", int(mode), pos, vel, *scaled))
    record = b"".join([*parts, bytes(27 * 8), bytes(4), bytes(40), bytes(4)])
    return record + struct.pack("<I", bit_by_bit(record[:608]))


def test_go1_commands_are_understood() -> None:
    rows = [[10, 0.5 + i / 16, -1.5, 2.25, 20.5, 0.5] for i in range(12)]
    command = go1_records.decode_command(go1_command(rows))
    assert isinstance(command, MotorCommand)
    assert command.pos.tolist() == [row[1] for row in rows]
    assert (command.vel[0], command.effort[1], command.stiffness[2], command.damping[3]) == (-1.5, 2.25, 20.5, 0.5)


def test_what_a_go1_ignores() -> None:
    rows = [[10, 0.5, 0.0, 0.0, 20.0, 0.5] for _ in range(12)]
    good = go1_command(rows)
    assert len(good) == 614
    assert go1_records.decode_command(good[:-4]) == Refused("size")
    assert go1_records.decode_command(go1_command(rows, b"\xfe\xee\xff")) == Refused("head")
    assert go1_records.decode_command(go1_command(rows, b"\xfe\xef\xee")) == Refused("level")
    assert go1_records.decode_command(good[:100] + b"\1" + good[101:]) == Refused("crc")
    assert go1_records.decode_command(go1_command([[1, *row[1:]] for row in rows])) == Refused("mode")
    assert go1_records.decode_command(go1_command([[10, float("nan"), *row[2:]] for row in rows])) == Refused(
        "not_finite"
    )


def test_go1_states_are_laid_out_as_the_table_says() -> None:
    given_ = readings(7)
    data = go1_records.encode_state(given_)
    assert len(data) == 807
    assert data[:3] == b"\xfe\xef\xff"
    assert struct.unpack_from("<4f", data, 22) == tuple(given_.quat_wxyz)
    assert struct.unpack_from("<3f", data, 50) == tuple(given_.acc)
    for motor in (0, 11):
        mode, pos, vel, _, effort, *_, heat = struct.unpack_from("<Bffhhffhb", data, 75 + 32 * motor)
        assert (mode, pos, vel) == (10 * given_.mode[motor], given_.pos[motor], given_.vel[motor])
        assert effort / 256 == pytest.approx(given_.effort[motor], abs=1 / 512)
        assert heat == given_.temperature[motor]
    assert data[718] == given_.soc
    assert struct.unpack_from("<4h", data, 739) == tuple(given_.foot_force)
    assert struct.unpack_from("<I", data, 755)[0] == given_.tick
    assert data[759:799] == given_.remote
    assert struct.unpack_from("<I", data, 803)[0] == bit_by_bit(data[:800])
    assert go1_records.encode_state(given_, 1)[803:] != data[803:]
