"""What a policy can do wrong, and how far it may lean, on the topics of a robot node in a process of its own.

In lockstep, so that nothing here depends on how busy the machine is; silence, which needs real time, is tested with the
robot node.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy")

from helpers.distribution import install_robot
from helpers.node_process import ROOT
from helpers.stack import Stack
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from robot_policies.nodes.runtime import RELIABLE
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
STAND = SPEC.poses["stand"].tolist()
GAINS = {"name": "t/0", "stiffness": [40.0] * 12, "damping": [1.0] * 12}

# The mock, leaning by the angle [rad] that a file says.
MODULE = """
import dataclasses, math, os
import numpy as np
from robot_policies.robots.mock import create as upright


class Leaning:
    def __init__(self, inner):
        self.inner, self.spec = inner, inner.spec
        self.now_ns, self.write, self.close = inner.now_ns, inner.write, inner.close

    def read(self, wait):
        with open(os.environ["LEAN_FILE"]) as file:
            half = float(file.read() or 0) / 2
        turned = np.array([math.cos(half), math.sin(half), 0.0, 0.0])
        return dataclasses.replace(self.inner.read(wait), base_quat_wxyz=turned)


def create(spec, options):
    return Leaning(upright(spec, options))
"""


class Commander:
    """Holds the lease and answers every state with ``targets`` while it is on."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.targets, self.on = stack, list(STAND), False
        node = stack.probe.node
        self._publisher = node.create_publisher(JointState, "joint_command", RELIABLE)
        node.create_subscription(JointState, "joint_states", self._answer, 10)
        self._lease = node.create_client(SetParametersAtomically, "command_lease")
        self._gains = node.create_client(SetParametersAtomically, "robot_node/set_parameters_atomically")
        assert stack.probe.until(lambda: self._publisher.get_subscription_count() > 0)

    def take(self, tilt: float = 0.0) -> None:
        self._set(self._gains, **{f"gain_profile.{key}": value for key, value in GAINS.items()})
        self.targets, self.on = list(STAND), True
        self._set(self._lease, holder="/me", control_dt_ns=20_000_000, gain_profile="t/0", tilt=tilt)
        self.stack.until("mode", "active")

    def give_back(self, error: str = "") -> None:
        self._set(self._lease, holder="/me", release=True, error=error)

    def _set(self, client: Any, **values: Any) -> None:
        named = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        result = self.stack.call(client, SetParametersAtomically.Request(parameters=named)).result
        assert result.successful, result.reason

    def _answer(self, state: JointState) -> None:
        if self.on:
            command = JointState(name=list(SPEC.joint_names), position=self.targets)
            command.velocity = command.effort = [0.0] * 12
            command.header.stamp, command.header.frame_id = state.header.stamp, "t/0"
            self._publisher.publish(command)


@pytest.fixture
def lean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the leaning robot as another distribution; return the file that holds its angle."""
    install_robot(monkeypatch, tmp_path, "leaning", MODULE)
    angle = tmp_path / "angle"
    angle.write_text("0")
    monkeypatch.setenv("LEAN_FILE", str(angle))
    return angle


@contextmanager
def standing(backend: str, *parameters: str) -> Iterator[tuple[Stack, Commander]]:
    with Stack(f"backend:={backend}", "clock:=lockstep", *parameters) as stack:
        commander = Commander(stack)
        stack.stand()
        yield stack, commander


def landed(stack: Stack, trip: str, landing: str, said: str) -> None:
    """Wait for the trip with its landing; then the way back: reset, and the robot stands again."""
    told = stack.until("latched", [trip])
    (latest,) = told["trips"][-1:]
    assert (latest["name"], latest["mode"], latest["landing"]) == (trip, "active", landing)
    assert said in latest["detail"] and told["level"] == b"\x02" and f"{trip}: " in told["message"]
    assert not stack.ask("stand").success  # latched
    stack.until("mode", "landing:damping")  # where a sit ends too
    assert stack.probe.until(lambda: stack.sent[-1][1].header.frame_id == "damping", 5.0)
    assert stack.ask("reset").success
    stack.until("mode", "damping")
    assert stack.ask("stand").success
    stack.until("ready", True)


def test_what_the_lease_holder_does_wrong_trips_lands_and_goes_with_reset() -> None:
    with standing("mock") as (stack, commander):
        commander.take()
        commander.targets[3] = 50.0  # clamped, counted and reported, and after half a second no longer tolerated
        landed(stack, "clamping", "sit", "FL_hip_joint clamped for 100 cycles on end")
        assert stack.values()["clamps"]["joint_pos FL_hip_joint"] >= 100
        assert max(sent.position[3] for _, sent in stack.sent) <= SPEC.joint_upper[3] + 1.0 + 1e-9
        commander.take()
        commander.targets[5] = float("nan")  # refused whole
        landed(stack, "command_invalid", "damping", "joint_pos: a value that is not finite")
        assert stack.values()["refusals"]["command_not_finite"] >= 1
        commander.take()
        commander.give_back("the camera is gone")
        landed(stack, "policy", "sit", "the camera is gone")
        names = [trip["name"] for trip in stack.values()["trips"]]
        assert names == ["clamping", "command_invalid", "policy"]


def test_a_safety_file_may_hold_and_reset_goes_on_standing(tmp_path: Path) -> None:
    data = yaml.safe_load((ROOT / "config" / "safety" / "go2.yaml").read_text(encoding="utf-8"))
    data["landings"]["policy"]["active"] = "hold"
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(data), encoding="utf-8")
    with standing("mock", f"safety:={mine}") as (stack, commander):
        commander.take()
        commander.give_back("the camera is gone")
        told = stack.until("mode", "landing:hold")
        assert told["latched"] == ["policy"]
        held = stack.sent[-1][1]
        stack.probe.spin(0.3)
        assert stack.sent[-1][1].position == held.position  # where it was, stiff
        assert stack.sent[-1][1].header.frame_id == "stand"
        assert stack.ask("reset").success
        stack.until("ready", True)
        assert stack.values()["mode"] == "stand"
        commander.take()  # re-armed: the next policy commands


def test_a_policy_leans_as_far_as_its_lease_says_and_trips_beyond(lean: Path) -> None:
    with standing("leaning") as (stack, commander):
        commander.take(tilt=1.2)
        lean.write_text("1.15")
        cycles = stack.values()["cycles"] + 200  # one second
        assert stack.probe.until(lambda: stack.values()["cycles"] > cycles, 20.0)
        assert (stack.values()["mode"], stack.values()["latched"]) == ("active", [])
        assert stack.values()["max_tilt_rad"] == pytest.approx(1.15, abs=0.01)
        lean.write_text("1.25")
        told = stack.until("mode", "landing:damping")
        assert told["trips"][-1]["detail"] == "1.25 rad; limit 1.2 rad"
        # With the lease the allowance ended.
        assert stack.probe.until(lambda: "found tilt: 1.25 rad; limit 1 rad" in stack.ask("reset").message, 5.0)
        lean.write_text("0")
        assert stack.probe.until(lambda: stack.ask("reset").success, 10.0)
