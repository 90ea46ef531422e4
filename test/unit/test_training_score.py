"""The first judgement of an actor, and that the shipped bundle is what the task and the kept checkpoint say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from robot_policies.bundle.load import load_bundle
from robot_policies.contract import Contract
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import Array32
from sim2real.training.export import contract_of
from sim2real.training.score import score
from sim2real.training.tasks import GO2_WALK

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "bundles" / "go2_walk"
CHECKPOINT = ROOT / "sim2real" / "training" / "checkpoints" / "go2_walk.pt"
WALK = (0.8, 0.0, 0.0)


def idle(seen: Array32) -> Array32:
    return np.zeros((len(seen), 12), dtype=np.float32)


def test_an_idle_robot_stands_and_is_as_far_off_as_the_command() -> None:
    result = score(GO2_WALK, idle, WALK, seconds=3.0, robots=2)
    assert result.falls == 0 and result.robots == 2
    np.testing.assert_allclose(result.velocity, (0.0, 0.0, 0.0), atol=0.05)
    assert result.worst[0] == pytest.approx(0.8, abs=0.05)
    assert result.drift < 0.05
    assert 0.1 < result.demand < 0.6
    assert result.line().startswith("asked +0.80 +0.00 +0.00: got ") and "falls 0 of 2" in result.line()


def test_a_robot_that_folds_its_left_legs_has_fallen() -> None:
    fold = np.zeros(12, dtype=np.float32)
    fold[[3, 9]], fold[[4, 10]], fold[[5, 11]] = 4.0, 4.0, -5.0
    result = score(GO2_WALK, lambda seen: np.tile(fold, (len(seen), 1)), WALK, seconds=3.0, robots=2)
    assert result.falls == 2


@pytest.fixture(scope="module")
def shipped() -> Contract:
    return load_bundle(BUNDLE, load_robot_spec("go2")).contract


def test_the_shipped_bundle_states_the_task_that_is_trained(shipped: Contract) -> None:
    data = contract_of(GO2_WALK, load_robot_spec("go2"), {}, "0")
    stated = parse(Contract, {"format": 1, "files": {}, **data}, "task")
    own = ("version", "provenance", "files")
    assert {k: v for k, v in asdict(shipped).items() if k not in own} == {
        k: v for k, v in asdict(stated).items() if k not in own
    }
    assert shipped.licence == "Apache-2.0" and shipped.provenance["command"].startswith("robot-policies train go2_walk")


def test_the_shipped_actor_walks_and_stands() -> None:
    session = onnxruntime.InferenceSession(str(BUNDLE / "actor.onnx"), providers=["CPUExecutionProvider"])

    def actor(seen: Array32) -> Array32:
        return np.concatenate([session.run(["action"], {"observation": row[None]})[0] for row in seen])

    walking = score(GO2_WALK, actor, WALK, seconds=6.0, robots=2)
    assert walking.falls == 0 and walking.worst[0] < 0.16
    assert walking.demand < 1.0  # the safety filter has nothing to do
    standing = score(GO2_WALK, actor, (0.0, 0.0, 0.0), seconds=4.0, robots=2)
    assert standing.falls == 0 and standing.drift < 0.1


@pytest.mark.torch
def test_the_kept_checkpoint_is_the_shipped_actor() -> None:
    import onnx
    from onnx import numpy_helper

    from sim2real.training import checkpoint
    from sim2real.training.network_file import actor_layers

    assert CHECKPOINT.stat().st_size < 2_000_000
    kept = actor_layers(checkpoint.read(CHECKPOINT)["actor_state_dict"])
    stored = {w.name: numpy_helper.to_array(w) for w in onnx.load(BUNDLE / "actor.onnx").graph.initializer}
    assert len(stored) == 2 * len(kept)
    for number, (weight, bias) in enumerate(kept):
        np.testing.assert_array_equal(stored[f"weight_{number}"], weight)
        np.testing.assert_array_equal(stored[f"bias_{number}"], bias)
