"""Where robots are simulated: a GPU where there is one, and a line where one was asked for and is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from robot_policies.exceptions import ResourceError
from sim2real.training import backend
from sim2real.training.model import Plant
from sim2real.training.simulation import Batch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plant() -> Plant:
    from robot_policies.robot_spec import load_robot_spec
    from sim2real.training.build import load_model

    return load_model(load_robot_spec("go2"), 0.005)


@pytest.mark.parametrize(("lack", "asked", "got"), [
    (None, "auto", "cuda"), (None, "cuda", "cuda"), (None, "cpu", "cpu"),
    ("no GPU", "auto", "cpu"), ("no GPU", "cpu", "cpu"),
])  # fmt: skip
def test_the_device_is_the_best_there_is_unless_one_was_asked_for(
    lack: str | None, asked: str, got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_lack", lambda: lack)
    assert backend.choose_device(asked) == got


def test_a_gpu_that_is_not_there_and_an_unknown_device_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"--device cuda: .*; found no mujoco_warp; valid: pip install 'robot_pol"):
        backend.choose_device("cuda")
    assert backend.choose_device("auto") == "cpu"
    with pytest.raises(ResourceError, match="--device; found 'tpu'; valid: auto, cpu, cuda"):
        backend.choose_device("tpu")


def test_warp_without_a_gpu_is_no_gpu() -> None:
    warp = pytest.importorskip("warp", reason="needs MuJoCo Warp: pip install 'robot_policies[gpu]'")
    if warp.is_cuda_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ResourceError, match="found no GPU that warp can use"):
        backend.choose_device("cuda")


def test_the_processor_gets_mujocos_own_rollout(plant: Plant) -> None:
    simulation = backend.simulate([plant.model, plant.model], 1, "cpu")
    assert isinstance(simulation, Batch) and len(simulation.models) == 2
    simulation.close()


def test_the_command_refuses_a_gpu_that_is_not_there_before_it_starts(tmp_path: Path) -> None:
    code = """
import sys
from sim2real.training import backend
backend._lack = lambda: "no GPU that warp can use"
from robot_policies.cli.main import main
sys.exit(main(["train", "go2_walk", "--minutes", "1", "--device", "cuda", "--out", sys.argv[1]]))
"""
    pytest.importorskip("rsl_rl", reason="needs PyTorch: ./run test --with-torch")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path / "walk")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    assert (
        len(done.stderr.strip().splitlines()) == 1 and "--device cuda: a GPU for MuJoCo Warp; found no" in done.stderr
    )
