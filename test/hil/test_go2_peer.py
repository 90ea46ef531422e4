"""A Go2 on loopback, as the vendor's own classes see it: from power-on to a robot that is commanded and let go."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.firmware import PeerProcess, SdkRobotClient, free_dds_domain, need_sdk, sdk_services

from robot_policies.robot_spec import load_robot_spec

need_sdk()

STAND = load_robot_spec("go2").poses["stand"]
SIT = load_robot_spec("go2").poses["sit"]


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Go2 that has just been switched on. The tests of this file are one story, in their order."""
    domain = free_dds_domain()
    log = tmp_path_factory.mktemp("peer") / "judge.jsonl"
    # A busy machine may keep this process from commanding for longer than the 0.1 s after which motors brake.
    peer = PeerProcess("go2", "--domain", str(domain), "--heat", "100", "--timeout", "0.5", log=log)
    yield SimpleNamespace(peer=peer, client=SdkRobotClient(domain), domain=domain)
    peer.close()


def positions(state: Any) -> np.ndarray:
    return np.array([motor.q for motor in state.motor_state[:12]])


def test_states_come_at_their_rate_with_a_good_checksum(robot: SimpleNamespace) -> None:
    robot.client.state()
    states = robot.client.gather(0.5, least=150)
    for state in states:
        assert state.crc == robot.client.crc.Crc(state)
        assert (list(state.head), state.level_flag) == ([0xFE, 0xEF], 0xFF)
    ticks = [state.tick for state in states]
    steps = np.diff(ticks)
    assert statistics.median(steps) == 2, "LowState.tick counts milliseconds"
    assert (steps > 0).all()
    assert len(states) > 0.5 * (ticks[-1] - ticks[0]) / 2, "half of them at least reach a reader on a busy machine"


def test_it_stands_up_by_itself(robot: SimpleNamespace) -> None:
    robot.peer.until(lambda s: s["t"] > 3.0)
    state = robot.client.state()
    assert np.abs(positions(state) - STAND).max() < 0.2
    assert robot.peer.do("status")["sample"]["position"][2] > 0.28
    assert [motor.mode for motor in state.motor_state[:12]] == [1] * 12
    assert state.imu_state.quaternion[0] > 0.99
    assert 8.0 < state.imu_state.accelerometer[2] < 11.5
    assert sum(state.foot_force) == pytest.approx(15.0 * 9.81, rel=0.2)
    assert [round(state.motor_state[12 + i].q, 6) for i in range(8)] == [0.0] * 8


def test_the_sensors_are_noisy(robot: SimpleNamespace) -> None:
    states = robot.client.gather(0.0, least=50)
    assert 0.0005 < np.std([state.imu_state.gyroscope[0] for state in states]) < 0.02
    assert 0.00005 < np.std([state.motor_state[0].q for state in states]) < 0.005


def test_the_built_in_controller_writes_the_command_topic(robot: SimpleNamespace) -> None:
    commands = robot.client.commands.take(100)
    assert commands
    assert commands[-1].crc == robot.client.crc.Crc(commands[-1])
    assert commands[-1].motor_cmd[2].kp == 60.0
    assert len(robot.client.commands.get_matched_publications()) == 1


def test_a_second_writer_fights_with_it(robot: SimpleNamespace) -> None:
    """As on the robot, both are obeyed in turns, which shakes it; the judge names it."""
    pushed = STAND.copy()
    pushed[2] += 0.3
    robot.client.write_for(0.4, robot.client.command(pushed, 60.0, 5.0))
    robot.peer.until(lambda s: s["driven_by"] == "built_in")
    story = [line["driven_by"] for line in robot.peer.judged() if line.get("event") == "mode"]
    assert story[:3] == ["built_in", "both", "built_in"]


def test_it_is_laid_down_and_released_with_the_vendors_clients(robot: SimpleNamespace) -> None:
    told = sdk_services(
        robot.domain,
        ("switcher", ["CheckMode"]),
        ("sport", ["StandDown"]),
        ("sleep", 2.5),
        ("switcher", ["SelectMode", "no_such_mode"]),
        ("switcher", ["ReleaseMode"]),
        ("switcher", ["ReleaseMode"]),
        ("sleep", 1.5),
        ("switcher", ["CheckMode"]),
        ("sport", ["StandUp"]),
    )
    first, down, unknown, released, again, empty, up = told
    assert first == [0, {"form": "0", "name": "mcf"}]
    assert down == 0
    assert unknown[0] == 7004
    assert released[0] == 0
    assert again[0] == 7002, "busy while it switches"
    assert empty == [0, {"form": "0", "name": ""}]
    assert up == 3104, "RPC_ERR_CLIENT_API_TIMEOUT: nobody answers for a controller that was released"
    assert np.abs(positions(robot.client.state()) - SIT).max() < 0.3
    assert robot.peer.do("status")["driven_by"] == "nobody"
    robot.client.commands.take(1000)
    time.sleep(0.3)
    assert not robot.client.commands.take(10), "its writer is silent"
    assert not robot.client.commands.get_matched_publications(), "and has left"


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("crc", lambda c, m: setattr(m, "crc", m.crc ^ 1)),
        ("head", lambda c, m: (setattr(m, "head", [0, 0]), setattr(m, "crc", c.crc.Crc(m)))),
        ("level", lambda c, m: (setattr(m, "level_flag", 0xEE), setattr(m, "crc", c.crc.Crc(m)))),
        ("mode", lambda c, m: (set_modes(m, 10), setattr(m, "crc", c.crc.Crc(m)))),
        ("not_finite", lambda c, m: (set_nan(m), setattr(m, "crc", c.crc.Crc(m)))),
    ],
)
def test_a_bad_command_is_ignored_silently(robot: SimpleNamespace, reason: str, change: Any) -> None:
    robot.peer.until(lambda s: s["driven_by"] == "nobody")
    before = positions(robot.client.state())
    command = robot.client.command(STAND, 60.0, 5.0)
    change(robot.client, command)
    states = robot.client.command_for(0.3, command)
    assert np.abs(positions(states[-1]) - before).max() < 0.05
    assert states[-1].motor_state[0].mode == 0
    status = robot.peer.do("status")
    assert status["commands"][reason] > 10
    assert status["driven_by"] == "nobody"


