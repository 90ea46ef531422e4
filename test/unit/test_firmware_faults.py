"""Faults on the way out, one packet at a time, and the side door that begins and ends them."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.firmware import readings

from robot_policies.exceptions import InputError, RobotError
from robot_policies.robot_spec import load_robot_spec
from sim2real.firmware.board import Board
from sim2real.firmware.body import Body
from sim2real.firmware.client import SideDoor
from sim2real.firmware.control import Control
from sim2real.firmware.faults import KINDS, Faults
from sim2real.firmware.judge import Judge


def packets(faults: Faults, count: int, period: float = 0.002) -> list[list[bytes]]:
    """What goes out for ``count`` packets that say their number."""
    return [faults.send(bytes([0, 1, 0, 0, n, n, n, n]), n * period) for n in range(count)]


def numbers(sent: list[list[bytes]]) -> list[list[int]]:
    return [[packet[4] for packet in at_once] for at_once in sent]


def begun(name: str, seconds: float | None = None, count: int | None = None, **given: float) -> Faults:
    faults = Faults()
    faults.start(name, given, 0.0, seconds, count)
    return faults


def test_without_a_fault_nothing_changes() -> None:
    assert numbers(packets(Faults(), 4)) == [[0], [1], [2], [3]]
    before = readings(1)
    assert Faults().falsify(before) is before
    assert before == readings(1)
    assert Faults().crc_error() == 0


@pytest.mark.parametrize("name", ["drop", "mute"])
def test_lost(name: str) -> None:
    assert numbers(packets(begun(name), 3)) == [[], [], []]
    assert begun(name).muted == (name == "mute")


def test_a_share_is_lost() -> None:
    sent = sum(len(at_once) for at_once in packets(begun("drop", share=0.25), 200))
    assert 130 < sent < 170


def test_late() -> None:
    assert numbers(packets(begun("delay", delay=0.004), 5)) == [[], [], [0], [1], [2]]


def test_delayed_packets_still_come_when_the_fault_is_over() -> None:
    faults = begun("delay", delay=0.004, seconds=0.004)
    sent = []
    for n in range(6):
        faults.expire(n * 0.002)
        sent += [packet[4] for packet in faults.send(bytes([0, 1, 0, 0, n]), n * 0.002)]
    assert sorted(sent) == [0, 1, 2, 3, 4, 5]


def test_doubled() -> None:
    assert numbers(packets(begun("duplicate", copies=2), 2)) == [[0, 0, 0], [1, 1, 1]]


def test_out_of_order() -> None:
    assert numbers(packets(begun("reorder"), 5)) == [[], [1, 0], [], [3, 2], []]


def test_frozen() -> None:
    assert numbers(packets(begun("freeze"), 3)) == [[0], [0], [0]]


def test_torn() -> None:
    sent = packets(begun("torn"), 3)
    assert sent[1] == [bytes([0, 1, 0, 0, 0, 0, 0, 0])]
    faults = begun("torn")
    faults.send(b"aaaaaaaa", 0.0)
    assert faults.send(b"bbbbbbbb", 0.0) == [b"bbbbaaaa"]


@pytest.mark.parametrize("byte", [0, 3, 7, 1003])
def test_corrupt_changes_one_byte_of_the_record(byte: int) -> None:
    clean = bytes([0, 1, 0, 0, 9, 9, 9, 9])
    (dirty,) = begun("corrupt", byte=byte).send(clean, 0.0)
    assert dirty[:4] == clean[:4], "never of the encapsulation"
    assert sum(a != b for a, b in zip(clean, dirty, strict=True)) == 1


def test_sizes() -> None:
    assert len(begun("long", bytes=5).send(bytes(20), 0.0)[0]) == 25
    assert len(begun("short", bytes=5).send(bytes(20), 0.0)[0]) == 15
    assert len(begun("short", bytes=0).send(bytes(20), 0.0)[0]) == 20


def test_a_count_of_states() -> None:
    faults = begun("duplicate", count=1)
    assert numbers(packets(faults, 3)) == [[0, 0], [1], [2]]
    faults.expire(0.0)
    assert not faults.active
    assert faults.counts == {"duplicate": 1}


def test_a_time() -> None:
    faults = begun("drop", seconds=0.5)
    faults.expire(0.4)
    assert faults.active
    faults.expire(0.5)
    assert not faults.active


def test_clear_ends_everything_and_drops_what_is_held() -> None:
    faults = begun("delay", delay=1.0)
    faults.start("reorder", {}, 0.0, None, None)
    packets(faults, 3)
    faults.clear()
    assert numbers(packets(faults, 2)) == [[0], [1]]
    assert faults.send(b"0123x", 5.0) == [b"0123x"]


def test_clear_forgets_what_waits_for_its_place() -> None:
    faults = begun("reorder")
    assert faults.send(b"0000a", 0.0) == []
    faults.clear()
    assert faults.send(b"0000b", 0.0) == [b"0000b"]


@pytest.mark.parametrize(
    ("name", "given", "field", "wrong"),
    [
        ("nan", {"motor": 3}, "pos", lambda value: math.isnan(value[3]) and not math.isnan(value[2])),
        ("nan_imu", {}, "quat_wxyz", lambda value: all(math.isnan(x) for x in value)),
        ("temperature", {"motor": 1, "celsius": 300}, "temperature", lambda value: value[1] == 255),
        ("motor_error", {"motor": 2, "code": 5}, "error", lambda value: value[2] == 5),
        ("battery", {"percent": 1}, "soc", lambda value: value == 1),
        ("clock_jump", {"milliseconds": -5}, "tick", lambda value: value == (readings(1).tick - 5) % (1 << 32)),
        ("joint_jump", {"motor": 0, "radians": 0.5}, "pos", lambda value: value[0] == readings(1).pos[0] + 0.5),
        ("lost", {"motor": 9, "packets": 4}, "lost", lambda value: value[9] == readings(1).lost[9] + 4),
    ],
)
def test_values(name: str, given: dict[str, float], field: str, wrong: Any) -> None:
    false = begun(name, **given).falsify(readings(1))
    assert wrong(getattr(false, field))
    others = {key for key, value in vars(readings(1)).items() if key != field and value != getattr(false, key)}
    assert not others


def test_frozen_values_have_new_ticks() -> None:
    faults = begun("frozen_values")
    first, second = faults.falsify(readings(1)), faults.falsify(readings(2))
    assert second.pos == first.pos == readings(1).pos
    assert second.tick == readings(2).tick


def test_a_fault_that_begins_again_freezes_anew() -> None:
    faults = begun("freeze")
    faults.send(b"0000a", 0.0)
    faults.start("freeze", {}, 0.0, None, None)
    assert faults.send(b"0000b", 0.0) == [b"0000b"]


def test_every_kind_can_be_begun_with_its_defaults() -> None:
    for name in KINDS:
        assert begun(name).active[name].numbers == KINDS[name]


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("quake", {}, "valid: drop"),
        ("short", {}, "found short"),
        ("drop", {"size": 1}, "size"),
        ("drop", {"share": math.nan}, "a number"),
        ("drop", {"share": -0.1}, "0 or more"),
        ("nan", {"motor": 12}, "0 to 11"),
        ("nan", {"motor": True}, "a number"),
        ("duplicate", {"copies": 1.5}, "a whole number"),
        ("joint_jump", {"radians": "far"}, "a number"),
    ],
)
def test_a_wrong_fault_is_refused_and_changes_nothing(name: str, given: dict[str, Any], words: str) -> None:
    faults = Faults(("short",))
    with pytest.raises(InputError, match=words):
        faults.start(name, given, 0.0, None, None)
    assert not faults.active


@pytest.fixture
def door() -> Iterator[SimpleNamespace]:
    robot, faults = Board(Body(load_robot_spec("go2"), None, 0, 0.0), ""), Faults()
    control = Control(robot, faults, Judge(robot, None), 0)
    yield SimpleNamespace(
        board=robot, faults=faults, control=control, ask=lambda **r: control.answer(json.dumps(r).encode())
    )
    control.close()


def test_the_door_is_open_on_loopback_only(door: SimpleNamespace) -> None:
    assert door.control._socket.getsockname()[0] == "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2.0)
        client.sendto(b'{"do": "status"}', ("127.0.0.1", door.control.port))
        door.control.serve()
        assert json.loads(client.recv(4096))["ok"] is True


def test_a_port_that_is_taken_is_an_error(door: SimpleNamespace) -> None:
    with pytest.raises(RobotError, match=f"control port {door.control.port}.*free"):
        Control(door.board, door.faults, Judge(door.board, None), door.control.port)
    with pytest.raises(RobotError, match="control port 99999"):
        Control(door.board, door.faults, Judge(door.board, None), 99999)


def test_a_client_hears_what_the_door_says_and_when_nobody_does() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        client = SideDoor(deaf.getsockname()[1])
        with pytest.raises(RobotError, match="timed out within 2 s"):
            client.do("status")
        client.close()
    client = SideDoor(9)  # nobody
    with pytest.raises(RobotError, match="port 9.*a peer that runs"):
        client.do("status")
    client.close()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"{}", b'{"do": 1}', b"\xff\xfe", b'{"do": "fault"}'])
def test_malformed_requests_get_an_answer(door: SimpleNamespace, data: bytes) -> None:
    answer = door.control.answer(data)
    assert answer["ok"] is False
    assert "valid" in answer["error"]


def test_a_fault_is_begun_ends_and_is_told(door: SimpleNamespace) -> None:
    assert door.ask(do="fault", name="drop", share=0.5, seconds=1.0)["ok"]
    assert door.faults.active["drop"].until == pytest.approx(door.board.time + 1.0)
    assert door.faults.active["drop"].numbers == {"share": 0.5}
    assert door.ask(do="fault", name="duplicate", count=3)["ok"]
    assert door.faults.active["duplicate"].left == 3
    assert door.ask(do="status")["faults"] == ["drop", "duplicate"]
    assert door.ask(do="clear")["ok"]
    assert door.ask(do="status")["faults"] == []


def test_bodily_faults_reach_the_body(door: SimpleNamespace) -> None:
    body = door.board.body
    assert door.ask(do="hold_joint", motor=2, limit="lower")["ok"]
    assert body.held == {2: body.spec.joint_lower[2]}
    assert door.ask(do="clear")["ok"]
    assert body.held == {}
    before = np.array(body.data.qvel[:3])
    assert door.ask(do="push", velocity=[0.5, 0, 0])["ok"]
    assert body.data.qvel[0] == pytest.approx(before[0] + 0.5)
    assert door.ask(do="tilt", roll=1.0)["ok"]
    assert door.ask(do="remote", buttons=["A"])["ok"]
    assert door.board.remote[3] == 1
    assert door.ask(do="mode", name="ai")["ok"]
    assert door.board.switching
