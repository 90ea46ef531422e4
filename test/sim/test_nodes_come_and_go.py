"""Nodes that are started again, robots of other kinds, namespaces, and policies that read an estimator's odometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.bundles import contract_of, make_bundle
from helpers.stack import ACTIVATE, CLEANUP, DEACTIVATE, POLICY, ROBOT, Stack, standing_bundle
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState

from robot_policies.nodes.runtime import RELIABLE
from robot_policies.robot_spec import load_robot_spec

pytestmark = pytest.mark.slow

GO2, G1 = load_robot_spec("go2"), load_robot_spec("g1")


def reads_odometry(folder: Path) -> Path:
    """Write a bundle whose first observation is the base's linear velocity."""
    contract: dict[str, Any] = contract_of(GO2)
    contract["observations"]["policy"]["terms"].insert(0, {"term": "base_lin_vel", "size": 3})
    contract["networks"][0]["inputs"][0]["shape"][1] += 3
    contract["action"]["scale"] = 0.01
    changes = {key: contract[key] for key in ("observations", "networks", "action")}
    make_bundle(folder, GO2, **changes)
    return folder


def restarted(stack: Stack, *parameters: str) -> None:
    """Kill the robot node, start it again and wait until the new one speaks."""
    stack.robot.kill()
    stack.robot.wait()
    said = len(stack.told("robot_node"))
    stack.robot = stack.start(ROBOT, *parameters)
    assert stack.probe.until(lambda: len(stack.told("robot_node")) > said)


def tripped(stack: Stack) -> list[str]:
    """Return what tripped; while disarmed a busy machine may stall, which trips nothing that counts."""
    return [trip["name"] for trip in stack.values()["trips"] if trip["mode"] != "disarmed"]


@pytest.mark.parametrize("clock", ["real", "lockstep"])
def test_a_robot_node_that_is_started_again_needs_no_new_policy_node(tmp_path: Path, clock: str) -> None:
    """In lockstep the clock of the new one begins anew, far behind the old one's."""
    bundle = standing_bundle(tmp_path / "standing", GO2)
    robot = ("backend:=mock", f"clock:={clock}", "speed:=1.0", f"use_sim_time:={str(clock == 'lockstep').lower()}")
    with Stack(*robot) as stack:
        stack.start(POLICY, f"policy:={bundle}", robot[-1])
        stack.stand()
        stack.activate()
        stack.probe.spin(2.0)
        restarted(stack, *robot)
        assert "disarmed" in stack.until("active", False, "policy_node")["message"]
        stack.stand()
        assert stack.change(ACTIVATE)
        stack.until("mode", "active")
        before = stack.values("policy_node")["ticks"]
        assert stack.probe.until(lambda: stack.values("policy_node")["ticks"] > before + 50, 10.0)
        assert stack.values()["mode"] == "active" and tripped(stack) == []


def test_a_policy_that_reads_the_linear_velocity_gets_it_from_odom(tmp_path: Path) -> None:
    bundle = reads_odometry(tmp_path / "odometry")
    with Stack("backend:=mock") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        stack.stand()
        stack.activate()
        policy = stack.until("active", True, "policy_node")
        stack.probe.spin(1.5)
        policy = stack.values("policy_node")
        assert policy["ticks"] > 50 and policy["malformed_states"] == 0
        assert stack.values()["mode"] == "active" and stack.values()["refusals"] == {}


def test_a_policy_node_that_was_cleaned_up_runs_again(tmp_path: Path) -> None:
    bundle = standing_bundle(tmp_path / "standing", GO2)
    with Stack("backend:=mock") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        stack.stand()
        for _ in range(2):
            stack.activate()
            assert stack.change(DEACTIVATE)
            stack.until("mode", "stand")
            stack.until("ready", True)
            assert stack.change(CLEANUP)
        assert tripped(stack) == []


