"""The Go1 driver against a peer on the loopback interface that answers each record."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.legged_peer import LeggedPeer, read_command, state_packet

from robot_policies.exceptions import RobotError, SchemaError
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.robots import unitree_legged, unitree_legged_link
from robot_policies.robots.robot import TellsHealth
from robot_policies.robots.unitree_wire import interface
from robot_policies.safety.limits import load_safety
from robot_policies.types import Battery, JointCommand, Remote

GO1 = load_robot_spec("go1")
N = 12


def wait_until(stamp_ns: int) -> None:
    time.sleep(max(0.0, (stamp_ns - time.time_ns()) / 1e9))


def robot_of(peer: LeggedPeer, spec: RobotSpec = GO1, **options: Any) -> unitree_legged.LeggedRobot:
    given = {"interface": "lo", "address": "127.0.0.1", "port": peer.port, "local_port": 0, **options}
    robot = unitree_legged.create(spec, given)
    assert isinstance(robot, unitree_legged.LeggedRobot)
    return robot


def command(**changes: Any) -> JointCommand:
    ramp = np.arange(N) * 0.1
    made = JointCommand(0, ramp, ramp * 2, ramp * 3, np.full(N, 40.0), np.full(N, 1.0), "walk")
    return replace(made, **changes)


def driven(peer: LeggedPeer) -> list[list[tuple[Any, ...]]]:
    """Return the commands that drove a motor."""
    return [motors for motors in map(read_command, peer.commands) if any(motor[0] for motor in motors)]


def settle(peer: LeggedPeer, count: int) -> None:
    end = time.monotonic() + 5.0
    while len(peer.commands) < count and time.monotonic() < end:
        time.sleep(0.005)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may stop this process, or the peer, for longer than a robot may be silent."""
    monkeypatch.setattr(unitree_legged, "LOST_NS", 5_000_000_000)


