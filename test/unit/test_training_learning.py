"""PPO on the environment: it learns, a run goes on from its checkpoint, a diverging one keeps the last good one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from robot_policies.bundle.golden import check_golden  # noqa: E402
from robot_policies.exceptions import BundleError, ResourceError  # noqa: E402
from robot_policies.robot_spec import load_robot_spec  # noqa: E402
from sim2real.training import checkpoint  # noqa: E402
from sim2real.training.build import build_env  # noqa: E402
from sim2real.training.export import check_target, export  # noqa: E402
from sim2real.training.network_file import actor_layers, evaluate, onnx_bytes  # noqa: E402
from sim2real.training.task import Settles, Task  # noqa: E402
from sim2real.training.tasks import GO2_WALK  # noqa: E402
from sim2real.training.trainer import DivergedError, Trainer  # noqa: E402

ENVS = 16


def trainer(folder: Path, resume: bool = False, task: Task = GO2_WALK, lines: list[str] | None = None) -> Trainer:
    env = build_env(task, ENVS, seed=0)
    tell = (lambda line: None) if lines is None else lines.append
    return Trainer(env, folder, 0, resume, tell)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(of: Trainer) -> torch.Tensor:
    return torch.cat([value.flatten() for value in of.learner.get_policy().state_dict().values()])


def test_a_run_writes_progress_and_a_checkpoint_and_goes_on_from_it(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    start = weights(first).clone()
    first.run(1.0)
    assert not torch.equal(weights(first), start)
    done = rows(tmp_path)
    assert [int(row["iteration"]) for row in done] == list(range(1, len(done) + 1))
    assert int(done[-1]["samples"]) == len(done) * ENVS * 24
    assert all(float(row["samples_per_s"]) > 0 and float(row["seconds_left"]) >= 0 for row in done)
    assert set(GO2_WALK.rewards) < set(done[0])

    second = trainer(tmp_path, resume=True)
    assert torch.equal(weights(second), weights(first))
    assert second.learner.learning_rate == first.learner.learning_rate
    second.run(0.5)
    assert int(rows(tmp_path)[-1]["iteration"]) > len(done)
    assert second.progress.seconds > first.progress.seconds


def test_a_diverging_run_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(0.3)
    good = (tmp_path / checkpoint.FILE).read_bytes()
    with torch.no_grad():
        run.learner.critic.mlp[0].weight[0, 0] = float("nan")
    with pytest.raises(DivergedError, match="diverged: .*not finite; kept: the checkpoint before"):
        run.run(5.0)
    assert (tmp_path / checkpoint.FILE).read_bytes() == good


def test_resume_refuses_what_is_not_a_checkpoint_of_this_task(tmp_path: Path) -> None:
    (tmp_path / checkpoint.FILE).write_bytes(b"nonsense")
    with pytest.raises(ResourceError, match="a file of a training run"):
        trainer(tmp_path, resume=True)
    run = trainer(tmp_path)
    run.save()
    with pytest.raises(ResourceError, match="of task other; found go2_walk"):
        trainer(tmp_path, resume=True, task=replace(GO2_WALK, name="other"))


def test_the_mirror_makes_both_sides_of_the_batch(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    augment = run.learner.symmetry.data_augmentation_func
    views = run.env.views()
    from sim2real.training.learner import to_tensors

    actions = torch.arange(ENVS * 12, dtype=torch.float32).reshape(ENVS, 12)
    seen, doubled = augment(run.env, obs=to_tensors(views), actions=actions)
    assert seen["policy"].shape == (2 * ENVS, 135) and doubled.shape == (2 * ENVS, 12)
    again, twice = augment(run.env, obs=seen[ENVS:], actions=doubled[ENVS:])
    torch.testing.assert_close(again["policy"][ENVS:], torch.from_numpy(views.actor))
    torch.testing.assert_close(again["critic"][ENVS:], torch.from_numpy(views.critic))
    torch.testing.assert_close(twice[ENVS:], actions)
    assert not torch.equal(doubled[ENVS:], actions)


def test_the_onnx_file_gives_what_the_actor_gives(tmp_path: Path) -> None:
    import onnxruntime

    run = trainer(tmp_path)
    policy = run.learner.get_policy()
    layers = actor_layers(policy.state_dict())
    session = onnxruntime.InferenceSession(onnx_bytes(layers), providers=["CPUExecutionProvider"])
    seen = np.random.default_rng(0).normal(size=(20, 135)).astype(np.float32)
    with torch.no_grad():
        asked = policy.as_onnx(False)(torch.from_numpy(seen)).numpy()
    got = np.concatenate([session.run(["action"], {"observation": row[None]})[0] for row in seen])
    np.testing.assert_allclose(got, asked, atol=1e-5)
    np.testing.assert_allclose(evaluate(layers, seen), asked, atol=1e-5)
    broken = {name: value.clone() for name, value in policy.state_dict().items()}
    broken["mlp.0.bias"][0] = float("inf")
    with pytest.raises(BundleError, match="finite weights"):
        actor_layers(broken)


def test_an_exported_bundle_is_whole_and_only_a_trained_one_is_replaced(tmp_path: Path) -> None:
    actor = trainer(tmp_path / "run").learner.get_policy().state_dict()
    spec = load_robot_spec("go2")
    for version in ("1.0.0", "1.0.1"):
        bundle = export(tmp_path / "walk", GO2_WALK, spec, actor, {"seed": "0"}, version)
        assert bundle.contract.version == version
        assert check_golden(bundle, spec).worst <= 1.0
    assert sorted(path.name for path in bundle.folder.iterdir()) == [
        "README.md", "actor.onnx", "golden.npz", "policy.yaml",
    ]  # fmt: skip
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(BundleError, match="something else is there"):
        check_target(other)
    with pytest.raises(BundleError, match="something else is there"):
        export(other, GO2_WALK, spec, actor, {}, "1.0.0")
    assert (other / "thesis.txt").read_text() == "mine"


def test_in_the_last_part_the_noise_is_small(tmp_path: Path) -> None:
    last = Settles(after=2 * ENVS * 24, entropy_coef=0.0, desired_kl=0.005, most_std=0.25)
    learns = trainer(tmp_path, task=replace(GO2_WALK, ppo=replace(GO2_WALK.ppo, settles=last)))
    learns.run(1.5)
    spreads = [float(row["action_std"]) for row in rows(tmp_path)]
    assert spreads[0] > 0.7 and max(spreads[3:]) < 0.26
    assert (learns.learner.entropy_coef, learns.learner.desired_kl) == (0.0, 0.005)