def test_a_humanoid_without_a_model_stands_and_is_commanded(tmp_path: Path) -> None:
    bundle = standing_bundle(tmp_path / "standing_g1", G1)
    with Stack("robot:=g1", "backend:=mock") as stack:
        stack.start(POLICY, "robot:=g1", f"policy:={bundle}")
        stack.stand()
        sent = stack.sent[-1][1]
        assert tuple(sent.name) == G1.joint_names
        np.testing.assert_allclose(sent.position, G1.poses["stand"], atol=1e-3)  # the last heard may be a cycle old
        stack.activate()
        stack.probe.spin(1.0)
        assert stack.values()["mode"] == "active" and tripped(stack) == []


def test_namespace_and_frame_prefix_reach_every_topic_and_frame(tmp_path: Path) -> None:
    bundle = standing_bundle(tmp_path / "standing", GO2)
    with Stack("backend:=mock", "frame_prefix:=left/", namespace="fleet/left") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        heard = {
            topic: stack.probe.hear(kind, topic)
            for topic, kind in (("imu/data", Imu), ("joint_states", JointState), ("odom", Odometry))
        }
        stack.stand()
        stack.activate()
        told = stack.values()
        assert told["lease"] == "/fleet/left/policy_node"
        assert heard["imu/data"][-1][1].header.frame_id == f"left/{GO2.imu_frame}"
        assert heard["joint_states"][-1][1].header.frame_id == f"left/{GO2.base_frame}"
        odometry = heard["odom"][-1][1]
        assert (odometry.header.frame_id, odometry.child_frame_id) == ("left/odom", f"left/{GO2.base_frame}")
        names = {name for name, _ in stack.probe.node.get_topic_names_and_types()}
        ours = {name for name in names if name not in ("/parameter_events", "/rosout", "/diagnostics")}
        assert all(name.startswith("/fleet/left/") for name in ours), ours


def test_an_estop_in_lockstep_lands_and_time_goes_on(tmp_path: Path) -> None:
    """Nobody answers states any more, so nothing may wait for an answer."""
    bundle, clock = standing_bundle(tmp_path / "standing", GO2), "use_sim_time:=true"
    with Stack("backend:=mock", "clock:=lockstep", clock) as stack:
        stack.start(POLICY, f"policy:={bundle}", clock)
        stack.stand()
        stack.activate()
        assert stack.ask("estop").success
        stack.until("mode", "landing:damping")
        stack.until("active", False, "policy_node")
        cycles = stack.values()["cycles"]
        assert stack.probe.until(lambda: stack.values()["cycles"] > cycles + 400, 15.0)
        assert stack.robot.poll() is None


def test_a_command_with_other_joints_is_refused_whole_and_lands(tmp_path: Path) -> None:
    bundle = standing_bundle(tmp_path / "standing", GO2)
    with Stack("backend:=mock") as stack:
        stack.start(POLICY, f"policy:={bundle}")
        stack.stand()
        publisher = stack.probe.node.create_publisher(JointState, "joint_command", RELIABLE)
        assert stack.probe.until(lambda: publisher.get_subscription_count() > 0)
        count = len(GO2.joint_names)
        names = ["tail_joint", *GO2.joint_names[1:]]
        message = JointState(name=names, position=[0.0] * count, velocity=[0.0] * count, effort=[0.0] * count)
        publisher.publish(message)
        assert stack.probe.until(lambda: "tail_joint" in stack.values()["last_refusal"], 5.0)
        assert stack.values()["mode"] == "stand"  # nobody commands: nothing to end
        stack.activate()
        publisher.publish(message)  # a stranger's: counted, no more
        stack.probe.spin(0.7)
        assert stack.values()["mode"] == "active" and stack.values()["refusals"]["command_profile"] >= 1
        message.header.frame_id = stack.values()["gain_profile"]
        publisher.publish(message)
        told = stack.until("mode", "landing:damping")
        assert [trip["name"] for trip in told["trips"]] == ["command_invalid"] and "tail_joint" in told["message"]
