"""The Go1 driver towards a peer on the loopback interface, and commands to send."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from helpers.legged_peer import LeggedPeer, read_command

from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.robots import unitree_legged
from robot_policies.types import JointCommand

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
