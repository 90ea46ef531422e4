"""The shipped bundle of parkour: crosses what it sees, and only what it sees; so does the demo through its nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from helpers.node_process import ROOT, environment, free_domain

from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.load import load_bundle
from robot_policies.contract import Contract
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from sim2real.evaluation import episode
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, run_episode
from sim2real.evaluation.world import simulated_cameras

SPEC = load_robot_spec("go2")
OBSTACLES = {"step": 0.35, "gap": 0.45, "hurdle": 0.3, "stairs": 0.15, "ramp": 0.45, "tilt": 0.4}
# What only a simulator knows: none of it may be an input
PRIVILEGED = {"height_scan", "base_lin_vel"}


def job(course: str, difficulty: float, seed: int) -> Job:
    loaded = load_course(course)
    return Job("go2_parkour", "go2", loaded, difficulty, seed, loaded.seconds, (0.8, 0.0, 0.0))


def test_the_networks_still_give_their_golden_outputs() -> None:
    assert check_golden(load_bundle("go2_parkour", SPEC), SPEC).ticks >= 32


def test_nothing_that_only_a_simulator_knows_goes_in() -> None:
    contract = load_bundle("go2_parkour", SPEC).contract
    terms = {term.term for observation in contract.observations.values() for term in observation.terms}
    assert terms and not terms & PRIVILEGED
    assert list(contract.depth) == ["depth"]


@pytest.mark.slow
@pytest.mark.parametrize("course", OBSTACLES)
def test_it_crosses_what_it_sees(course: str) -> None:
    """Of three seeds at least two; scores over 100 are in docs/parkour.md."""
    runs = [run_episode(job(course, OBSTACLES[course], seed)) for seed in range(3)]
    failed = [(run.seed, run.failures) for run in runs if not run.success]
    assert len(failed) <= 1, failed


@pytest.mark.slow
def test_a_camera_that_sees_a_bare_floor_takes_its_skill(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [job("step", OBSTACLES["step"], seed) for seed in range(3)]
    assert sum(run_episode(each).success for each in asked) >= 2

    def bare(contract: Contract, spec: RobotSpec, truth: Any, terrain: str | None, *rest: Any) -> Any:
        return simulated_cameras(contract, spec, truth, None, *rest)

    monkeypatch.setattr(episode, "simulated_cameras", bare)
    assert not any(run_episode(each).success for each in asked)


@pytest.mark.slow
def test_the_demo_crosses_through_the_nodes(tmp_path: Path) -> None:
    """The first edge is 1.2 m ahead, the next obstacle nowhere."""
    report = tmp_path / "report.json"
    line = [sys.executable, "-m", "robot_policies.cli", "demo", "--headless", "--no-browser", "--seconds", "12"]
    done = subprocess.run(
        [*line, "--terrain", "step:0.35", "--json", str(report)],
        env=environment(free_domain()), cwd=ROOT, capture_output=True, text=True, timeout=120.0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(report.read_text())
    assert (told["policy"], told["fell"], told["trips"]) == ("go2_parkour", False, [])
    assert told["distance_m"] > 4.0
    assert told["depth_images"] > 60
    assert told["depth_to_command_ms"]["p99"] < 33.0