def test_a_state_is_read_as_it_was_sent() -> None:
    with LeggedPeer() as peer:
        robot = robot_of(peer, armed=True)
        before = time.time_ns()
        robot.write(None)
        time.sleep(0.4)
        state = robot.read(wait_until)
        robot.close()
    np.testing.assert_allclose(state.joint_pos, np.float32(0.01) * np.arange(N), rtol=1e-6)
    np.testing.assert_allclose(state.joint_vel, 0.1 * np.arange(N), rtol=1e-6)
    assert state.joint_effort.tolist() == [0.5] * N
    assert state.base_quat_wxyz.tolist() == [1.0, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(state.base_ang_vel, [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(state.base_lin_acc, [0, 0, 9.81], rtol=1e-6)
    assert state.foot_force.tolist() == [10.0, 20.0, 30.0, 40.0]
    assert state.base_lin_vel is None
    assert before < state.stamp_ns < before + 350_000_000  # when the datagram came, not when it was read


def test_joints_and_feet_are_mapped_by_name() -> None:
    order = [*range(3, 6), *range(3), *range(9, 12), *range(6, 9)]  # a robot file that begins with the left legs
    names = tuple(GO1.joint_names[i] for i in order)
    feet = tuple(GO1.feet[i] for i in (1, 0, 3, 2))
    with LeggedPeer() as peer:
        robot = robot_of(peer, replace(GO1, joint_names=names, feet=feet), armed=True)
        state = robot.read(wait_until)
        robot.write(command())
        settle(peer, len(peer.commands) + 1)
        time.sleep(0.05)
        robot.close()
    np.testing.assert_allclose(state.joint_pos, 0.01 * np.array(order), rtol=1e-6)
    assert state.foot_force.tolist() == [20.0, 10.0, 40.0, 30.0]
    sent = driven(peer)[-1]
    np.testing.assert_allclose([sent[motor][1] for motor in order], 0.1 * np.arange(N), rtol=1e-6)


def test_a_command_arrives_as_it_was_asked() -> None:
    with LeggedPeer() as peer:
        robot = robot_of(peer, armed=True)
        asked = command()
        assert robot.write(asked) is asked
        time.sleep(0.05)
        robot.close()
    assert peer.bad == 0
    motors = driven(peer)[-1]
    assert [motor[0] for motor in motors] == [10] * N + [0] * 8
    for column, values in enumerate((asked.joint_pos, asked.joint_vel), start=1):
        np.testing.assert_allclose([motor[column] for motor in motors[:N]], values, rtol=1e-6)
    np.testing.assert_allclose([motor[3] for motor in motors[:N]], asked.joint_effort, atol=1 / 256)
    assert {motor[4:] for motor in motors[:N]} == {(40.0, 1.0)}


def test_by_default_no_motor_is_driven() -> None:
    with LeggedPeer() as peer:
        robot = robot_of(peer, contact=True)
        for _ in range(5):
            robot.read(wait_until)
            asked = command()
            assert robot.write(asked) is asked  # what would have been sent
        time.sleep(0.05)
        robot.close()
    assert len(peer.commands) > 5
    assert driven(peer) == []


def test_without_contact_a_dry_run_sends_not_one_byte() -> None:
    unitree_legged_limit = pytest.MonkeyPatch()
    unitree_legged_limit.setattr(unitree_legged, "START_LIMIT", 0.2)
    with LeggedPeer() as peer, pytest.raises(RobotError) as error:
        robot_of(peer)
    unitree_legged_limit.undo()
    assert "found none, as nothing was sent; valid: options.contact:=true" in str(error.value)
    assert "\n" not in str(error.value)
    assert (peer.commands, peer.bad) == ([], 0)


def test_no_command_goes_out_before_a_valid_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer answers the first ten records with rubbish only."""
    monkeypatch.setattr(unitree_legged, "START_LIMIT", 1.0)
    with LeggedPeer(lambda tick, _: [state_packet(tick, spoil=int(tick < 10))]) as peer:
        robot = robot_of(peer, armed=True)
        heard = len(peer.commands)
        robot.write(command())
        time.sleep(0.05)
        robot.close()
    assert heard >= 10
    first = next(i for i, packet in enumerate(peer.commands) if read_command(packet)[0][0])
    assert first >= 10


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda tick, _: [state_packet(tick, spoil=1)], r"\d+ with a wrong crc; valid: records of 807 bytes"),
        (lambda tick, _: [state_packet(tick, level=0xEE)], r"\d+ with a wrong header"),
        (lambda tick, _: [state_packet(tick)[:-3]], r"\d+ with a wrong size"),
        (lambda tick, _: [state_packet(tick) + b"\0"], r"\d+ with a wrong size"),
        (lambda tick, _: [], r"no answer to \d+ records; valid: a Go1 that is switched on"),
    ],
)
def test_a_robot_that_is_not_one_is_refused_in_one_line(
    answer: Callable[[int, bytes], list[bytes]], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unitree_legged, "START_LIMIT", 0.2)
    with LeggedPeer(answer) as peer, pytest.raises(RobotError, match=found) as error:
        robot_of(peer, armed=True)
    assert "\n" not in str(error.value)
    assert f"127.0.0.1:{peer.port} through lo" in str(error.value)
    assert driven(peer) == []


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unitree_legged, "START_LIMIT", 0.2)
    peer = LeggedPeer()
    peer.socket.close()
    with pytest.raises(RobotError, match="found nobody listens there"):
        robot_of(peer, armed=True)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"interface": "eth9"},
            "interface that the robot is on .*; found no 'eth9' on this machine; valid: .*lo",
        ),
        ({"interface": ""}, "interface that the robot is on .*; found none given"),
        ({"address": "dog"}, "address: an IPv4 address; found 'dog'; valid: such as 192.168.123.10"),
        ({"clock": "lockstep"}, "clock of a real robot; found lockstep; valid: real"),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, Any], line: str) -> None:
    with pytest.raises(RobotError, match=line) as error:
        robot_of(LeggedPeer(), **options)
    assert "\n" not in str(error.value)


def test_an_interface_that_does_not_lead_there_and_a_port_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unitree_legged, "START_LIMIT", 0.1)
    peer = LeggedPeer()
    with pytest.raises(RobotError, match=r"robot at 192.0.2.1:\d+ through lo"):
        robot_of(peer, address="192.0.2.1", armed=True)
    with pytest.raises(RobotError, match="local_port: a free port; found .* is in use; valid: another one"):
        robot_of(peer, local_port=peer.port)


def test_an_interface_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "interfaces", lambda: {"lo": "127.0.0.1", "eth7": ""})
    with pytest.raises(RobotError, match="interface eth7: an IPv4 address; found none; valid: .*ip addr add"):
        robot_of(LeggedPeer(), interface="eth7")


def test_unknown_options_and_other_robots_are_refused() -> None:
    with pytest.raises(SchemaError, match="colour: unknown key"):
        unitree_legged.create(GO1, {"colour": "red"})
    with pytest.raises(RobotError, match="a robot of the legged SDK; found g1 with"):
        robot_of(LeggedPeer(), load_robot_spec("g1"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_malformed_command_is_refused_whole(value: float) -> None:
    with LeggedPeer() as peer:
        robot = robot_of(peer, armed=True)
        bad = command().joint_pos.copy()
        bad[4] = value
        with pytest.raises(RobotError, match="not finite for FL_thigh_joint"):
            robot.write(command(joint_pos=bad))
        with pytest.raises(RobotError, match="stiffness that the record holds; found 2000"):
            robot.write(command(stiffness=np.full(N, 2000.0)))
        time.sleep(0.05)
        robot.close()
    assert driven(peer) == []


def test_bad_packets_between_good_ones_are_counted_and_change_nothing() -> None:
    def answer(tick: int, _: bytes) -> list[bytes]:
        good = state_packet(tick + 100, [0.5])
        older = state_packet(tick + 50, [9.0])
        return [good, good, older, state_packet(tick + 101, [9.0], spoil=3), good[:400], good + b"xx", b""]

    with LeggedPeer(answer) as peer:
        robot = robot_of(peer, armed=True)
        counts = {}
        for _ in range(3):
            robot.write(None)
            time.sleep(0.03)
            assert robot.read(wait_until).joint_pos[0] == 0.5
            counts = robot.report()["packets"]
        robot.close()
    assert counts["valid"] >= 4
    assert counts["repeated"] == counts["older"] == counts["crc"] == counts["valid"]
    assert counts["size"] == 3 * counts["valid"]


def test_a_robot_that_was_started_anew_is_heard_again(patient: None) -> None:
    def answer(tick: int, _: bytes) -> list[bytes]:
        return [state_packet(50_000 + tick if tick < 20 else tick, [float(tick)])]

    with LeggedPeer(answer) as peer:
        robot = robot_of(peer, armed=True)
        seen = [robot.read(wait_until).joint_pos[0] for _ in range(40) if robot.write(None) is None]
        counts = robot.report()["packets"]
        robot.close()
    assert counts["older"] == unitree_legged_link.RESTART - 1
    assert seen == sorted(seen)
    assert seen[-1] > 30


def test_the_tick_may_wrap_around(patient: None) -> None:
    with LeggedPeer(lambda tick, _: [state_packet((2**32 - 3 + tick) % 2**32, [float(tick)])]) as peer:
        robot = robot_of(peer, armed=True)
        for _ in range(10):
            robot.write(None)
            robot.read(wait_until)
        assert "older" not in robot.report()["packets"]
        robot.close()


def test_lost_answers_are_asked_for_again_and_counted(patient: None) -> None:
    """Every third record is not answered: a robot that only answers would else stay silent for good."""
    with LeggedPeer(lambda tick, _: [] if tick % 3 == 0 else [state_packet(tick)]) as peer:
        robot = robot_of(peer, armed=True)
        for _ in range(60):
            robot.write(command())
            robot.read(wait_until)
        assert robot.missed >= 15
        robot.close()


def test_a_robot_that_falls_silent_is_an_error_and_may_come_back() -> None:
    silent = [False]
    with LeggedPeer(lambda tick, _: [] if silent[0] else [state_packet(tick)]) as peer:
        robot = robot_of(peer, armed=True)
        robot.read(wait_until)
        silent[0] = True
        begun = time.monotonic()
        with pytest.raises(RobotError, match=r"a state within 50 ms; found no answer to \d+ records"):
            for _ in range(3):  # a state or two may still be on their way
                robot.read(wait_until)
        assert 0.05 <= time.monotonic() - begun < 0.5
        silent[0] = False
        robot.write(None)
        time.sleep(0.05)
        robot.read(wait_until)
        robot.close()


def test_each_state_is_given_once(patient: None) -> None:
    with LeggedPeer() as peer:
        robot = robot_of(peer, armed=True)
        stamps = []
        for _ in range(20):
            robot.write(None)
            stamps.append(robot.read(wait_until).stamp_ns)
        robot.close()
    assert all(later > earlier for earlier, later in zip(stamps, stamps[1:], strict=False))


def test_strangers_are_not_heard() -> None:
    with LeggedPeer() as peer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        robot = robot_of(peer, armed=True)
        stranger.sendto(state_packet(999, [3.0]), peer.client)
        time.sleep(0.05)
        robot.write(None)
        time.sleep(0.02)
        assert robot.read(wait_until).joint_pos[0] == 0.0
        assert "size" not in robot.report()["packets"]
        robot.close()


def test_health_is_what_the_record_says() -> None:
    with LeggedPeer(lambda tick, _: [state_packet(tick, temperature=61)]) as peer:
        robot = robot_of(peer, armed=True)
        health, report = robot.health(), robot.report()
        robot.close()
    assert isinstance(robot, TellsHealth)
    assert health.motor_temperature is not None
    assert health.motor_temperature.tolist() == [61.0] * N
    assert health.motor_lost is None
    assert health.battery == Battery(0.77, 40.0, -1.5, 28.0, (4.0,) * 10)
    assert health.remote == Remote((-0.5, 0.25, 0.0, 0.0, 0.0, 0.0), frozenset({"start", "south"}))
    assert (report["dry_run"], report["taking_control"]) == (False, "")
    assert (report["imu_temperature"], report["battery_status"]) == (40, 3)


def test_the_safety_file_is_no_looser_than_the_robot() -> None:
    limits = load_safety("go1", GO1)
    assert (limits.torque <= GO1.effort_limit).all()
    assert (limits.target_vel <= GO1.joint_vel_limit).all()


def test_five_hundred_times_a_second(patient: None) -> None:
    """Against a peer in a process of its own: the period on average, and a bound on the rest for a busy machine."""
    script = Path(__file__).parents[1] / "helpers" / "legged_peer.py"
    peer = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert peer.stdout is not None
        port = int(peer.stdout.readline())
        options = {"interface": "lo", "address": "127.0.0.1", "port": port, "local_port": 0, "armed": True}
        robot = unitree_legged.create(GO1, options)
        stamps, asked = [], command()
        for _ in range(1000):
            stamps.append(robot.read(wait_until).stamp_ns)
            robot.write(asked)
        robot.close()
    finally:
        peer.kill()
        peer.wait()
    periods = np.diff(stamps) / 1e6
    assert np.median(periods) == pytest.approx(2.0, abs=0.3)
    assert np.mean(periods) < 4.0


def test_what_the_system_refuses_to_send_is_one_line() -> None:
    """A record that no datagram can hold, as an error that is no network's being away."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        link = unitree_legged_link.Link("lo", "127.0.0.1", peer.getsockname()[1], 0)
        with pytest.raises(RobotError, match="UDP: writing a command to 127.0.0.1.*: Message too long"):
            link.send(bytes(70_000))
        link.close()
