"""A course through the real nodes: the judge that reads odometry, what is refused, and one run in real time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.offline import SPEC, constant_bundle

from robot_policies.cli.main import main
from robot_policies.exceptions import InputError
from sim2real.evaluation.card import agreement
from sim2real.evaluation.course import Course, load_course
from sim2real.evaluation.episode import Job, build
from sim2real.evaluation.nodes_run import Judge, _episode, check_nodes
from sim2real.evaluation.verdict import SECOND, Verdict

STEP = load_course("step")
ROOT = Path(__file__).resolve().parents[2]
REPORT: dict[str, Any] = {
    "trips": [], "modes": [{"mode": "active", "stamp_ns": 5}], "error": "", "latency_ms": {"p99": 2.5},
    "distance_m": 2.3, "speed_mps": 0.5, "missed_ticks": 0,
}  # fmt: skip


def odometry(at_s: float, x: float, y: float = 0.0, pitch: float = 0.0) -> Any:
    """Return what a nav_msgs/Odometry has of a base at that place."""
    turn = SimpleNamespace(w=math.cos(pitch / 2), x=0.0, y=math.sin(pitch / 2), z=0.0)
    pose = SimpleNamespace(position=SimpleNamespace(x=x, y=y, z=0.3), orientation=turn)
    stamp = SimpleNamespace(sec=int(at_s), nanosec=round((at_s % 1.0) * SECOND))
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), pose=SimpleNamespace(pose=pose))


def judged(*messages: Any, course: Course = STEP) -> Judge:
    place = course.place(0.2, 0)
    judge = Judge(Verdict(course, place.lane, SPEC.thigh_bodies))
    judge(odometry(9.0, 0.0, pitch=3.0))  # before the activation nothing counts
    judge.begin(10 * SECOND)
    for message in messages:
        judge(message)
    return judge


def job(bundle: object = "x", course: Course = STEP) -> Job:
    return Job(str(bundle), "go2", course, 0.2, 3, 12.0, course.command)


def test_past_the_last_edge_by_a_metre_and_upright() -> None:
    judge = judged(odometry(11.0, 1.0, pitch=0.9), odometry(14.0, 2.21))
    episode = _episode(job(), judge, REPORT, judge.stamp_ns)
    assert judge.verdict.over and episode.success and episode.failures == ()
    assert (episode.seed, episode.metrics["crossed_s"], episode.metrics["progress"]) == (3, 4.0, 1.0)
    assert episode.metrics["tilt_max_rad"] == pytest.approx(0.9)
    assert judge.active_s == 4.0


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([odometry(14.0, 2.19)], "came to x 2.19 m in its time; the goal is at 2.20 m"),
        ([odometry(14.0, 2.5, pitch=1.2)], "came to x 2.50 m"),
        ([odometry(12.0, 1.0, pitch=1.6), odometry(14.0, 2.5)], "fell 2.00 s after activation"),
        ([odometry(12.0, 1.0, y=2.1), odometry(14.0, 2.5)], "left the lane"),
    ],
)
def test_what_fails(messages: list[Any], words: str) -> None:
    judge = judged(*messages)
    episode = _episode(job(), judge, REPORT, judge.stamp_ns)
    assert not episode.success and words in episode.failures[0]
    assert episode.fell == ("fell" in words)


def test_trips_count_until_the_run_is_over() -> None:
    judge = judged(odometry(14.0, 2.5))
    trip = {"name": "tilt", "detail": "1.4 rad", "stamp_ns": 13 * SECOND}
    episode = _episode(job(), judge, {**REPORT, "trips": [trip]}, judge.stamp_ns)
    assert episode.failures == ("tilt trip: 1.4 rad",)
    later = {**trip, "stamp_ns": 15 * SECOND}  # while the robot was put back to its stand
    assert _episode(job(), judge, {**REPORT, "trips": [later]}, judge.stamp_ns).success


def test_a_run_that_never_began_says_why() -> None:
    judge = Judge(Verdict(STEP, STEP.place(0.2, 0).lane))
    episode = _episode(job(), judge, {**REPORT, "error": "robot_node has ended"}, 0)
    assert episode.failures == ("never active", "robot_node has ended")


def test_what_odometry_cannot_judge_is_refused(tmp_path: Path) -> None:
    bundle = constant_bundle(tmp_path / "stands", SPEC.poses["stand"]).folder
    check_nodes(job(bundle))
    with pytest.raises(InputError, match="odometry can judge; found flat"):
        check_nodes(job(bundle, load_course("flat")))
    for strict in ({"trunk": True}, {"thighs": True}):
        with pytest.raises(InputError, match="odometry can judge"):
            check_nodes(job(bundle, replace(STEP, fall=replace(STEP.fall, **strict))))


def test_offline_beside_it_runs_the_robot_of_the_node(tmp_path: Path) -> None:
    bundle = constant_bundle(tmp_path / "stands", SPEC.poses["stand"]).folder
    rig = build(replace(job(bundle), plant="model"))
    model = rig.robot.model
    assert rig.pushes == ()
    assert float(model.geom("FR_foot").friction[0]) == 0.8
    assert float(model.body_subtreemass[model.body("base").id]) == pytest.approx(15.017, abs=0.01)
    assert build(replace(job(bundle), plant="nominal")).robot.model.geom("FR_foot").friction[0] != 0.8


def test_the_line_of_the_comparison() -> None:
    nodes = {"successes": 17, "seeds": 20, "rate": 0.85, "ci95": [0.64, 0.948]}
    offline = {"successes": 18, "seeds": 20, "rate": 0.9, "ci95": [0.699, 0.972]}
    assert agreement(offline, nodes) == "nodes 17/20 (0.64-0.95) against offline 18/20 (0.70-0.97): -5 points"


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (["--course", "step", "--difficulty", "0.1", "0.2"], "2 cells"),
        (["--course", "step", "--plant", "randomized"], "--plant"),
        (["--course", "flat"], "flat"),
    ],
)
def test_what_does_not_go_with_the_nodes(extra: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "go2_walk", "--nodes", *extra]) == 2
    assert word in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.ros
def test_go2_walk_steps_up_through_the_nodes(tmp_path: Path, ros_domain_id: int) -> None:
    out = tmp_path / "cells.json"
    line = [sys.executable, "-m", "robot_policies.cli", "eval", "go2_walk", "--course", "step", "--difficulty", "0.05"]
    line += ["--nodes", "--seeds", "1", "--seconds", "20", "--command", "0.8,0,0", "--json", str(out)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    offline, nodes = json.loads(out.read_text(encoding="utf-8"))
    assert (offline["plant"], nodes["plant"], nodes["seeds"]) == ("model", "nodes", 1)
    assert offline["successes"] == 1
    assert nodes["episodes"][0]["metrics"]["progress"] > 0.5, nodes["episodes"][0]["failures"]
    assert "nodes " in done.stdout.splitlines()[-1] and "against offline 1/1" in done.stdout
