"""Faults of states, messages and requests, one by one, without a process."""

from __future__ import annotations

import json
import math
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robot_policies.exceptions import InputError, RobotError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import RobotState, owned
from sim2real.door import Door, free_port
from sim2real.faults.message_faults import CHANGES, FLOW, NAMES, MessageFaults
from sim2real.faults.state_faults import STATE, StateFaults
from sim2real.firmware.client import SideDoor

MS = 1_000_000


def state(number: int) -> RobotState:
    values = owned(np.full(12, 0.01 * number))
    still = owned(np.zeros(3))
    quat = owned([1.0, 0.0, 0.0, 0.0])
    return RobotState(number * 5 * MS, values, values, values, quat, still, still, owned(np.zeros(4)))


def given(name: str, count: int = 6, **numbers: Any) -> list[RobotState | None]:
    """Return what becomes of states 1 to ``count``, 5 ms apart, with a fault from the first on."""
    faults = StateFaults()
    faults.start({"do": "fault", "name": name, **numbers}, 0)
    return [faults.apply(state(number), number * 5 * MS) for number in range(1, count + 1)]


def test_without_a_fault_the_very_state_passes() -> None:
    one = state(1)
    assert StateFaults().apply(one, 0) is one


def test_lost_for_a_count_and_for_a_time() -> None:
    assert [each is None for each in given("drop", count=3)] == [True] * 3
    faults = StateFaults()
    faults.start({"name": "drop", "count": 2}, 0)
    assert [faults.apply(state(n), n) is None for n in range(4)] == [True, True, False, False]
    faults.start({"name": "drop", "seconds": 0.01}, 0)
    assert [faults.apply(state(n), n * 5 * MS) is None for n in range(4)] == [True, True, False, False]


def test_late_states_come_in_order_and_whole() -> None:
    late = given("delay", delay=0.01)
    assert [None if each is None else each.stamp_ns // (5 * MS) for each in late] == [None, None, 1, 2, 3, 4]


def test_frozen_and_frozen_under_new_stamps() -> None:
    same = given("freeze")
    assert len({id(each) for each in same}) == 1
    old = [each for each in given("frozen_values") if each is not None]
    assert len({each.stamp_ns for each in old}) == 6
    assert {float(each.joint_pos[0]) for each in old} == {0.01}


@pytest.mark.parametrize(
    ("name", "numbers", "broken"),
    [
        ("nan", {"motor": 4}, lambda s: math.isnan(s.joint_pos[4]) and np.isfinite(s.joint_pos).sum() == 11),
        ("nan_imu", {}, lambda s: np.isnan(s.base_quat_wxyz).all()),
        ("short", {}, lambda s: s.joint_pos.shape == (11,)),
        ("joint_jump", {"motor": 2, "radians": -3.0}, lambda s: s.joint_pos[2] < -2.5 < s.joint_pos[3]),
        ("joint_speed", {"motor": 2}, lambda s: s.joint_vel[2] == 80.0 and s.joint_vel[1] < 1.0),
    ],
)
def test_one_value_is_wrong_and_the_robot_s_own_state_stays(name: str, numbers: dict[str, float], broken: Any) -> None:
    changed = given(name, **numbers)
    assert all(broken(each) for each in changed)
    assert not broken(state(1))


def test_a_clock_jumps_and_comes_back() -> None:
    faults = StateFaults()
    assert faults.clock_ns == 0
    faults.start({"name": "clock_jump", "milliseconds": -700}, 0)
    assert faults.clock_ns == -700 * MS
    faults.clear()
    assert faults.clock_ns == 0


def test_a_robot_that_cannot_be_read_raises() -> None:
    with pytest.raises(RobotError, match="a fault was asked for"):
        given("unreadable")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"name": "earthquake"}, "found earthquake; valid: drop"),
        ({"name": "drop", "share": 1}, "numbers of drop; found share"),
        ({"name": "delay", "delay": float("nan")}, "finite numbers"),
    ],
)
def test_a_wrong_fault_is_refused(request_: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        StateFaults().start(request_, 0)


def test_every_fault_of_a_state_is_tried_here() -> None:
    tried = {"drop", "delay", "freeze", "frozen_values", "clock_jump", "unreadable"}
    assert tried | {"nan", "nan_imu", "short", "joint_jump", "joint_speed"} == set(STATE)


def message(number: int) -> Any:
    header = SimpleNamespace(frame_id="walk/1", stamp=SimpleNamespace(sec=100 + number, nanosec=0))
    return SimpleNamespace(header=header, name=["a", "b", "c", "d"], position=[float(number)] * 4)


def handed(name: str, **numbers: Any) -> list[list[int]]:
    """Return the numbers of what goes out for each of four messages, 20 ms apart."""
    faults = MessageFaults()
    faults.start({"name": name, **numbers})
    return [[m.header.stamp.sec - 100 for m in faults.take(message(n), 0.02 * n)] for n in range(1, 5)]


@pytest.mark.parametrize(
    ("name", "numbers", "out"),
    [
        ("lost", {}, [[], [], [], []]),
        ("lost", {"count": 1}, [[], [2], [3], [4]]),
        ("late", {"delay": 0.03}, [[], [], [1], [2]]),
        ("doubled", {}, [[1, 1], [2, 2], [3, 3], [4, 4]]),
        ("reordered", {}, [[], [2, 1], [], [4, 3]]),
        ("frozen", {}, [[1], [1], [1], [1]]),
        ("torn", {}, [[1], [2], [3], [4]]),
        ("old", {}, [[-9], [-8], [-7], [-6]]),
        ("future", {}, [[11], [12], [13], [14]]),
    ],
)
def test_what_goes_out_and_when(name: str, numbers: dict[str, float], out: list[list[int]]) -> None:
    assert handed(name, **numbers) == out


def test_a_torn_message_is_half_of_the_one_before() -> None:
    faults = MessageFaults()
    faults.start({"name": "torn"})
    faults.take(message(1), 0.0)
    assert faults.take(message(2), 0.02)[0].position == [2.0, 2.0, 1.0, 1.0]
    assert faults.take(message(3), 0.04)[0].position == [3.0, 3.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("nan", lambda m: math.isnan(m.position[0])),
        ("short", lambda m: len(m.position) == 3),
        ("huge", lambda m: min(m.position) == 1e6),
        ("names", lambda m: m.name[0] != "a"),
        ("profile", lambda m: m.header.frame_id != "walk/1"),
    ],
)
def test_what_is_wrong_in_a_message(name: str, broken: Any) -> None:
    faults, sound = MessageFaults(), message(1)
    faults.start({"name": name})
    assert broken(faults.take(sound, 0.0)[0])
    assert not broken(sound), "the sender's own message stays"
    faults.clear()
    assert faults.take(sound, 0.0) == [sound]


