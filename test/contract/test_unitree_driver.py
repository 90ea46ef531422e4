"""The Unitree driver against a peer on loopback that is made of the SDK's own classes, in a process of its own."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from helpers.safety import go2
from helpers.unitree_peer import SIT, PeerProcess

from robot_policies.exceptions import RobotError
from robot_policies.robots.unitree import UnitreeRobot, create
from robot_policies.types import JointCommand, RobotState, owned

pytest.importorskip("cyclonedds", reason="needs cyclonedds and unitree-sdk2py-dimos (robot_policies[unitree])")
from robot_policies.robots.unitree_wire import control  # noqa: E402

N = 12


def wait(due_ns: int) -> None:
    time.sleep(max(due_ns - time.time_ns(), 0) / 1e9)


@contextmanager
def opened(domain: int, spec: Any = None, **options: Any) -> Iterator[UnitreeRobot]:
    robot = create(spec or go2(), {"interface": "lo", "domain": domain, **options})
    try:
        yield robot
    finally:
        robot.close()


@contextmanager
def stage(armed: bool = False, spec: Any = None, **settings: Any) -> Iterator[tuple[UnitreeRobot, PeerProcess]]:
    domain = random.SystemRandom().randint(110, 220)  # beyond those of ROS tests
    with PeerProcess(domain, **settings) as peer, opened(domain, spec, armed=armed) as robot:
        yield robot, peer


def command(state: RobotState, **changes: Any) -> JointCommand:
    numbers = {key: owned(np.arange(N) * scale) for key, scale in SCALES.items()}
    return JointCommand(stamp_ns=state.stamp_ns, gain_profile="walk/0123456789ab", **{**numbers, **changes})


SCALES = {"joint_pos": 0.01, "joint_vel": -0.5, "joint_effort": 0.25, "stiffness": 5.0, "damping": 0.5}


def drive(
    robot: UnitreeRobot, seconds: float, send: bool = True, until: Callable[[], bool] = lambda: False
) -> RobotState:
    """Run cycles as the robot node does; a state that is lost on a busy machine is no failure here."""
    end = time.monotonic() + seconds
    while True:
        try:
            state = robot.read(wait)
        except RobotError:
            assert time.monotonic() < end + 5.0, "no state"
            continue
        robot.write(command(state) if send else None)
        if time.monotonic() > end or until():
            return state


def refusal(domain: int, **options: Any) -> str:
    with pytest.raises(RobotError) as error:
        create(go2(), {"interface": "lo", "domain": domain, "timeout": 1.0, **options})
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_dry_run_sends_nothing_but_the_mirror() -> None:
    with stage() as (robot, peer):
        state = drive(robot, 1.0)
        sent = command(state)
        assert robot.write(sent) is sent  # what would have been sent
        report = robot.report()
        assert (report["dry_run"], report["taking_control"], robot.health().rival) == (True, "", "")
        drive(robot, 0.2, send=False)
        got = peer.got()
        assert (got["commands"], got["bad"], got["calls"]) == (0, 0, [])
        assert got["mirror"] > 100


def test_states_come_whole_once_and_fresh() -> None:
    with stage(remote=[0x55, 0x51, 4, 2] + [0] * 36) as (robot, _):
        states = [drive(robot, 0.0) for _ in range(200)]
        stamps = np.diff([state.stamp_ns for state in states])
        assert (stamps > 0).all()
        assert abs(time.time_ns() - states[-1].stamp_ns) < 50e6
        assert robot.spec.state_rate == 500.0
        state, health = states[-1], robot.health()
        np.testing.assert_allclose(state.joint_pos, [0.0, 0.67, -1.3] * 4, atol=1e-6)
        np.testing.assert_array_equal(state.foot_force, [10, 11, 12, 13])
        assert health.motor_temperature is not None
        assert set(health.motor_temperature) == {35.0}
        assert health.battery is not None
        assert (health.battery.charge, health.battery.voltage, health.battery.current) == (0.8, 29.5, -2.5)
        assert health.remote is not None
        assert health.remote.pressed == {"start", "east"}


def test_control_is_taken_before_the_first_command_and_commands_are_as_the_robot_wants_them() -> None:
    with stage(armed=True) as (robot, peer):
        state = drive(robot, 0.0)
        assert robot.write(command(state)) is None  # not before the built-in controller was released
        assert "normal" in robot.health().rival or "not known" in robot.health().rival
        assert robot.report()["taking_control"]
        drive(robot, 15.0, until=lambda: robot.health().rival == "")
        assert robot.report()["taking_control"] == ""
        drive(robot, 1.0)
        got = peer.got()
        down_and_out = [
            ["motion_switcher", 1001],
            ["sport", 1005],
            ["motion_switcher", 1003],
            ["motion_switcher", 1001],
        ]
        assert got["calls"][:4] == down_and_out
        assert got["first_at"]["mode"] == ""
        assert got["first_at"]["calls"][:4] == down_and_out
        assert got["commands"] > 50
        assert got["bad"] == got["mirror"] == 0
        last = got["last"]
        assert (last["head"], last["level"], set(last["mode"])) == ([0xFE, 0xEF], 0xFF, {1})
        for key, name in (("q", "joint_pos"), ("dq", "joint_vel"), ("tau", "joint_effort"), ("kp", "stiffness")):
            np.testing.assert_allclose(last[key][:N], np.arange(N) * SCALES[name], atol=1e-4)
        np.testing.assert_allclose(last["kd"][:N], np.arange(N) * SCALES["damping"], atol=1e-4)
        assert (set(last["q"][N:]), set(last["dq"][N:])) == ({2.146e9}, {16000.0})  # not in use
        assert set(last["kp"][N:]) == set(last["kd"][N:]) == set(last["tau"][N:]) == {0.0}
        before = peer.got()["commands"]
        drive(robot, 0.3, send=False)
        assert peer.got()["commands"] <= before + 1  # disarmed: nothing
        peer.set(mode="normal")
        drive(robot, 5.0, until=lambda: robot.health().rival != "")
        assert robot.health().rival == "the built-in controller 'normal' was selected again"
        assert robot.report()["taking_control"] == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"answers": False}, "not known: motion_switcher says no answer within 1 s"),
        ({"obeys": False}, "the built-in controller 'normal': the robot does not lie still in the pose sit after 1 s"),
    ],
)
def test_a_robot_that_does_not_give_its_motors_gets_no_command(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(control, "LIE_NS", 1_000_000_000)
    with stage(armed=True, **settings) as (robot, peer):
        drive(robot, 10.0, until=lambda: said in robot.health().rival)
        assert robot.health().rival == said
        got = peer.got()
        assert got["commands"] == got["bad"] == 0
        assert ["motion_switcher", 1003] not in got["calls"]  # a robot that stands is never released


def test_a_free_robot_is_not_laid_down_and_taken_once_others_are_silent() -> None:
    with stage(armed=True, mode="", joint_pos=SIT, rival_sends=True) as (robot, peer):
        drive(
            robot, 3.0, until=lambda: robot._link.taken and robot.report()["taking_control"].startswith("commands of")
        )
        assert robot.report()["taking_control"].startswith("commands of ")
        peer.set(rival_sends=False, rival_writer=False)
        drive(robot, 5.0, until=lambda: robot.report()["taking_control"] == "")
        assert robot.report()["taking_control"] == ""
        assert ["sport", 1005] not in peer.got()["calls"]


def test_writers_and_messages_of_others_are_rivals() -> None:
    hardware = {**go2().hardware["unitree"], "allowed_writers": ["127.0.0.?"]}
    tolerant = dataclasses.replace(go2(), hardware={"unitree": hardware})
    with stage(armed=True, mode="", joint_pos=SIT) as (robot, peer):
        drive(robot, 5.0, until=lambda: robot.health().rival == "")
        assert robot.report()["command_writers"] == []  # our own is none
        peer.set(rival_writer=True)
        drive(robot, 3.0, until=lambda: robot.health().rival != "")
        assert robot.health().rival.startswith("a writer of commands that allowed_writers does not name: 127.0.0.1 ")
        peer.set(rival_sends=True)
        drive(robot, 3.0, until=lambda: robot.health().rival.startswith("commands of 127.0.0.1 "))
        assert robot.report()["foreign_commands"] > 0
        peer.set(rival_sends=False, rival_writer=False)
        drive(robot, 5.0, until=lambda: robot.health().rival == "")
    with stage(armed=True, spec=tolerant, mode="", joint_pos=SIT, rival_writer=True) as (robot, peer):
        drive(robot, 5.0, until=lambda: robot.health().rival == "" and bool(robot.report()["command_writers"]))
        assert len(robot.report()["command_writers"]) == 1  # allowed, as long as it is silent
        peer.set(rival_sends=True)
        drive(robot, 3.0, until=lambda: robot.health().rival != "")
        assert robot.health().rival.startswith("commands of ")


def test_a_dry_run_only_reports_rivals() -> None:
    with stage(rival_sends=True) as (robot, _):
        # A writer may be found before its first message comes.
        drive(robot, 3.0, until=lambda: robot.report()["rival"].startswith("commands of "))
        assert robot.report()["rival"].startswith("commands of ")
        assert robot.health().rival == ""


def lost(robot: UnitreeRobot) -> tuple[str, float]:
    """Read until an error comes; return it, and how long the last read took [s]."""
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            robot.read(wait)
        except RobotError as error:
            return str(error), time.monotonic() - begun
    raise AssertionError("no error")


@pytest.mark.parametrize(
    ("fault", "value", "healthy", "said"),
    [
        ("publish", False, True, "no new rt/lowstate for 50 ms"),
        ("frozen", True, False, "not newer than that of the last state"),
        ("bad_crc", True, False, "LowState: its checksum; found "),
    ],
)
def test_a_state_that_does_not_come_is_an_error_within_the_limit(
    fault: str, value: Any, healthy: Any, said: str
) -> None:
    with stage() as (robot, peer):
        drive(robot, 0.2)
        peer.set(**{fault: value})
        message, took = lost(robot)
        assert said in message
        assert 0.04 < took < 0.3
        assert robot.write(command(robot._state)) is not None  # damping goes on being sent, blindly
        begun = time.monotonic()
        for _ in range(20):
            with pytest.raises(RobotError):
                robot.read(wait)
        assert time.monotonic() - begun < 1.0  # not 50 ms each
        peer.set(**{fault: healthy})
        drive(robot, 2.0, until=lambda: True)
        assert robot.read(wait).stamp_ns > 0


def test_late_states_look_old_and_jumping_ticks_are_an_error() -> None:
    with stage() as (robot, peer):
        drive(robot, 1.0)
        peer.set(delay=0.15)
        end, oldest = time.monotonic() + 0.6, 0
        while time.monotonic() < end:
            try:
                state = robot.read(wait)
            except RobotError:
                continue  # nothing comes while the delay builds up
            oldest = max(oldest, time.time_ns() - state.stamp_ns)
        assert oldest > 130e6  # and not fresh, as on receipt
    with stage() as (robot, peer):
        drive(robot, 0.3)
        peer.set(jump=500)
        assert "LowState.tick: with this machine's clock" in lost(robot)[0]


def test_no_robot_or_another_one_is_one_line_with_what_to_do() -> None:
    domain = random.SystemRandom().randint(110, 220)  # beyond those of ROS tests
    assert refusal(domain) == (
        f"rt/lowstate in domain {domain} through lo within 1 s; found no other participant; valid: a robot that is "
        "switched on, the interface that its cable is in, an address in its network"
    )
    with PeerProcess(domain, another_kind=True):
        told = refusal(domain)
        assert "found a robot of another kind: unitree_hg::msg::dds_::LowState_ from 127.0.0.1" in told
    with PeerProcess(domain, motor_12=0.3) as peer:
        assert "a go2, of 12 motors; found a robot with motors [12] too" in refusal(domain, timeout=5.0)
        peer.set(motor_12=0.0)
        peer.set(joint_pos=[0.0] * 12)
        assert "FR_calf_joint 0.00 rad" in refusal(domain, timeout=5.0)
        peer.set(bad_crc=True)
        assert "found LowState: its checksum; found " in refusal(domain)
        got = peer.set(bad_crc=False)
        assert got["commands"] == got["bad"] == got["mirror"] == 0
        peer.set(joint_pos=SIT)
        with opened(domain, rate=250.0) as robot:
            stamps = np.diff([drive(robot, 0.0).stamp_ns for _ in range(100)])
            assert (stamps > 2.5e6).all()  # every second state
            assert refusal(domain).startswith(f"DDS domain {domain} on lo; found ")


def test_a_malformed_command_is_refused_and_nothing_is_sent() -> None:
    with stage() as (robot, peer):
        state = drive(robot, 0.1, send=False)
        with pytest.raises(RobotError, match="command: joint_pos; found not finite for FR_hip_joint"):
            robot.write(command(state, joint_pos=owned([float("nan")] + [0.0] * 11)))
        with pytest.raises(RobotError, match="shape"):
            robot.write(command(state, stiffness=owned(np.zeros(11))))
        drive(robot, 0.2, send=False)
        assert peer.got()["mirror"] == 0
