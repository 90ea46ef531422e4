"""The robot node as a user starts it, asked through its topics, services and parameters."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.node_process import free_domain, run_to_end
from helpers.stack import ROBOT, Stack
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String

from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.runtime import LATCHED, RELIABLE
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One robot node for the tests that leave it as they found it: standing."""
    with Stack("robot:=go2", "options.seed:=3") as stack:
        stack.stand()
        yield stack


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("robott:=go2", ("robott", "frame_prefix", "robot,")),
        ("robot:=go9", ("go9", "g1, go1, go2")),
        ("backend:=gazebo9", ("gazebo9", "mock", "mujoco")),
        ("safety:=nowhere", ("nowhere", "go2")),
        ("clock:=lunar", ("lunar", "real, lockstep")),
        ("speed:=-1.0", ("-1.0",)),
        ("options.sed:=1", ("sed", "unknown key")),
        ("options.terrain:=moon", ("moon", "flat")),
        ("speed:=fast", ("speed", "DOUBLE")),
    ],
)
def test_a_wrong_parameter_is_one_line_and_code_2(parameter: str, words: tuple[str, ...]) -> None:
    done = run_to_end(ROBOT, free_domain(), parameter)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in done.stderr
    assert all(word in errors[0] for word in words), errors[0]


def test_a_state_is_three_parts_with_one_stamp_at_200_hz(stack: Stack) -> None:
    probe = stack.probe
    kinds = {"imu/data": Imu, "foot_contacts": JointState, "joint_states": JointState}
    parts = {topic: probe.hear(kind, topic) for topic, kind in kinds.items()}
    probe.spin(1.5)
    stamps = {topic: [to_ns(message.header.stamp) for _, message in heard] for topic, heard in parts.items()}
    common = set.intersection(*(set(values) for values in stamps.values()))
    assert len(common) > 200  # depth 1 on a busy machine loses some
    steps = np.diff(stamps["joint_states"])
    assert np.median(steps) == 5_000_000 and all(step % 5_000_000 == 0 for step in steps)
    assert abs(stamps["joint_states"][-1] - time.time_ns()) < 1_000_000_000  # system time
    message = parts["joint_states"][-1][1]
    assert tuple(message.name) == SPEC.joint_names
    assert np.abs(np.array(message.position) - SPEC.poses["stand"]).max() < 0.2  # it stands
    feet = parts["foot_contacts"][-1][1]
    assert tuple(feet.name) == SPEC.feet and 100.0 < sum(feet.effort) < 200.0  # [N], about 15 kg
    imu = parts["imu/data"][-1][1]
    assert abs(imu.linear_acceleration.z - 9.81) < 0.5 and imu.orientation.w > 0.99


def test_the_description_is_a_urdf_of_this_robot(stack: Stack) -> None:
    heard = stack.probe.hear(String, "robot_description", LATCHED)
    assert stack.probe.until(lambda: heard)
    assert heard[0][1].data.startswith("<?xml") or heard[0][1].data.startswith("<robot")
    assert all(f'name="{joint}"' in heard[0][1].data for joint in SPEC.joint_names)


def rogue(stack: Stack, profile: str) -> None:
    publisher = stack.probe.node.create_publisher(JointState, "joint_command", RELIABLE)
    assert stack.probe.until(lambda: publisher.get_subscription_count() > 0)
    message = JointState(name=list(SPEC.joint_names), position=[1.0] * 12, velocity=[0.0] * 12, effort=[0.0] * 12)
    message.header.frame_id = profile
    set_stamp(message.header.stamp, time.time_ns())
    for _ in range(5):
        publisher.publish(message)
        stack.probe.spin(0.05)
    stack.probe.node.destroy_publisher(publisher)


def test_a_command_without_a_lease_is_refused_and_reported(stack: Stack) -> None:
    before = sum(stack.values()["refusals"].values())
    rogue(stack, "go2_walk/0123456789ab")
    stack.probe.spin(0.7)
    after = stack.values()
    assert sum(after["refusals"].values()) >= before + 5
    assert "lease" in after["last_refusal"] and after["mode"] == "stand"
    assert np.abs(np.array(stack.sent[-1][1].position) - SPEC.poses["stand"]).max() < 0.01  # nothing of it went out


def parameters(stack: Stack, **values: object) -> tuple[bool, str]:
    client = stack.probe.node.create_client(SetParametersAtomically, "robot_node/set_parameters_atomically")
    named = [Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()]
    result = stack.call(client, SetParametersAtomically.Request(parameters=named)).result
    return result.successful, result.reason


