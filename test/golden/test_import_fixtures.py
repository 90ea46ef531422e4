"""Foreign policies of others, which are not ours to commit: they import, pass their checks, and the Go2 walks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.foreign import assert_same, bring, inputs_of, run_bundle, signals_of
from helpers.foreign_loops import rl_sar_loop, unitree_loop

from robot_policies.robot_spec import load_robot_spec


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "robot_policies.cli", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=600)


def test_the_g1_of_unitree(tmp_path: Path, foreign_fixtures: Path) -> None:
    source, spec = foreign_fixtures / "unitree_g1_velocity", load_robot_spec("g1")
    imported = bring("unitree", source, tmp_path / "bundle", robot="g1")
    assert imported.bundle.contract.joints.names == spec.joint_names
    assert [path.name for path in imported.bundle.folder.glob("*.onnx*")] == ["policy.onnx"]
    inputs = inputs_of(spec=spec)
    expected = unitree_loop(source, [signals_of(item, spec) for item in inputs], spec.joint_names)
    assert_same(run_bundle(imported, inputs, spec), expected)
    done = command("check", tmp_path / "bundle", "--robot", "g1")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def go2(tmp_path_factory: pytest.TempPathFactory, foreign_fixtures: Path) -> Any:
    """Return the imported Go2 policy of rl_sar."""
    folder = tmp_path_factory.mktemp("go2")
    return bring("rl_sar", foreign_fixtures / "rl_sar" / "go2" / "robot_lab", folder / "bundle")


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_the_go2_of_rl_sar(go2: Any, foreign_fixtures: Path) -> None:
    from helpers.torchscript import TorchNetwork

    source, inputs = foreign_fixtures / "rl_sar" / "go2" / "robot_lab", inputs_of()
    expected = rl_sar_loop(source, [signals_of(item) for item in inputs], TorchNetwork(source / "policy.pt"))
    assert_same(run_bundle(go2, inputs), expected)
    done = command("check", go2.bundle.folder, "--robot", "go2")
    assert done.returncode == 0, done.stderr


@pytest.mark.torch
@pytest.mark.slow
def test_the_go2_of_rl_sar_walks(tmp_path: Path, go2: Any) -> None:
    report = tmp_path / "report.json"
    done = command(
        *("eval", go2.bundle.folder, "--course", "flat", "--seeds", 1, "--seconds", 60),
        *("--command", "0.8,0,0", "--jobs", 1, "--json", report),
    )
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(report.read_text())
    assert (cell["successes"], cell["metrics"]["falls"], cell["metrics"]["active_s"]) == (1, 0, 60.0)
    assert cell["metrics"]["speed_mps"] >= 0.6
