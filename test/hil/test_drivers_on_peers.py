"""The driver of the legged SDK's robots and the peer, which were written apart; the Go2's is in test_demo_wire."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from helpers.firmware import PeerProcess, free_udp_port

from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots.unitree_legged_wire import STATE
from robot_policies.types import JointCommand, RobotState


def wait(due_ns: int) -> None:
    left = (due_ns - time.time_ns()) * 1e-9
    if left > 0.0:
        time.sleep(left)


def read(robot: Any) -> RobotState | None:
    """A busy machine may lose a state; the driver says so, and goes on."""
    try:
        return robot.read(wait)
    except RobotError:
        return None


def stand(robot: Any, seconds: float = 2.5) -> RobotState:
    """A ramp from the measured pose to the stand."""
    spec, still = robot.spec, np.zeros(12)
    begun, start, state = time.monotonic(), None, None
    while (passed := time.monotonic() - begun) < seconds:
        newest = read(robot)
        if newest is None:
            continue
        state = newest
        start = state.joint_pos if start is None else start
        target = start + min(passed / 1.5, 1.0) * (spec.poses["stand"] - start)
        gains = (spec.stand_stiffness, spec.stand_damping)
        robot.write(JointCommand(state.stamp_ns, target, still, still, *gains, "test/stand"))
    assert state is not None
    return state


def test_the_legged_driver_stands_its_robot_up(tmp_path: Path) -> None:
    from robot_policies.robots import unitree_legged

    port = free_udp_port()
    peer = PeerProcess("go1", "--port", str(port), log=tmp_path / "judge.jsonl")
    options = {"interface": "lo", "address": "127.0.0.1", "port": port, "local_port": free_udp_port(), "armed": True}
    robot = unitree_legged.create(load_robot_spec("go1"), options)
    try:
        state = stand(robot)
        packets, wire = robot.report()["packets"], robot.wire_log.take()
        told = peer.do("status")
        assert told["sample"]["position"][2] > 0.27
        assert set(told["commands"]) == {"taken"}
        assert np.abs(state.joint_pos - robot.spec.poses["stand"]).max() < 0.3
        last = {message.topic.name: message for message in wire}
        assert last["/udp/state"].number == packets["received"], "every datagram, either way"
        assert last["/udp/command"].number == packets["sent"]
        record = np.frombuffer(last["/udp/state"].data[16:], STATE, 1)[0]
        assert last["/udp/state"].stamp_ns == state.stamp_ns
        assert sorted(record["motors"]["pos"][:12]) == sorted(state.joint_pos.tolist())
    finally:
        robot.close()
        peer.close()
