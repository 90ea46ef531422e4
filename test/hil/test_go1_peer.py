"""A Go1 on loopback: with the vendor's own SDK where it is installed, and with a client of our own everywhere."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.firmware import PeerProcess, free_udp_port

from robot_policies.robot_spec import load_robot_spec
from sim2real.firmware.crc import word_crc

SIT = load_robot_spec("go2").poses["sit"]


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    port = free_udp_port()
    log = tmp_path_factory.mktemp("peer") / "judge.jsonl"
    peer = PeerProcess("go1", "--port", str(port), log=log)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(2.0)
    client.connect(("127.0.0.1", port))
    yield SimpleNamespace(peer=peer, port=port, client=client)
    client.close()
    peer.close()


@pytest.fixture(autouse=True)
def no_fault_is_left(robot: SimpleNamespace) -> Iterator[None]:
    yield
    robot.peer.do("clear")


def command(pos: Any, stiffness: float, damping: float, mode: int = 10) -> bytes:
    """A LowCmd, from the table of the format."""
    parts = [b"\xfe\xef\xff", bytes(19)]
    parts += [struct.pack("<Bff3h12x", mode, q, 0.0, 0, round(stiffness * 32), round(damping * 16)) for q in pos]
    record = b"".join([*parts, bytes(27 * 8), bytes(4), bytes(40), bytes(4)])
    return record + struct.pack("<I", word_crc(record[:608]))


def talk(robot: SimpleNamespace, seconds: float, packet: bytes) -> list[bytes]:
    """Send ``packet`` 200 times a second and return what comes."""
    found, end = [], time.monotonic() + seconds
    robot.client.setblocking(False)
    while time.monotonic() < end:
        robot.client.send(packet)
        time.sleep(0.005)
        while True:
            try:
                found.append(robot.client.recv(2048))
            except BlockingIOError:
                break
    return found


def place(packet: bytes, motor: int) -> float:
    return float(struct.unpack_from("<f", packet, 75 + 32 * motor + 1)[0])


def tick(packet: bytes) -> int:
    return int(struct.unpack_from("<I", packet, 755)[0])


def test_it_is_silent_until_somebody_commands(robot: SimpleNamespace) -> None:
    robot.client.setblocking(True)
    robot.client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        robot.client.recv(2048)


def test_states_come_to_the_client_with_a_good_checksum(robot: SimpleNamespace) -> None:
    found = talk(robot, 1.0, command(SIT, 0.0, 1.0))
    assert len(found) > 150
    for packet in found:
        assert len(packet) == 807
        assert packet[:3] == b"\xfe\xef\xff"
        assert struct.unpack_from("<I", packet, 803)[0] == word_crc(packet[:800])
    assert np.median(np.diff([tick(packet) for packet in found])) == 2
    assert [place(found[-1], motor) for motor in range(12)] == pytest.approx(SIT.tolist(), abs=0.2)


def test_motors_follow_in_mode_ten(robot: SimpleNamespace) -> None:
    target = SIT.copy()
    target[4] -= 0.35
    before = place(talk(robot, 0.1, command(SIT, 20.0, 1.0))[-1], 4)
    packets = talk(robot, 0.4, command(target, 60.0, 2.0))
    assert place(packets[-1], 4) < before - 0.2
    assert packets[-1][75 + 32 * 4] == 10
    assert robot.peer.do("status")["driven_by"] == "commands"


@pytest.mark.parametrize("reason", ["crc", "mode", "size"])
def test_a_bad_command_is_ignored_silently(robot: SimpleNamespace, reason: str) -> None:
    talk(robot, 0.4, command(SIT, 60.0, 2.0))
    robot.peer.until(lambda s: s["driven_by"] == "nobody")
    target = SIT.copy()
    target[1] -= 0.5
    bad = {
        "crc": command(target, 60.0, 2.0)[:-1] + b"\0",
        "mode": command(target, 60.0, 2.0, mode=1),
        "size": command(target, 60.0, 2.0)[:-4],
    }[reason]
    before = robot.peer.do("status")["sample"]["joint_pos"][1]
    talk(robot, 0.3, bad)
    status = robot.peer.do("status")
    assert status["commands"][reason] > 10
    assert status["sample"]["joint_pos"][1] == pytest.approx(before, abs=0.1)
    assert status["driven_by"] == "nobody"


def test_motors_brake_when_commands_stop(robot: SimpleNamespace) -> None:
    talk(robot, 0.2, command(SIT, 20.0, 1.0))
    robot.peer.until(lambda s: s["driven_by"] == "nobody", 2.0)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("short", lambda packets: all(len(packet) == 707 for packet in packets)),
        ("long", lambda packets: all(len(packet) == 815 for packet in packets)),
        ("bad_crc", lambda packets: all(struct.unpack_from("<I", p, 803)[0] != word_crc(p[:800]) for p in packets)),
        ("nan", lambda packets: all(np.isnan(place(packet, 0)) for packet in packets)),
        ("temperature", lambda packets: all(packet[75 + 23] == 100 for packet in packets)),
        ("freeze", lambda packets: len(set(packets)) == 1),
        ("duplicate", lambda packets: len(set(packets)) < 0.7 * len(packets)),
        ("reorder", lambda packets: bool((np.diff([tick(packet) for packet in packets]) < 0).any())),
    ],
)
def test_faults_are_on_this_wire_too(robot: SimpleNamespace, name: str, seen: Any) -> None:
    talk(robot, 0.1, command(SIT, 0.0, 1.0))
    robot.peer.do("fault", name=name)
    time.sleep(0.05)
    talk(robot, 0.03, command(SIT, 0.0, 1.0))
    packets = talk(robot, 0.2, command(SIT, 0.0, 1.0))
    assert len(packets) > 20
    assert seen(packets)


def test_mute(robot: SimpleNamespace) -> None:
    talk(robot, 0.1, command(SIT, 0.0, 1.0))
    robot.peer.do("fault", name="mute")
    talk(robot, 0.05, command(SIT, 0.0, 1.0))
    assert not talk(robot, 0.2, command(SIT, 0.0, 1.0))


def test_the_vendors_own_client_drives_it(robot: SimpleNamespace) -> None:
    sdk = pytest.importorskip(
        "unitree_legged_sdk.robot_interface", reason="unitree-legged-sdk has a wheel for cp311 only"
    )
    udp = sdk.UDP(0xFF, free_udp_port(), "127.0.0.1", robot.port)
    out, state = sdk.LowCmd(), sdk.LowState()
    udp.InitCmdData(out)
    good, end = 0, time.monotonic() + 1.5
    while time.monotonic() < end:
        for i in range(12):
            motor = out.motorCmd[i]
            motor.mode, motor.q, motor.dq, motor.Kp, motor.Kd, motor.tau = 0x0A, SIT[i], 0.0, 30.0, 1.0, 0.0
        out.motorCmd[7].q = SIT[7] - 0.3
        udp.SetSend(out)
        udp.Send()
        time.sleep(0.005)
        if udp.Recv() == 0:
            udp.GetRecv(state)
            good += state.tick > 0
    assert good > 50
    assert state.motorState[7].q < SIT[7] - 0.15
    assert state.motorState[7].mode == 10
    assert abs(sum(value * value for value in state.imu.quaternion) - 1.0) < 0.01
    assert 20 <= state.motorState[0].temperature <= 60
    assert state.bms.SOC > 80
    assert robot.peer.do("status")["driven_by"] == "commands"


def test_it_ends_as_asked(robot: SimpleNamespace) -> None:
    log = robot.peer.judged()
    assert {line["reason"] for line in log if line.get("event") == "first_command"} >= {"taken", "crc", "mode", "size"}
