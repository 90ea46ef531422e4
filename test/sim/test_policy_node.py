"""Policy and robot node in separate processes: activation, every way in which a policy is lost, and the way back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from geometry_msgs.msg import TwistStamped
from helpers.node_process import free_domain, run_to_end
from helpers.stack import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, POLICY, Stack, standing_bundle
from sensor_msgs.msg import JointState

from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.runtime import RELIABLE
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standing_bundle(tmp_path_factory.mktemp("bundles") / "standing", SPEC)


@pytest.fixture
def stack(bundle: Path) -> Iterator[Stack]:
    with Stack("robot:=go2") as stack:
        stack.policy = stack.start(POLICY, "robot:=go2", f"policy:={bundle}")
        stack.stand()
        yield stack


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("policy:=nowhere_walk", ("nowhere_walk",)),
        ("robot:=g1", ("g1", "go2")),  # a bundle for another robot
        ("polic:=go2_walk", ("polic", "policy")),
    ],
)
def test_a_wrong_parameter_is_one_line_and_code_2(bundle: Path, parameter: str, words: tuple[str, ...]) -> None:
    given = (parameter,) if parameter.startswith("policy:") else (f"policy:={bundle}", parameter)
    done = run_to_end(POLICY, free_domain(), *given)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_every_due_state_is_answered_under_the_lease(stack: Stack) -> None:
    probe = stack.probe
    commands = probe.hear(JointState, "joint_command")
    states = probe.hear(JointState, "joint_states")
    stack.activate()
    probe.spin(2.0)
    told = stack.values()
    assert told["lease"] == "/policy_node" and told["gain_profile"].startswith("tiny/")
    stamps = np.array([to_ns(message.header.stamp) for _, message in commands])
    assert len(stamps) > 60  # this process may lose some on a busy machine
    assert np.all((stamps - to_ns(states[0][1].header.stamp)) % 5_000_000 == 0)  # stamps of states, nothing else
    assert np.median(np.diff(stamps)) == 20_000_000
    assert {message.header.frame_id for _, message in commands} == {told["gain_profile"]}
    assert told["refusals"] == {} and told["latency_ms"]["p50"] > 0.05
    assert stack.change(DEACTIVATE)
    stack.until("mode", "stand")
    stack.until("ready", True)
    assert stack.values()["trips"] == []


def test_a_killed_policy_means_damping_on_the_wire_within_100_ms(stack: Stack) -> None:
    stack.activate()
    delays = []
    stack.probe.spin(1.0)
    killed = time.monotonic()
    stack.policy.kill()
    delays.append(stack.first_sent("damping", killed))
    told = stack.until("mode", "landing:damping")
    assert [trip["name"] for trip in told["trips"]] == ["command_age"]
    assert delays[0] is not None and delays[0] < 0.1
    assert told["lease"] == ""
    told_before = len(stack.told("policy_node"))
    stack.policy = stack.start(POLICY, *stack_arguments(stack))
    # The dead process's service still looks ready for a while, so wait until the new one speaks.
    assert stack.probe.until(lambda: len(stack.told("policy_node")) > told_before)
    assert stack.ask("reset").success and stack.ask("stand").success
    stack.until("ready", True)
    stack.activate()  # another process, the same robot node


def stack_arguments(stack: Stack) -> tuple[str, str]:
    line = stack.policy.args
    given = [part for part in line if ":=" in part]  # type: ignore[union-attr]
    return given[0], given[1]


def test_a_policy_that_hangs_is_lost_and_its_late_commands_are_refused(stack: Stack) -> None:
    stack.activate()
    os.kill(stack.policy.pid, signal.SIGSTOP)
    stack.until("mode", "landing:damping")
    os.kill(stack.policy.pid, signal.SIGCONT)
    stack.until("active", False, "policy_node")  # it hears that the robot has left active
    stack.probe.spin(0.7)
    assert stack.values()["mode"] == "landing:damping"
    assert stack.ask("reset").success and stack.ask("stand").success
    stack.until("ready", True)
    assert stack.change(ACTIVATE)  # the same process
    stack.until("mode", "active")


def test_nan_of_a_network_lands_says_why_and_can_start_again(tmp_path: Path) -> None:
    bundle = standing_bundle(tmp_path / "failing", SPEC, fails_after=60)
    with Stack("robot:=go2") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        stack.stand()
        stack.activate()
        told = stack.until("mode", "landing:sit")  # the safety file's landing of (policy, active)
        assert [trip["name"] for trip in told["trips"]] == ["policy"]
        assert "actor" in told["message"] and "finite" in told["message"]
        assert "finite" in stack.until("active", False, "policy_node")["message"]
        assert not stack.change(ACTIVATE)  # while the trip is latched
        assert stack.ask("reset").success and stack.ask("stand").success
        stack.until("ready", True)
        assert stack.change(ACTIVATE)
        stack.until("mode", "active")


def test_a_second_policy_gets_no_lease(stack: Stack, bundle: Path) -> None:
    stack.start(POLICY, f"policy:={bundle}", rest=("-r", "__node:=second"))
    stack.activate()
    assert stack.change(CONFIGURE, "second")
    assert not stack.change(ACTIVATE, "second")
    # It also says that it is not active while it is configured.
    heard = stack.probe.until(lambda: "/policy_node" in stack.values("second").get("message", ""), 20.0)
    assert heard, stack.values("second")
    assert stack.values()["lease"] == "/policy_node" and stack.values()["mode"] == "active"


def test_activation_before_the_robot_stands_is_refused_with_the_reason(bundle: Path) -> None:
    with Stack("robot:=go2") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        stack.probe.until(lambda: stack.values().get("cycles"), 20.0)
        assert stack.change(CONFIGURE)
        assert not stack.change(ACTIVATE)
        assert "start pose" in stack.values("policy_node")["message"]
        assert stack.change(CLEANUP) and stack.change(CONFIGURE)  # once more from the beginning
        stack.stand()
        assert stack.change(ACTIVATE)


def test_estop_takes_the_robot_from_the_policy(stack: Stack) -> None:
    stack.activate()
    asked = time.monotonic()
    assert stack.ask("estop").success
    delay = stack.first_sent("damping", asked)
    assert delay is not None and delay < 0.1
    assert [trip["name"] for trip in stack.until("mode", "landing:damping")["trips"]] == ["estop"]
    stack.until("active", False, "policy_node")


def test_a_strangers_commands_are_refused_and_the_policy_goes_on(stack: Stack) -> None:
    stack.activate()
    publisher = stack.probe.node.create_publisher(JointState, "joint_command", RELIABLE)
    assert stack.probe.until(lambda: publisher.get_subscription_count() > 0)
    joints = list(SPEC.joint_names)
    for names, profile in ((joints, "strange/000000000000"), (["nose"] * 12, "strange/000000000000"), (joints, "")):
        message = JointState(name=names, position=[0.5] * 12, velocity=[0.0] * 12, effort=[0.0] * 12)
        message.header.frame_id = profile
        set_stamp(message.header.stamp, time.time_ns())
        publisher.publish(message)
        stack.probe.spin(0.1)
    assert stack.probe.until(lambda: sum(stack.values()["refusals"].values()) >= 3, 3.0), stack.values()
    assert stack.values()["mode"] == "active" and stack.values()["trips"] == []


def test_a_malformed_velocity_command_is_refused_and_said_and_the_policy_goes_on(stack: Stack) -> None:
    stack.activate()
    publisher = stack.probe.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
    assert stack.probe.until(lambda: publisher.get_subscription_count() > 0)
    message = TwistStamped()  # no stamp: it counts from its receipt
    message.twist.linear.x = float("nan")
    publisher.publish(message)
    told = stack.until("refused_inputs", 1, "policy_node")
    assert "cmd_vel: finite numbers" in told["last_refusal"] and "nan" in told["last_refusal"]
    cycles = stack.values()["cycles"]
    assert stack.probe.until(lambda: stack.values()["cycles"] > cycles + 200, 20.0)
    assert stack.values()["mode"] == "active" and told["active"]


def test_a_transition_that_does_not_exist_does_not_end_the_node(stack: Stack) -> None:
    with pytest.raises(AssertionError, match="no answer"):
        stack.change(DEACTIVATE)  # of an unconfigured node
    stack.activate()
