"""The judge of the robot behind the wire: what it says was, and what was too much."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from helpers.firmware_board import SPEC, board, held, run

from sim2real.firmware.judge import Judge
from sim2real.firmware.readings import Refused


def test_placed_it_lies_at_rest_where_it_began() -> None:
    robot = board("")
    began = robot.body.truth().position
    run(robot, 0.5, held(SPEC.poses["stand"]))
    robot.body.tilt(1.4, 0.0)
    robot.body.push((1.0, 2.0, 0.0))
    run(robot, 0.1)
    robot.body.place()
    truth = robot.body.truth()
    np.testing.assert_allclose(truth.position, began, atol=1e-9)
    assert abs(truth.quat_wxyz[0]) > 0.99 and np.abs(robot.body.joint_vel).max() == 0.0
    assert np.abs(truth.lin_vel).max() < 1e-9
    run(robot, 0.5)
    assert np.abs(robot.body.joint_vel).max() < 0.1, "it lies, and nothing is thrown about"


def test_the_judge_says_what_was_and_what_was_too_much() -> None:
    robot, log = board("mcf"), io.StringIO()
    judge = Judge(robot, log)
    for tick in range(500):
        if tick == 100:
            robot.body.push((0.0, 0.0, 1.0))
            robot.body.data.qvel[6] = 45.0  # faster than the motor's rating
        robot.tick([])
        judge.tick()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    samples = [line for line in lines if line["kind"] == "sample"]
    assert [sample["t"] for sample in samples] == pytest.approx(np.arange(1, 51) * 0.02)
    broken = {limit for sample in samples for limit in sample["limits"]}
    assert broken and all(limit.startswith("joint_vel") for limit in broken)
    assert max(sample["joint_vel_max"] for sample in samples) > 30.0
    assert not any(sample["limits"] for sample in samples[:5])
    assert judge.limits and judge.newest == samples[-1]
    assert lines[0]["event"] == "mode"


@pytest.mark.parametrize(("motor", "beyond"), [(0, 0.05), (5, -0.05), (0, 0.0)])
def test_the_judge_sees_a_joint_in_its_stop(motor: int, beyond: float) -> None:
    robot = board()
    judge = Judge(robot, None)
    limit = SPEC.joint_lower if beyond < 0.0 else SPEC.joint_upper
    robot.body.data.qpos[7 + motor] = limit[motor] + beyond
    judge.tick()
    assert dict(judge.limits) == ({f"joint_pos {SPEC.joint_names[motor]}": 1} if beyond else {})


def test_the_judge_counts_commands_by_reason_and_writer() -> None:
    robot, log = board(), io.StringIO()
    judge = Judge(robot, log)
    taken, bad = held(), Refused("crc")
    kept = [judge.command(command, writer) for command, writer in ((taken, 1), (bad, 2), (bad, 2), (taken, 1))]
    assert kept == [(taken,), (), (), (taken,)]
    assert judge.commands == {"taken": 2, "crc": 2}
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["writer", "first_command", "writer", "first_command"]


def test_the_judge_tells_our_stiffness_from_that_of_a_rival() -> None:
    robot = board("mcf")
    judge = Judge(robot, None)
    damping = judge.command(held(stiffness=0.0), 1)
    for _ in range(20):
        robot.tick(damping)
        judge.tick()
    assert judge.newest["driven_by"] == "both" and judge.newest["asked_stiffness_max"] == 0.0
    judge.command(held(stiffness=60.0), 1)
    judge.command(Refused("crc"), 1)
    for _ in range(10):
        robot.tick(())
        judge.tick()
    assert judge.newest["asked_stiffness_max"] == 60.0


def test_a_judge_without_a_file_still_judges() -> None:
    robot = board()
    judge = Judge(robot, None)
    for _ in range(10):
        robot.tick([])
        judge.tick()
    assert judge.newest["driven_by"] == "nobody"
