"""Every fault that the side door can make, as the vendor's own classes see it on the wire."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.firmware import PeerProcess, SdkRobotClient, free_dds_domain, need_sdk, sdk_services

from robot_policies.robot_spec import load_robot_spec

need_sdk()

from sim2real.firmware.faults import KINDS  # noqa: E402

SPEC = load_robot_spec("go2")
SIT = SPEC.poses["sit"]
TESTED: set[str] = set()


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Go2 that lies limp, with nobody in control."""
    domain = free_dds_domain()
    log = tmp_path_factory.mktemp("peer") / "judge.jsonl"
    peer = PeerProcess("go2", "--domain", str(domain), "--mode", "released", "--timeout", "0.5", log=log)
    client = SdkRobotClient(domain)
    client.state()
    yield SimpleNamespace(peer=peer, client=client, domain=domain)
    peer.close()


@pytest.fixture(autouse=True)
def no_fault_is_left(robot: SimpleNamespace) -> Iterator[None]:
    """Begin and end each test with a healthy robot."""
    yield
    robot.peer.do("clear")
    assert robot.peer.do("status")["faults"] == []
    now = 1000.0 * robot.peer.do("status")["t"]
    state = robot.client.until(lambda s: abs(s.tick - now) < 20000 and s.tick >= now)
    assert state.crc == robot.client.crc.Crc(state)


def during(robot: SimpleNamespace, name: str, seconds: float = 0.25, least: int = 20, **numbers: Any) -> list[Any]:
    """Return the states that come while a fault is there."""
    TESTED.add(name)
    begun = robot.peer.do("fault", name=name, **numbers)["t"]
    robot.peer.until(lambda s: s["t"] > begun + 0.05)
    robot.client.take()
    return robot.client.gather(seconds, least=least)


def steps(states: list[Any]) -> list[int]:
    return np.diff([int(state.tick) for state in states]).tolist()


def test_drop(robot: SimpleNamespace) -> None:
    assert not during(robot, "drop", least=0)
    robot.peer.do("clear")
    half = steps(during(robot, "drop", share=0.5, least=40))
    assert sum(step > 2 for step in half) > 0.3 * len(half)


def test_mute_is_the_network_gone(robot: SimpleNamespace) -> None:
    """No state, no ear for commands, no answer; and all of it back when it ends by itself."""
    taken = robot.peer.do("status")["commands"].get("taken", 0)
    assert not during(robot, "mute", least=0, seconds=0.2)
    robot.client.write_for(0.2, robot.client.command(SIT, 20.0, 1.0))
    assert robot.peer.do("status")["commands"].get("taken", 0) == taken
    assert sdk_services(robot.domain, ("switcher", ["CheckMode"])) == [[3104, None]]
    robot.peer.do("fault", name="mute", seconds=0.2)
    robot.peer.until(lambda s: not s["faults"], 2.0)
    robot.client.state()


def test_delay(robot: SimpleNamespace) -> None:
    """The newest state that is here says an older tick than the robot has by then."""
    TESTED.add("delay")
    assert min(lags(robot)) < 150.0
    robot.peer.do("fault", name="delay", delay=0.2)
    time.sleep(0.3)
    assert min(lags(robot)) >= 195.0


def lags(robot: SimpleNamespace) -> list[float]:
    """How much older than the robot a state is when it has come [ms]; waiting for a processor makes it older still."""
    ticks = (robot.client.state().tick for _ in range(8))
    return [1000.0 * robot.peer.do("status")["t"] - tick for tick in ticks]


def test_duplicate(robot: SimpleNamespace) -> None:
    found = steps(during(robot, "duplicate", copies=1, least=40))
    assert found.count(0) > 0.3 * len(found)


def test_one_doubled_message(robot: SimpleNamespace) -> None:
    robot.client.take()
    robot.peer.do("fault", name="duplicate", count=1)
    robot.peer.until(lambda s: not s["faults"], 2.0)
    assert steps(robot.client.gather(0.05, least=5)).count(0) <= 1
    assert robot.peer.do("status")["met"]["duplicate"] >= 1


def test_reorder(robot: SimpleNamespace) -> None:
    found = steps(during(robot, "reorder", least=40))
    assert found.count(-2) > 0.2 * len(found)


def test_freeze_repeats_a_state_byte_by_byte(robot: SimpleNamespace) -> None:
    states = during(robot, "freeze")
    assert len({state.tick for state in states}) == 1
    assert len({state.crc for state in states}) == 1


def test_frozen_values_under_new_ticks(robot: SimpleNamespace) -> None:
    states = during(robot, "frozen_values")
    assert len({state.tick for state in states}) == len(states)
    assert len({tuple(state.imu_state.gyroscope) for state in states}) == 1
    assert all(state.crc == robot.client.crc.Crc(state) for state in states)


@pytest.mark.parametrize("name", ["bad_crc", "corrupt", "torn"])
def test_the_checksum_does_not_fit(robot: SimpleNamespace, name: str) -> None:
    states = during(robot, name)
    assert all(state.crc != robot.client.crc.Crc(state) for state in states)


def test_a_long_record_says_the_same(robot: SimpleNamespace) -> None:
    """The SDK's class reads its part; whoever looks at the size sees it."""
    states = during(robot, "long", bytes=12)
    assert all(state.crc == robot.client.crc.Crc(state) for state in states)


