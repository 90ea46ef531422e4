"""Progress and steering: what a person sees meanwhile, and what an operator does."""

from __future__ import annotations

import io
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.bundles import standing
from helpers.offline import SPEC

from robot_policies.types import Mode, RobotRecord
from sim2real.evaluation import pool
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.schedule import Operator
from sim2real.evaluation.steering import steering
from sim2real.mujoco.robot import GroundTruth

JOB = Job("bundles/x", "go2", load_course("step"), 0.2, 0, 10.0, (0.5, 0.0, 0.0))
LEVEL = np.array([1.0, 0.0, 0.0, 0.0])


def fake(job: Job) -> Episode:
    failed = job.seed % 3 == 0
    return Episode(job.seed, not failed, ("fell at 1.00 s", "came to x 1 m") if failed else (), failed, {}, (), (), ())


@pytest.fixture(autouse=True)
def no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "run_episode", fake)


def jobs(count: int) -> list[Job]:
    return [replace(JOB, seed=seed) for seed in range(count)]


def test_episodes_come_back_in_the_order_of_their_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(jobs: list[Job], processes: int) -> list[tuple[int, Episode]]:
        return [(place, fake(jobs[place])) for place in reversed(range(len(jobs)))]

    monkeypatch.setattr(pool, "run_jobs", backwards)
    assert [episode.seed for episode in pool.collect(jobs(7), 2)] == list(range(7))


def test_without_a_terminal_there_is_a_line_for_each_episode(capsys: pytest.CaptureFixture[str]) -> None:
    pool.collect(jobs(3), 1)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 3
    assert lines[0].startswith("[1/3, 0 s] x, step 0.2, nominal, seed 0: fell at 1.00 s; came to x")
    assert lines[1].endswith("seed 1: ok")


def test_many_episodes_are_no_more_than_a_hundred_lines(capsys: pytest.CaptureFixture[str]) -> None:
    pool.collect(jobs(1051), 1)
    lines = capsys.readouterr().err.splitlines()
    assert 100 <= len(lines) <= 110
    assert lines[0].startswith("[10/1051") and lines[0].endswith("6 succeeded so far")
    assert lines[-1].startswith("[1051/1051")


def test_on_a_terminal_there_is_one_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    pool.collect(jobs(5), 1)
    text = screen.getvalue()
    assert "5/5" in text and "3 succeeded" in text and "fell" not in text


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures.process import BrokenProcessPool

    from robot_policies.exceptions import RobotError

    class Dead:
        def __init__(self, *_: object, **__: object) -> None: ...

        def submit(self, *_: object) -> None:
            raise BrokenProcessPool

        def shutdown(self, **_: object) -> None: ...

    monkeypatch.setattr(pool, "ProcessPoolExecutor", Dead)
    with pytest.raises(RobotError, match="one died; valid: fewer --jobs"):
        pool.collect(jobs(2), 2)


def at(y: float, yaw: float) -> GroundTruth:
    quat = np.array([math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)])
    return GroundTruth(0, np.array([3.0, y, 0.3]), quat, np.zeros(3), np.zeros(3), np.zeros(12), np.zeros(19), ())


@pytest.mark.parametrize(
    ("y", "yaw", "rate"),
    [(0.0, 0.0, 0.0), (0.0, 0.2, -0.1), (0.0, -0.2, 0.1), (1.5, 0.0, -math.pi / 8), (-1.5, 0.0, math.pi / 8),
     (1.5, -math.pi / 4, 0.0), (0.0, 3.0, -1.0), (0.0, -3.0, 1.0), (1.5, 3.0, 1.0)],
)  # fmt: skip
def test_an_operator_turns_the_robot_to_the_middle_line(y: float, yaw: float, rate: float) -> None:
    steer = steering(0.5, lambda: at(y, yaw))
    assert steer is not None and steer() == pytest.approx(rate, abs=1e-9)


def test_without_a_gain_nobody_steers() -> None:
    assert steering(0.0, lambda: at(1.0, 1.0)) is None


def test_what_the_operator_adds_goes_into_every_command() -> None:
    turns = iter([0.3, -0.2])
    operator = Operator((0.5, 0.1, 0.2), steer=lambda: next(turns))
    sent = []
    for cycle in range(20, 62):
        mode = {20: Mode.DISARMED, 21: Mode.DAMPING, 22: Mode.STAND}.get(cycle, Mode.ACTIVE)
        state = standing(SPEC, cycle * 5_000_000)
        events = operator.due(RobotRecord(state, mode, None, None, (), ()), standing=True)
        sent += [event.velocity_command for event in events if event.kind == "velocity_command"]
    assert [(v.lin_vel_x, v.lin_vel_y, round(v.ang_vel_z, 9)) for v in sent if v] == [(0.5, 0.1, 0.5), (0.5, 0.1, 0.0)]
