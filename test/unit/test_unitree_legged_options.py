"""What the Go1 driver refuses before anything is sent, and what its safety file allows."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.legged_peer import LeggedPeer
from helpers.legged_robot import GO1, robot_of

from robot_policies.exceptions import RobotError, SchemaError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots import unitree_legged
from robot_policies.robots.unitree_wire import interface
from robot_policies.safety.limits import load_safety


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


def test_an_interface_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interface, "interfaces", lambda: {"lo": "127.0.0.1", "eth7": ""})
    with pytest.raises(RobotError, match="interface eth7: an IPv4 address; found none; valid: .*ip addr add"):
        robot_of(LeggedPeer(), interface="eth7")


def test_unknown_options_and_other_robots_are_refused() -> None:
    with pytest.raises(SchemaError, match="colour: unknown key"):
        unitree_legged.create(GO1, {"colour": "red"})
    with pytest.raises(RobotError, match="a robot of the legged SDK; found g1 with"):
        robot_of(LeggedPeer(), load_robot_spec("g1"))


def test_the_safety_file_is_no_looser_than_the_robot() -> None:
    limits = load_safety("go1", GO1)
    assert (limits.torque <= GO1.effort_limit).all()
    assert (limits.target_vel <= GO1.joint_vel_limit).all()