def set_modes(command: Any, mode: int) -> None:
    for motor in command.motor_cmd:
        motor.mode = mode


def set_nan(command: Any) -> None:
    command.motor_cmd[3].q = float("nan")


def test_motors_follow_in_the_order_of_the_sdk(robot: SimpleNamespace) -> None:
    """FR 0-2, FL 3-5, RR 6-8, RL 9-11: one thigh at a time is bent, and that one answers."""
    for motor in (1, 4, 7, 10):
        target = SIT.copy()
        target[motor] -= 0.35
        before = positions(robot.client.state())
        states = robot.client.command_for(0.3, robot.client.command(target, 60.0, 3.0))
        moved = positions(states[-1]) - before
        assert int(np.argmin(moved)) == motor
        assert states[-1].motor_state[motor].mode == 1
        robot.client.command_for(0.3, robot.client.command(SIT, 60.0, 3.0))


def test_a_target_of_stop_takes_its_gain_away(robot: SimpleNamespace) -> None:
    robot.client.command_for(0.3, robot.client.command(SIT, 40.0, 3.0))
    states = robot.client.command_for(0.3, robot.client.command(2.146e9, 40.0, 0.0))
    assert max(abs(motor.tau_est) for motor in states[-1].motor_state[:12]) < 1.0


def test_motors_brake_when_commands_stop(robot: SimpleNamespace) -> None:
    states = robot.client.command_for(0.4, robot.client.command(SIT, 40.0, 3.0))
    assert states[-1].motor_state[0].mode == 1
    robot.peer.until(lambda s: s["driven_by"] == "nobody")
    state = robot.client.until(lambda s: s.motor_state[0].mode == 0)
    assert [motor.mode for motor in state.motor_state[:12]] == [0] * 12
    assert abs(state.motor_state[5].tau_est) < 1.0
    events = [line for line in robot.peer.judged() if line.get("event") == "mode"]
    assert events[-1]["driven_by"] == "nobody"


def test_the_torque_is_limited_and_heats(robot: SimpleNamespace) -> None:
    """A stiff spring far beyond the stop; --heat 100 lets a minute pass in 0.6 s."""
    before = robot.client.state().motor_state[3].temperature
    target = SIT.copy()
    target[3] = 3.0
    states = robot.client.command_for(0.8, robot.client.command(target, 200.0, 1.0))
    torque = max(abs(state.motor_state[3].tau_est) for state in states)
    assert 20.0 < torque < 23.7 + 1.0
    assert states[-1].motor_state[3].temperature > before + 5
    assert states[-1].motor_state[9].temperature < states[-1].motor_state[3].temperature


def test_the_battery_drains(robot: SimpleNamespace) -> None:
    states = robot.client.gather(0.0, least=10)
    assert 80 <= states[-1].bms_state.soc <= 90
    assert states[-1].bms_state.current < -500
    assert 24.0 < states[-1].power_v < 33.6
    assert states[-1].power_a == pytest.approx(-0.001 * states[-1].bms_state.current, rel=1e-3)


def test_the_remote_is_told_in_its_forty_bytes(robot: SimpleNamespace) -> None:
    assert bytes(robot.client.state().wireless_remote) == bytes(40)
    robot.peer.do("remote", buttons=["L2", "B"], axes={"ly": 1.0, "rx": -0.5})
    remote = bytes(robot.client.until(lambda s: any(s.wireless_remote)).wireless_remote)
    assert int.from_bytes(remote[2:4], "little") == (1 << 5) | (1 << 9), "bits of unitree_joystick.hpp"
    assert np.frombuffer(remote, "<f4", 5, 4).tolist() == [0.0, -0.5, 0.0, 0.0, 1.0]
    robot.peer.do("remote")


def test_a_controller_that_is_selected_again_takes_over(robot: SimpleNamespace) -> None:
    robot.peer.do("mode", name="ai")
    robot.peer.until(lambda s: s["driven_by"] == "built_in", 3.0)
    assert robot.peer.do("status")["mode"] == "ai"
    robot.peer.do("mode", name="")
    robot.peer.until(lambda s: s["mode"] == "", 3.0)


def test_the_judge_saw_it_all(robot: SimpleNamespace) -> None:
    lines = robot.peer.judged()
    samples = [line for line in lines if line["kind"] == "sample"]
    times = [sample["t"] for sample in samples]
    assert np.diff(times) == pytest.approx(0.02, abs=1e-6)
    modes = [(line["mode"], line["driven_by"]) for line in lines if line.get("event") == "mode"]
    assert modes[0] == ("mcf", "built_in")
    assert ("mcf", "both") in modes
    assert ("", "nobody") in modes
    assert ("", "commands") in modes
    assert {line["reason"] for line in lines if line.get("event") == "first_command"} >= {"taken", "crc", "mode"}
    assert any("joint_pos FL_hip_joint" in sample["limits"] for sample in samples), "it was pressed against its stop"


def test_it_ends_as_asked(robot: SimpleNamespace) -> None:
    assert robot.peer.close() == 0
    assert robot.peer.judged()[-1]["event"] == "end"