def lease(stack: Stack, **values: object) -> tuple[bool, str]:
    client = stack.probe.node.create_client(SetParametersAtomically, "command_lease")
    named = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    result = stack.call(client, SetParametersAtomically.Request(parameters=named)).result
    return result.successful, result.reason


def test_gains_are_taken_whole_and_within_the_safety_file(stack: Stack) -> None:
    good = {"gain_profile__name": "t/0", "gain_profile__stiffness": [20.0] * 12, "gain_profile__damping": [0.5] * 12}
    for wrong, words in (
        ({"gain_profile__name": "t/0"}, "whole"),
        ({**good, "gain_profile__stiffness": [20.0] * 11}, "12"),
        ({**good, "gain_profile__stiffness": [500.0] * 12}, "120"),
        ({**good, "gain_profile__damping": [float("nan")] * 12}, "finite"),
        ({"robot": "g1"}, "while running"),
    ):
        ok, reason = parameters(stack, **wrong)
        assert not ok and words in reason, reason
    assert parameters(stack, **good)[0]
    ok, reason = parameters(stack, **{**good, "gain_profile__stiffness": [25.0] * 12})
    assert not ok and "another set" in reason  # one name, one set of gains


def test_a_lease_is_refused_with_its_reason(stack: Stack) -> None:
    terms = {"holder": "/me", "control_dt_ns": 20_000_000, "gain_profile": "never/accepted"}
    for wrong, words in (
        (terms, "never/accepted"),
        ({**terms, "holder": ""}, "holder"),
        ({"holder": "/me", "release": True}, "held by nobody"),
        ({"control_dt_ns": 20_000_000}, "holder"),
        ({**terms, "colour": "red"}, "colour"),
        ({**terms, "control_dt_ns": 10_000_000_000}, "watchdog"),
    ):
        ok, reason = lease(stack, **wrong)
        assert not ok and words in reason, reason
    assert stack.values()["mode"] == "stand"


def test_a_lease_without_commands_lands() -> None:
    with Stack("robot:=go2") as stack:
        stack.stand()
        gains = {"gain_profile__stiffness": [25.0] * 12, "gain_profile__damping": [0.5] * 12}
        assert parameters(stack, gain_profile__name="t/1", **gains)[0]
        assert lease(stack, holder="/me", control_dt_ns=20_000_000, gain_profile="t/1")[0]
        told = stack.until("mode", "landing:damping")
        assert [trip["name"] for trip in told["trips"]] == ["command_age"] and "command_age" in told["message"]
        assert not stack.ask("stand").success  # latched
        assert stack.ask("reset").success
        stack.until("mode", "damping")
        assert stack.ask("stand").success
        stack.until("ready", True)  # stands again, without a relaunch


def test_estop_beats_every_mode_and_reset_needs_no_relaunch() -> None:
    with Stack("robot:=go2") as stack:
        stack.stand()
        asked = time.monotonic()
        assert stack.ask("estop").success
        delay = stack.first_sent("damping", asked)
        assert delay is not None and delay < 0.1
        stack.until("mode", "landing:damping")
        for refused in ("stand", "arm"):
            assert "estop" in stack.ask(refused).message
        assert stack.ask("reset").success and stack.ask("stand").success
        stack.until("ready", True)


@pytest.mark.parametrize("pause", [0.0, 0.15])
def test_two_interrupts_end_in_damping_and_code_0(pause: float) -> None:
    with Stack("robot:=go2") as stack:
        stack.stand()
        stack.robot.send_signal(signal.SIGINT)
        begun = time.monotonic()
        time.sleep(pause)
        stack.robot.send_signal(signal.SIGINT)
        stack.probe.until(lambda: stack.robot.poll() is not None, 10.0)
        assert stack.robot.returncode == 0
        assert time.monotonic() - begun > 0.4  # it kept on sending
        stack.probe.spin(0.2)
        last = [sent.header.frame_id for _, sent in stack.sent[-20:]]
        assert set(last) == {"damping"} and stack.modes[-1][1].data == "damping"


def test_three_robots_side_by_side() -> None:
    domain = free_domain()
    with (
        Stack("options.seed:=1", namespace="a", domain=domain) as a,
        Stack(namespace="b", domain=domain) as b,
        Stack("backend:=mock", namespace="c", domain=domain) as c,
    ):
        for stack in (a, b, c):
            stack.stand()
        assert b.ask("estop").success
        b.until("mode", "landing:damping")
        a.probe.spin(0.7)
        c.probe.spin(0.7)
        assert a.values()["mode"] == c.values()["mode"] == "stand"
