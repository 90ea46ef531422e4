"""The records of the legged SDK, byte for byte: against the SDK itself where it is installed, and against its words."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from robot_policies.robots import unitree_legged_wire as wire

# Records of the SDK (commands that it sent, states that it read), made with ``sdk_command`` and ``sdk_state``.
GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "unitree_legged_records.npz")
KEYS = ("pos", "vel", "effort", "stiffness", "damping")
RANGES = {"pos": 4.0, "vel": 30.0, "effort": 40.0, "stiffness": 120.0, "damping": 6.0}


def targets(values: Any) -> wire.MotorTargets:
    """Return the targets of five rows (5, n) in the order of ``KEYS``."""
    return wire.MotorTargets(*np.asarray(values, np.float64))


def random_targets(rng: np.random.Generator, count: int = 12) -> Any:
    rows = [rng.uniform(-RANGES[key], RANGES[key], count) for key in KEYS]
    return np.array([*rows[:3], np.abs(rows[3]), np.abs(rows[4])], np.float32)


def random_state(rng: np.random.Generator) -> bytes:
    """Return a state of random bytes whose header and checksum are right."""
    raw = bytearray(rng.bytes(wire.STATE.itemsize))
    raw[:3] = bytes((*wire.HEAD, wire.LOW_LEVEL))
    raw[-4:] = wire.checksum(bytes(raw)).to_bytes(4, "little")
    return bytes(raw)


def seen(record: Any) -> np.ndarray:
    """Return what the driver reads of a state, as one row."""
    motors, battery = record["motors"], record["battery"]
    with np.errstate(invalid="ignore"):  # random bytes hold signalling NaNs too
        return _row(record, motors, battery)


def _row(record: Any, motors: Any, battery: Any) -> np.ndarray:
    return np.concatenate(
        [
            *(record[key] for key in ("quat_wxyz", "gyro", "acc", "rpy", "foot_force")),
            motors["pos"],
            motors["vel"],
            motors["effort"] / wire.EFFORT_STEPS,
            motors["temperature"],
            motors["mode"],
            [record["imu_temperature"], record["tick"], battery["charge"], battery["current"], battery["status"]],
            np.round(battery["cells"] * wire.CELL_STEP * 1000.0),
            record["remote"],
        ]
    ).astype(np.float64)


class Sdk:
    """The real SDK at one end of a socket of ours."""

    def __init__(self) -> None:
        self.module: Any = pytest.importorskip(
            "unitree_legged_sdk.robot_interface",
            reason="no legged SDK: pip install --no-deps unitree-legged-sdk==3.8.20231105 (CPython 3.11 on x86-64)",
        )
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))
        self.peer.settimeout(2.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            local = free.getsockname()[1]
        self.udp = self.module.UDP(wire.LOW_LEVEL, local, "127.0.0.1", self.peer.getsockname()[1])
        self.state = self.module.LowState()
        self.client = self._client()

    def _client(self) -> Any:
        self.command = self.module.LowCmd()
        self.udp.InitCmdData(self.command)
        self.send()
        return self.peer.recvfrom(2048)[1]

    def send(self) -> None:
        self.udp.SetSend(self.command)
        self.udp.Send()

    def sdk_command(self, values: Any) -> bytes:
        """Return the record that the SDK sends for these targets of the first 12 motors."""
        for motor, (pos, vel, effort, stiffness, damping) in zip(self.command.motorCmd[:12], values.T, strict=True):
            motor.mode, motor.q, motor.dq, motor.tau = wire.MODE_SERVO, pos, vel, effort
            motor.Kp, motor.Kd = stiffness, damping
        for motor in self.command.motorCmd[12:]:
            motor.mode = wire.MODE_IDLE
        self.send()
        return self.peer.recv(2048)

    def sdk_state(self, packet: bytes) -> tuple[int, np.ndarray]:
        """Return the SDK's verdict on a state's packet, and what it reads."""
        self.peer.sendto(packet, self.client)
        verdict = self.udp.Recv()
        self.udp.GetRecv(self.state)
        s, b, imu = self.state, self.state.bms, self.state.imu
        motors = s.motorState
        columns = [[getattr(motor, key) for motor in motors] for key in ("q", "dq", "tauEst", "temperature", "mode")]
        ends = [imu.temperature, s.tick, b.SOC, b.current, b.bms_status]
        parts = [imu.quaternion, imu.gyroscope, imu.accelerometer, imu.rpy, s.footForce, *columns, ends, b.cell_vol]
        return verdict, np.concatenate([np.asarray(part, np.float64) for part in (*parts, s.wirelessRemote)])


@pytest.fixture(scope="module")
def sdk() -> Sdk:
    return Sdk()


def test_a_thousand_commands_are_those_of_the_sdk(sdk: Sdk) -> None:
    rng = np.random.default_rng(1)
    for _ in range(1000):
        values = random_targets(rng)
        assert wire.encoded(wire.servo_command(targets(values))) == sdk.sdk_command(values)


def test_a_thousand_states_are_read_as_the_sdk_reads_them(sdk: Sdk) -> None:
    rng = np.random.default_rng(2)
    for _ in range(1000):
        packet = random_state(rng)
        verdict, theirs = sdk.sdk_state(packet)
        assert verdict == 0
        assert wire.fault(packet) is None
        np.testing.assert_array_equal(seen(wire.decoded(packet)), theirs)


def test_the_sdk_refuses_what_we_refuse(sdk: Sdk) -> None:
    packet = bytearray(random_state(np.random.default_rng(3)))
    for place, verdict, ours in ((0, -1, "header"), (100, -3, "crc"), (-1, -3, "crc")):
        broken = bytearray(packet)
        broken[place] ^= 0x10
        assert sdk.sdk_state(bytes(broken))[0] == verdict
        assert wire.fault(bytes(broken)) == ours


def test_recorded_commands_of_the_sdk() -> None:
    for values, packet in zip(GOLDEN["targets"], GOLDEN["commands"], strict=True):
        assert wire.encoded(wire.servo_command(targets(values))) == packet.tobytes()


def test_recorded_states_of_the_sdk() -> None:
    for packet, values in zip(GOLDEN["states"], GOLDEN["seen"], strict=True):
        assert wire.fault(packet.tobytes()) is None
        np.testing.assert_array_equal(seen(wire.decoded(packet.tobytes())), values)


def test_records_have_the_sizes_of_the_wire() -> None:
    assert (wire.COMMAND.itemsize, wire.STATE.itemsize) == (614, 807)
    places = {
        name: wire.STATE.fields[name][1] for name in ("quat_wxyz", "motors", "battery", "foot_force", "tick", "crc")
    }
    assert places == {"quat_wxyz": 22, "motors": 75, "battery": 715, "foot_force": 739, "tick": 755, "crc": 803}
    assert {name: wire.COMMAND.fields[name][1] for name in ("motors", "battery", "crc")} == {
        "motors": 22, "battery": 562, "crc": 610}  # fmt: skip


def bitwise(words: np.ndarray) -> int:
    """CRC-32/MPEG-2 as its definition says it: one bit after the other."""
    crc = 0xFFFFFFFF
    for word in words.tolist():
        for bit in range(31, -1, -1):
            turn = (crc >> 31) ^ (word >> bit & 1)
            crc = (crc << 1) & 0xFFFFFFFF ^ (0x04C11DB7 if turn else 0)
    return crc


@pytest.mark.parametrize("size", [614, 807])
def test_the_checksum_is_crc32_mpeg2_over_whole_words(size: int) -> None:
    raw = np.random.default_rng(size).bytes(size)
    covered = (size - 4) // 4 * 4
    assert wire.checksum(raw) == bitwise(np.frombuffer(raw[:covered], "<u4"))
    assert wire.checksum(raw[:-4] + b"\0\0\0\0") == wire.checksum(raw)


def test_an_idle_command_asks_for_nothing() -> None:
    motors = wire.idle_command()["motors"]
    assert not motors["mode"].any()
    assert not any(motors[key].any() for key in ("effort", "stiffness", "damping"))
    assert (motors["pos"] == np.float32(2.146e9)).all()
    assert (motors["vel"] == 16000.0).all()


def test_only_the_motors_that_are_asked_are_driven() -> None:
    motors = wire.servo_command(targets(random_targets(np.random.default_rng(4))))["motors"]
    assert motors["mode"].tolist() == [0x0A] * 12 + [0] * 8
    assert not motors["stiffness"][12:].any()


@pytest.mark.parametrize(
    ("row", "key", "value"),
    [
        (2, "effort", 128.0),
        (2, "effort", -128.01),
        (3, "stiffness", 1024.0),
        (3, "stiffness", -0.1),
        (4, "damping", -1.0),
        (4, "damping", 2048.0),
        (4, "damping", np.nan),
    ],
)
def test_what_sixteen_bits_do_not_hold_is_refused(row: int, key: str, value: float) -> None:
    values = random_targets(np.random.default_rng(5))
    values[row, 7] = value
    with pytest.raises(RobotError, match=f"command: {key} that the record holds; found {value:g}"):
        wire.servo_command(targets(values))


def test_the_largest_numbers_that_fit() -> None:
    values = np.zeros((5, 12))
    values[2:] = np.array([[-128.0], [1023.96875], [2047.9375]])
    motors = wire.servo_command(targets(values))["motors"][:12]
    assert {key: set(motors[key].tolist()) for key in KEYS[2:]} == {
        "effort": {-32768}, "stiffness": {32767}, "damping": {32767}}  # fmt: skip


@pytest.mark.parametrize("size", [0, 3, 4, 614, 804, 806, 808, 811])
def test_a_torn_or_long_packet_has_a_wrong_size(size: int) -> None:
    packet = (random_state(np.random.default_rng(6)) * 2)[:size]
    assert wire.fault(packet) == "size"


def test_every_single_bit_error_is_seen() -> None:
    """The three bytes between the last whole word and the checksum are a reserve that the robot's sum leaves out."""
    packet = random_state(np.random.default_rng(7))
    unseen = [place for place in range(len(packet)) if wire.fault(_flipped(packet, place)) is None]
    assert unseen == [800, 801, 802]


def _flipped(packet: bytes, place: int) -> bytes:
    broken = bytearray(packet)
    broken[place] ^= 1 << place % 8
    return bytes(broken)
