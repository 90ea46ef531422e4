"""The Go1 driver against a peer on the loopback interface that answers each record: states, commands, refusals."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from helpers.legged_peer import LeggedPeer, read_command, state_packet
from helpers.legged_robot import GO1, N, command, driven, robot_of, settle, wait_until

from robot_policies.exceptions import RobotError
from robot_policies.robots import unitree_legged
from robot_policies.robots.robot import TellsHealth
from robot_policies.types import Battery, Remote


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


def test_an_interface_that_does_not_lead_there_and_a_port_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unitree_legged, "START_LIMIT", 0.1)
    peer = LeggedPeer()
    with pytest.raises(RobotError, match=r"robot at 192.0.2.1:\d+ through lo"):
        robot_of(peer, address="192.0.2.1", armed=True)
    with pytest.raises(RobotError, match="local_port: a free port; found .* is in use; valid: another one"):
        robot_of(peer, local_port=peer.port)


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