@pytest.mark.parametrize("name", ["nan", "nan_imu"])
def test_numbers_that_are_not(robot: SimpleNamespace, name: str) -> None:
    states = during(robot, name, **({"motor": 7} if name == "nan" else {}))
    for state in states:
        value = state.motor_state[7].q if name == "nan" else state.imu_state.quaternion[0]
        assert math.isnan(value)
        assert state.crc == robot.client.crc.Crc(state), "a fault of the sensor, not of the wire"


@pytest.mark.parametrize(
    ("name", "numbers", "read", "expected"),
    [
        ("temperature", {"motor": 4, "celsius": 95}, lambda s: s.motor_state[4].temperature, 95),
        ("motor_error", {"motor": 2, "code": 3}, lambda s: s.motor_state[2].reserve[0], 3),
        ("lost", {"motor": 5, "packets": 77}, lambda s: s.motor_state[5].lost, 77),
        ("battery", {"percent": 4}, lambda s: s.bms_state.soc, 4),
    ],
)
def test_readings_that_alarm(
    robot: SimpleNamespace, name: str, numbers: dict[str, int], read: Any, expected: int
) -> None:
    healthy = read(robot.client.state())
    states = during(robot, name, **numbers)
    assert {read(state) for state in states} == {expected}
    robot.peer.do("clear")
    assert robot.client.until(lambda s: read(s) == healthy)
    assert healthy != expected


def test_joint_jump(robot: SimpleNamespace) -> None:
    before = robot.client.state().motor_state[6].q
    states = during(robot, "joint_jump", motor=6, radians=-0.8)
    assert states[-1].motor_state[6].q - before == pytest.approx(-0.8, abs=0.05)


@pytest.mark.parametrize("jump", [5000, -700])
def test_clock_jump(robot: SimpleNamespace, jump: int) -> None:
    TESTED.add("clock_jump")
    robot.client.state()
    robot.peer.do("fault", name="clock_jump", milliseconds=jump)
    found = steps(robot.client.gather(0.2, least=20))
    far = [step for step in found if abs(step) > 300]
    assert len(far) <= 1
    robot.peer.do("clear")
    back = [step for step in steps(robot.client.gather(0.2, least=20)) if abs(step) > 300]
    assert all(abs(step + jump) < 100 for step in back)
    assert far or back, "one of the two edges is seen, unless both fell between reads"


def test_every_fault_was_made_to_happen() -> None:
    assert set(KINDS) - {"short"} == TESTED, "a short record is the Go1's alone: DDS does not send it"


# On the body.


def test_push(robot: SimpleNamespace) -> None:
    robot.peer.do("push", velocity=[0.0, 0.0, 2.0])
    states = robot.client.gather(0.3, least=30)
    assert min(state.imu_state.accelerometer[2] for state in states) < 2.0, "it flies"
    robot.peer.until(lambda s: s["sample"]["position"][2] < 0.15)


def test_a_joint_is_held_at_its_limit(robot: SimpleNamespace) -> None:
    robot.peer.do("hold_joint", motor=4, limit="lower")
    robot.peer.until(lambda s: abs(s["sample"]["joint_pos"][4] - SPEC.joint_lower[4]) < 0.1)
    robot.client.command_for(0.3, robot.client.command(SIT, 20.0, 1.0))
    assert abs(robot.client.state().motor_state[4].q - SPEC.joint_lower[4]) < 0.2, "its motor is weaker"
    robot.peer.do("release_joints")
    robot.client.command_for(0.5, robot.client.command(SIT, 60.0, 2.0))
    assert abs(robot.client.state().motor_state[4].q - SIT[4]) < 0.3


def test_tilt_is_seen_by_the_imu_and_the_judge(robot: SimpleNamespace) -> None:
    robot.peer.do("tilt", roll=1.3)
    states = robot.client.gather(0.15, least=10)
    assert max(abs(state.imu_state.rpy[0]) for state in states) > 0.9
    lines = robot.peer.judged()
    tilted = [line for line in lines if "tilt" in line.get("limits", ())]
    assert tilted
    assert max(line["tilt_max"] for line in tilted) > 1.0


# What is asked wrongly.


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"do": "nothing"}, "do; found nothing; valid: status, fault"),
        ({"do": "fault", "name": "earthquake"}, "fault; found earthquake; valid: drop"),
        ({"do": "fault", "name": "short"}, "fault; found short; valid: drop"),
        ({"do": "fault", "name": "nan", "motor": 12}, "0 to 11"),
        ({"do": "fault", "name": "nan", "motor": 1.5}, "0 to 11"),
        ({"do": "fault", "name": "nan", "axis": 1}, "axis"),
        ({"do": "fault", "name": "drop", "share": "all"}, "a number"),
        ({"do": "fault", "name": "drop", "seconds": -1}, "more than 0"),
        ({"do": "push", "velocity": [1, 2]}, "[x, y, z]"),
        ({"do": "push", "velocity": [1, 2, float("nan")]}, "finite"),
        ({"do": "hold_joint", "motor": True}, "0 to 11"),
        ({"do": "hold_joint", "motor": 1, "limit": "left"}, "upper, lower"),
        ({"do": "remote", "buttons": ["Z"]}, "R1, L1"),
        ({"do": "remote", "axes": {"lx": 2}}, "-1 to 1"),
        ({"do": "mode", "name": "dance"}, "normal"),
    ],
)
def test_a_wrong_request_is_one_clear_line(robot: SimpleNamespace, request_: dict[str, Any], words: str) -> None:
    answer = robot.peer.send(**request_)
    assert answer["ok"] is False
    assert words in answer["error"]
    assert "\n" not in answer["error"]
