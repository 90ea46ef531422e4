"""The mean of trained networks: weight by weight, of one task, refused where it cannot be; and its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from helpers.train_process import ROOT, SHORT, run
from onnx import numpy_helper

from robot_policies.exceptions import InputError, ResourceError

pytestmark = pytest.mark.torch
PARKOUR, TEACHER = "go2_parkour", "go2_parkour_teacher"


def write(path: Path, task: str = PARKOUR, **weights: list[float]) -> Path:
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(value) for name, value in weights.items()}
    progress = {"task": task, "seed": 0, "envs": 8, "iteration": 1, "samples": 2_000_000, "seconds": 60.0}
    torch.save({"progress": progress, "actor_state_dict": state}, path)
    return path


def weights(file: Path) -> dict[str, np.ndarray]:
    return {kept.name: numpy_helper.to_array(kept) for kept in onnx.load(file).graph.initializer}


def mean(*paths: Path) -> dict[str, Any]:
    from sim2real.training.average import average

    return average(paths, PARKOUR)


def test_each_weight_is_the_mean_of_that_weight(tmp_path: Path) -> None:
    parts = ([1.0, -2.0], 3.0), ([2.0, 2.0], 3.0), ([6.0, 3.0], -9.0)
    paths = [write(tmp_path / f"{k}.pt", weight=w, bias=[b]) for k, (w, b) in enumerate(parts)]
    found = mean(*paths)
    assert {name: value.tolist() for name, value in found["actor_state_dict"].items()} == {
        "weight": [3.0, 1.0],
        "bias": [-1.0],
    }
    assert [part["samples"] for part in found["progress"]["parts"]] == [2_000_000] * 3


def test_what_has_no_mean_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one.pt", weight=[1.0])
    with pytest.raises(InputError, match="two or more that differ"):
        mean(one)
    with pytest.raises(InputError, match="two or more that differ"):
        mean(one, tmp_path / "." / "one.pt")
    with pytest.raises(ResourceError, match=r"two\.pt: of task go2_parkour; found go2_walk"):
        mean(one, write(tmp_path / "two.pt", task="go2_walk", weight=[1.0]))
    for weights in ({"weight": [1.0, 2.0]}, {"other": [1.0]}):
        with pytest.raises(ResourceError, match=r"two\.pt: networks as in .*one\.pt"):
            mean(one, write(tmp_path / "two.pt", **weights))
    with pytest.raises(ResourceError, match="a file of a training run"):
        mean(one, tmp_path / "none.pt")


def test_it_goes_with_no_training(tmp_path: Path) -> None:
    out, file = tmp_path / "out", write(tmp_path / "one.pt", weight=[1.0])
    for task, more, found in (
        (PARKOUR, ["1"], f"{PARKOUR} --minutes 1;"),
        (PARKOUR, ["0", "--resume"], f"{PARKOUR} --minutes 0 --resume;"),
        (PARKOUR, ["0", "--start", file], f"{PARKOUR} --minutes 0 --start;"),
        (TEACHER, ["0"], f"{TEACHER} --minutes 0;"),
    ):
        done = run(task, "--minutes", *more, "--out", out, "--average", file, file)
        assert f"found {found}" in done.stderr
        assert done.returncode == 2 and "--average: a task that has a bundle, and no training" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1 and not out.exists()


@pytest.mark.slow
def test_the_mean_of_two_runs_becomes_a_bundle(tmp_path: Path) -> None:
    """Of the shipped walk and of one beside it; what the bundle holds lies in the middle."""
    import torch

    from sim2real.training.checkpoint import read

    kept = ROOT / "sim2real" / "training" / "checkpoints" / "go2_walk.pt"
    beside = read(kept)
    beside["progress"]["seed"] = 7
    for name, value in beside["actor_state_dict"].items():
        if name.startswith("mlp"):
            value += 0.01
    torch.save(beside, tmp_path / "beside.pt")
    out = tmp_path / "mean"
    asked = "go2_walk", "--minutes", "0", "--out", out, "--average", kept, tmp_path / "beside.pt"
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))\n"
    done = run(*asked, before=SHORT + full)
    assert done.returncode == 3 and not out.exists()
    assert done.stderr.strip().endswith("File too large; valid: room on the disk, then the same again")
    done = run(*asked, before=SHORT)
    assert done.returncode == 0, done.stderr
    readme = (out / "README.md").read_text()
    assert "the mean of robot-policies train go2_walk" in readme and "--seed 7" in readme
    found, shipped = weights(out / "actor.onnx"), weights(ROOT / "bundles" / "go2_walk" / "actor.onnx")
    moved = [float(np.abs(found[name] - value - 0.005).max()) for name, value in shipped.items()]
    assert len(moved) == 8 and max(moved) < 1e-6


def test_the_shipped_parkour_is_the_mean_of_the_checkpoints_beside_it() -> None:
    checkpoints = ROOT / "sim2real" / "training" / "checkpoints"
    actor = mean(*(checkpoints / f"go2_parkour_{number}.pt" for number in (1, 2)))["actor_state_dict"]
    files = (ROOT / "bundles" / PARKOUR).glob("*.onnx")
    shipped = [value for file in files for value in weights(file).values()]
    # The heights that the depth encoder learnt to say are no output; an ONNX GRU has its gates in another order.
    for name, value in actor.items():
        if not name.startswith(("depth.ground", "depth.memory")):
            assert any(np.array_equal(value.numpy(), other) for other in shipped), name
