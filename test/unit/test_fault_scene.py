"""A scene of the fault campaign: what it would start, and the way to a mode. No process is started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from robot_policies.exceptions import RobotError
from sim2real.faults.kind import Setup
from sim2real.faults.scene import Scene


def test_the_robot_gets_its_door_and_the_policy_its_relay(tmp_path: Path) -> None:
    stage = Scene("mujoco", Setup(relay="command"), 3, tmp_path)
    robot, policy = (process for process in stage._simulated() if process.name in ("robot_node", "policy_node"))
    assert robot.parameters["backend"] == "mujoco_faults" and robot.parameters["options.seed"] == 3
    assert robot.parameters["options.log"] == str(stage.log) and int(robot.parameters["options.control"]) > 0
    assert stage._remapped(policy) == ["-r", "joint_command:=relayed/joint_command"]
    assert stage._remapped(robot) == []
    with pytest.raises(RobotError, match="granted; valid: refused"):
        stage.refused("the lease", True)


def test_a_policy_that_sees_has_a_camera_a_blind_one_and_the_relay_between(tmp_path: Path) -> None:
    stage = Scene("mujoco", Setup(relay="image"), 0, tmp_path, "go2_parkour")
    made = {process.name: process for process in stage._simulated()}
    assert {"robot_node", "policy_node", "depth_camera_node"} <= set(made)
    assert made["policy_node"].parameters["companion"] == "go2_walk"
    assert stage._remapped(made["policy_node"]) == ["-r", "depth/image_rect:=relayed/depth/image_rect"]
    plain = {process.name for process in Scene("mujoco", Setup(), 0, tmp_path)._simulated()}
    assert "depth_camera_node" not in plain


class FakeOperator:
    """A robot that does what it is asked; ``did`` says in which order."""

    def __init__(self, mode: str) -> None:
        self.mode, self.did, self.velocity, self.modes = mode, list[str](), None, [(1.0, "active")]

    def stand_up(self) -> None:
        self.did.append("stand_up")
        self.mode = "stand"

    def activate_again(self) -> None:
        self.did.append("activate")
        self.mode = "active"

    def watch(self, seconds: float) -> None:
        self.did.append("watch")


@pytest.mark.parametrize(
    ("found", "wanted", "did"),
    [
        ("landing:damping", "active", ["place", "stand_up", "activate", "watch"]),
        ("landing:sit", "stand", ["place", "stand_up", "watch"]),
        ("active", "active", ["watch"]),
        ("stand", "active", ["activate", "watch"]),
        ("active", "stand", ["stand_up", "watch"]),
    ],
)
@pytest.mark.parametrize("door", [True, False], ids=["door", "namespace"])
def test_the_way_to_a_mode_begins_where_the_last_fault_left_the_robot(
    tmp_path: Path, found: str, wanted: str, did: list[str], door: bool
) -> None:
    stage = Scene("mujoco", Setup(), 0, tmp_path)
    operator = FakeOperator(found)
    stage.operator, stage._configured = operator, True  # type: ignore[assignment]
    if door:
        stage._doors["robot"] = SimpleNamespace(do=lambda verb, **numbers: operator.did.append(verb))  # type: ignore[assignment]
    stage.reach(wanted)
    assert operator.did == [each for each in did if door or each != "place"]
    assert (operator.mode, operator.velocity) == (wanted, 0.5 if wanted == "active" else None)


def test_scenes_of_two_parts_are_on_domains_of_their_own(tmp_path: Path) -> None:
    one, other = (Scene("wire", Setup(), 0, tmp_path, number=number) for number in (4, 5))
    assert (one._domain, one._wire_domain) != (other._domain, other._wire_domain)
    assert {each._domain for each in (one, other)}.isdisjoint({each._wire_domain for each in (one, other)})
