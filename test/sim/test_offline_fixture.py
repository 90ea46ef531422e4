"""The rl_sar fixture, imported and evaluated as a user does it, walks in our simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.torch, pytest.mark.slow]


def robot_policies(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a verb in a process of its own."""
    command = [sys.executable, "-m", "robot_policies.cli", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def bundle(foreign_fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The imported fixture."""
    folder = tmp_path_factory.mktemp("bundles") / "go2_robot_lab"
    source = foreign_fixtures / "rl_sar" / "go2" / "robot_lab"
    done = robot_policies("import", "--format", "rl_sar", source, folder, "--robot", "go2")
    assert done.returncode == 0, done.stderr
    return folder


def evaluated(bundle: Path, *arguments: object) -> dict[str, Any]:
    out = bundle.parent / "cells.json"
    done = robot_policies("eval", bundle, "--course", "flat", "--json", out, *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(out.read_text(encoding="utf-8"))[0])


def test_it_walks_for_a_minute_at_six_tenths_or_more_of_a_metre_a_second_without_a_fall(bundle: Path) -> None:
    cell = evaluated(bundle, "--seeds", 2, "--seconds", 60, "--command", "0.8,0,0")
    for episode in cell["episodes"]:
        assert not episode["fell"] and not episode["trips"], episode["failures"]
        assert episode["metrics"]["active_s"] == pytest.approx(60.0, abs=0.01)
        assert 0.6 <= episode["metrics"]["speed_mps"] <= 0.96
        # A trot: the base neither drops nor rolls, and every foot steps two to six times a second.
        assert 0.27 < episode["metrics"]["base_height_m"] < 0.38
        assert episode["metrics"]["tilt_max_rad"] < 0.35
        assert 2.0 < episode["metrics"]["step_hz"] < 6.0
    speeds = {episode["metrics"]["speed_mps"] for episode in cell["episodes"]}
    assert len(speeds) == 2  # another seed is another episode


def test_it_stays_where_it_is_at_zero_command(bundle: Path) -> None:
    cell = evaluated(bundle, "--seeds", 1, "--seconds", 10, "--command", "0,0,0")
    assert cell["successes"] == 1, cell["episodes"]
    assert cell["metrics"]["drift_m"] < 0.2
