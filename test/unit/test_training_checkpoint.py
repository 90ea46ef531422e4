"""Checkpoints: all that a run needs comes back; damage is seen, and the one before is used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from helpers.training import TASK, small_trainer  # noqa: E402

from robot_policies.exceptions import ResourceError  # noqa: E402
from sim2real.training import checkpoint  # noqa: E402
from sim2real.training.trainer import Trainer  # noqa: E402


class Levels:
    """An environment's own state, as far as a checkpoint sees it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.rng, self.values = np.random.default_rng(1), values

    def state(self) -> dict[str, Any]:
        return self.values

    def load_state(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """Three iterations, so that the optimiser has something to remember."""
    trainer = small_trainer(tmp_path_factory.mktemp("trained"))
    trainer.run(60.0, iterations=3)
    yield trainer
    trainer.env.batch.close()


def folder_of(trained: Trainer, folder: Path) -> Path:
    shutil.copytree(trained._folder, folder, dirs_exist_ok=True)
    return folder


def fresh(trained: Trainer) -> Any:
    """Return untrained networks for the same environment."""
    from sim2real.training.learner import build_learner

    torch.manual_seed(99)
    return build_learner(TASK, trained.env)


def test_networks_optimiser_rate_progress_random_and_levels_come_back(trained: Trainer, tmp_path: Path) -> None:
    env = Levels({"level": np.arange(5), "scale": np.array(0.25), "seen": np.array([True, False])})
    env.rng.normal(size=7)
    torch.manual_seed(3)
    torch.rand(11)
    trained.learner.learning_rate = trained.learner.optimizer.param_groups[0]["lr"] = 3.3e-4
    checkpoint.save(tmp_path, trained.learner, trained.progress, env)
    next_torch, next_numpy = torch.rand(3), env.rng.normal(size=3)

    back, ppo = Levels({}), fresh(trained)
    found = checkpoint.resume(tmp_path, ppo, checkpoint.Progress(TASK.name, 0, 8), back, pytest.fail)
    assert found == trained.progress and found.iteration == 3
    for name in ("actor", "critic"):
        wanted, got = (getattr(each, name).state_dict() for each in (trained.learner, ppo))
        assert all(torch.equal(wanted[key], got[key]) for key in wanted)
    wanted, got = trained.learner.optimizer.state_dict(), ppo.optimizer.state_dict()
    assert len(wanted["state"]) > 10
    for index, values in wanted["state"].items():
        assert all(torch.equal(values[key], got["state"][index][key]) for key in values)
    assert ppo.learning_rate == pytest.approx(3.3e-4)
    assert torch.equal(torch.rand(3), next_torch)
    np.testing.assert_array_equal(back.rng.normal(size=3), next_numpy)
    assert set(back.values) == {"level", "scale", "seen"}
    np.testing.assert_array_equal(back.values["level"], np.arange(5))
    assert back.values["scale"].shape == () and back.values["seen"].dtype == bool


def test_an_environment_without_a_state_of_its_own_is_not_asked_to_load_one(trained: Trainer, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, trained.learner, trained.progress, Levels({}))
    back = Levels({"untouched": 1})
    checkpoint.resume(tmp_path, fresh(trained), trained.progress, back, pytest.fail)
    assert back.values == {"untouched": 1}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(trained: Trainer, share: float, tmp_path: Path) -> None:
    content = (trained._folder / checkpoint.FILE).read_bytes()
    cut = tmp_path / checkpoint.FILE
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ResourceError, match="a file of a training run; found .*; valid: an older one in its place, or"):
        checkpoint.read(cut)


def test_a_garbled_byte_is_seen_wherever_it_is(trained: Trainer, tmp_path: Path) -> None:
    content = (trained._folder / checkpoint.FILE).read_bytes()
    whole = checkpoint.read(trained._folder / checkpoint.FILE)
    garbled, refused = tmp_path / checkpoint.FILE, 0
    for place in np.random.default_rng(0).integers(0, len(content), 60):
        garbled.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            found = checkpoint.read(garbled)
        except ResourceError:
            refused += 1
        else:  # padding, and names that nobody reads
            for name, value in whole["actor_state_dict"].items():
                assert torch.equal(found["actor_state_dict"][name], value)
            assert found["progress"] == whole["progress"]
    assert refused > 45  # most bytes are weights


def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_is_set_aside(trained: Trainer, tmp_path: Path) -> None:
    folder = folder_of(trained, tmp_path)
    checkpoint.save(folder, trained.learner, replace(trained.progress, iteration=4, seconds=240.0), trained.env)
    checkpoint.save(folder, trained.learner, replace(trained.progress, iteration=5), trained.env)
    (folder / checkpoint.FILE).write_bytes(b"nonsense")
    lines: list[str] = []
    found = checkpoint.resume(folder, fresh(trained), trained.progress, Levels({}), lines.append)
    assert found.iteration == 4
    assert len(lines) == 1
    assert "found File is not a zip file" in lines[0]
    assert lines[0].endswith(f"; using {folder / 'checkpoint.previous.pt'}, after 4.0 min of training")
    assert (folder / "checkpoint.damaged.pt").read_bytes() == b"nonsense"
    checkpoint.save(folder, trained.learner, replace(trained.progress, iteration=6), trained.env)
    assert checkpoint.read(folder / "checkpoint.previous.pt")["progress"]["iteration"] == 4  # not the damaged one


def test_a_kill_between_the_two_renames_leaves_a_run_that_goes_on(trained: Trainer, tmp_path: Path) -> None:
    folder = folder_of(trained, tmp_path)
    (folder / checkpoint.FILE).rename(folder / "checkpoint.previous.pt")
    lines: list[str] = []
    assert checkpoint.newest(folder, lines.append)["progress"]["iteration"] == 3
    assert "No such file" in lines[0] and not (folder / "checkpoint.damaged.pt").exists()


def test_where_both_are_damaged_it_is_refused(trained: Trainer, tmp_path: Path) -> None:
    for name in (checkpoint.FILE, "checkpoint.previous.pt"):
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(ResourceError, match=r"checkpoint.previous.pt: .* or train anew"):
        checkpoint.newest(tmp_path, pytest.fail)
    (tmp_path / "checkpoint.previous.pt").unlink()
    with pytest.raises(ResourceError, match=r"checkpoint.pt: .* or train anew"):
        checkpoint.newest(tmp_path, pytest.fail)


def test_a_whole_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / checkpoint.FILE)
    with pytest.raises(ResourceError, match="progress, actor_state_dict; found other content"):
        checkpoint.read(tmp_path / checkpoint.FILE)


def test_networks_of_other_sizes_are_refused_in_one_line(trained: Trainer) -> None:
    task = replace(TASK, network=replace(TASK.network, hidden=(32, 32)))
    with pytest.raises(ResourceError, match="networks of task go2_walk; found .*size mismatch.*train anew") as caught:
        small_trainer(trained._folder, resume=True, task=task)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_the_time_before_random_states_still_resumes(trained: Trainer, tmp_path: Path) -> None:
    old = {"progress": vars(trained.progress), **trained.learner.save()}
    torch.save(old, tmp_path / checkpoint.FILE)
    back = Levels({})
    before = json.dumps(back.rng.bit_generator.state)
    found = checkpoint.resume(tmp_path, fresh(trained), trained.progress, back, pytest.fail)
    assert found.iteration == 3 and json.dumps(back.rng.bit_generator.state) == before