def image(number: int) -> Any:
    """Four pixels of 32FC1, all ``number`` metres away."""
    return SimpleNamespace(encoding="32FC1", data=np.full(4, number, np.float32).tobytes(), stamp=number)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("image_holes", lambda m: not np.frombuffer(m.data, np.float32).any()),
        ("image_nan", lambda m: np.isnan(np.frombuffer(m.data, np.float32)).all()),
        ("image_short", lambda m: len(m.data) == 8),
        ("image_encoding", lambda m: m.encoding != "32FC1"),
    ],
)
def test_what_is_wrong_in_an_image(name: str, broken: Any) -> None:
    faults, sound = MessageFaults(), image(1)
    faults.start({"name": name})
    assert broken(faults.take(sound, 0.0)[0])
    assert not broken(sound), "the sender's own message stays"


@pytest.mark.parametrize(("name", "pixels"), [("still", [1, 1, 1, 1]), ("torn", [2, 2, 1, 1])])
def test_an_image_that_is_still_or_torn_keeps_its_stamp(name: str, pixels: list[int]) -> None:
    faults = MessageFaults()
    faults.start({"name": name})
    faults.take(image(1), 0.0)
    (out,) = faults.take(image(2), 0.03)
    assert (np.frombuffer(out.data, np.float32).tolist(), out.stamp) == (pixels, 2)


def test_every_fault_of_a_message_has_a_name_and_others_are_refused() -> None:
    assert set(NAMES) == set(FLOW) | set(CHANGES)
    with pytest.raises(InputError, match="found melted; valid: lost"):
        MessageFaults().start({"name": "melted"})


def test_the_door_answers_what_the_client_asks() -> None:
    asked: list[dict[str, Any]] = []
    door = Door(0, {"fault": lambda request: asked.append(dict(request))})
    ask = SideDoor(door.port)
    ask._socket.send(json.dumps({"do": "fault", "name": "x"}).encode())
    end = time.monotonic() + 2.0
    while not asked and time.monotonic() < end:
        door.serve()
    assert json.loads(ask._socket.recv(4096)) == {"ok": True}
    assert asked == [{"do": "fault", "name": "x"}]
    with pytest.raises(RobotError, match="control port"):
        Door(door.port, {})
    ask.close()
    door.close()
    assert free_port() > 0


@pytest.mark.parametrize("data", [b"nothing", b'{"do": "dance"}', b"[1]", b"\xff"])
def test_the_door_says_what_is_wrong(data: bytes) -> None:
    door = Door(0, {"fault": lambda request: None})
    answer = door.answer(data)
    door.close()
    assert answer["ok"] is False and "\n" not in answer["error"]


def test_the_simulated_robot_takes_requests_as_the_peer_does() -> None:
    pytest.importorskip("mujoco")
    from sim2real.faults.robot import create

    robot = create(load_robot_spec("go2"), {"clock": "lockstep", "noise": 0.0, "start": "stand"})
    before = robot.read(lambda due: None)
    assert robot._door.answer(b'{"do": "fault", "name": "drop", "count": 3}')["ok"]
    assert robot.read(lambda due: None).stamp_ns - before.stamp_ns == 4 * 5 * MS
    assert robot._door.answer(b'{"do": "tilt", "roll": 1.4}')["ok"]
    assert math.acos(1 - 2 * (robot.ground_truth().quat_wxyz[1] ** 2)) > 1.0
    assert robot._door.answer(b'{"do": "place"}')["ok"]
    assert abs(robot.ground_truth().quat_wxyz[0]) > 0.99
    robot.read(lambda due: None)
    assert np.abs(robot.ground_truth().base_lin_vel).max() < 0.2
    assert not robot._door.answer(b'{"do": "hold_joint", "motor": 12}')["ok"]
    assert robot._door.answer(b'{"do": "hold_joint", "motor": 2, "limit": "lower"}')["ok"]
    for _ in range(100):
        robot.read(lambda due: None)
    assert abs(robot.ground_truth().joint_pos[2] - robot.spec.joint_lower[2]) < 0.2
    assert robot._door.answer(b'{"do": "fault", "name": "drop", "seconds": 0.1}')["ok"]
    with pytest.raises(RobotError, match="a state within 50 ms; found none"):
        robot.read(lambda due: None)
    assert robot._door.answer(b'{"do": "clear"}')["ok"]
    assert robot._door.answer(b'{"do": "fault", "name": "clock_jump", "milliseconds": 1000}')["ok"]
    shown: list[int] = []
    jumped = robot.read(shown.append)
    assert jumped.stamp_ns == robot.now_ns() == shown[0]
    robot.close()
