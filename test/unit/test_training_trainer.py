"""The training loop under faults: what is not finite stops it, a full disk does not, a seed repeats it."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
pytest.importorskip("rsl_rl")

from helpers.training import ENVS, progress_rows, small_trainer  # noqa: E402

from sim2real.training import checkpoint, trainer  # noqa: E402
from sim2real.training.env import Outcome, Views  # noqa: E402
from sim2real.training.task import Settles  # noqa: E402
from sim2real.training.trainer import DivergedError, Trainer  # noqa: E402

CLOCK = {"seconds", "samples_per_s", "seconds_left"}  # columns that no seed repeats


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Trainer]:
    run = small_trainer(tmp_path)
    run.run(60.0, iterations=2)
    yield run
    run.env.batch.close()


def spoil(run: Trainer, monkeypatch: pytest.MonkeyPatch, change: Callable[[Outcome], Outcome]) -> None:
    """Change what every step of the environment gives."""
    real = run.env.step
    monkeypatch.setattr(run.env, "step", lambda action: change(real(action)))


def with_nan(values: Any, robots: int | slice) -> Any:
    spoilt = values.copy()
    spoilt[robots] = np.nan
    return spoilt


def seen(outcome: Outcome, group: str, robots: int | slice) -> Outcome:
    groups = {**outcome.views.groups, group: with_nan(outcome.views.groups[group], robots)}
    return replace(outcome, views=Views(groups))


@pytest.mark.parametrize(("change", "said"), [
    (lambda out: replace(out, reward=with_nan(out.reward, 3)), "reward not finite, of 1 robots, the first is 3"),
    (lambda out: seen(out, "policy", 2), "observation policy not finite, of 1 robots, the first is 2"),
    (lambda out: seen(out, "critic", slice(4, 6)), "observation critic not finite, of 2 robots, the first is 4"),
])  # fmt: skip
def test_what_is_not_finite_stops_the_run_before_anything_learns_from_it(
    run: Trainer, change: Callable[[Outcome], Outcome], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (run._folder / checkpoint.FILE).read_bytes()
    spoil(run, monkeypatch, change)
    before = torch.cat([value.flatten() for value in run.learner.get_policy().state_dict().values()]).clone()
    with pytest.raises(DivergedError, match=f"training diverged: {said}; kept: the checkpoint before"):
        run.run(60.0, iterations=3)
    after = torch.cat([value.flatten() for value in run.learner.get_policy().state_dict().values()])
    assert torch.equal(before, after)
    assert (run._folder / checkpoint.FILE).read_bytes() == good


@pytest.mark.parametrize("network", ["actor", "critic"])
def test_weights_that_are_not_finite_stop_the_run(run: Trainer, network: str) -> None:
    good = (run._folder / checkpoint.FILE).read_bytes()
    real = run.learner.update

    def update() -> dict[str, float]:
        losses: dict[str, float] = real()
        with torch.no_grad():
            getattr(run.learner, network).mlp[2].bias[0] = float("inf")
        return losses

    run.learner.update = update
    with pytest.raises(DivergedError, match="the networks are not finite; kept"):
        run.run(60.0, iterations=3)
    assert (run._folder / checkpoint.FILE).read_bytes() == good


def test_a_loss_that_is_not_finite_stops_the_run(run: Trainer) -> None:
    real = run.learner.update
    run.learner.update = lambda: {**real(), "value": float("nan")}
    with pytest.raises(DivergedError, match="value not finite; kept"):
        run.run(60.0, iterations=3)


def test_a_collapsed_reward_stops_the_run_and_no_checkpoint_is_taken_meanwhile(
    run: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "SAVE_EVERY", 0.0)
    run._watch = trainer.Watch(share=0.3, patience=4, smoothing=0.0)
    run.run(60.0, iterations=1)
    good = (run._folder / checkpoint.FILE).read_bytes()
    run._watch.check(100.0 * max(run._watch.best, 1.0), {})
    with pytest.raises(DivergedError, match="after a best of .* for 4 iterations"):
        run.run(60.0, iterations=10)
    assert (run._folder / checkpoint.FILE).read_bytes() == good


def test_an_error_of_the_learner_that_is_no_divergence_is_its_own(run: Trainer) -> None:
    def update() -> dict[str, float]:
        raise RuntimeError("out of memory")

    run.learner.update = update
    with pytest.raises(RuntimeError, match="out of memory"):
        run.run(60.0, iterations=1)


def test_a_full_disk_keeps_the_last_checkpoint_says_so_and_training_goes_on(
    run: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lines = run._folder, []
    run._tell = lines.append
    good = (folder / checkpoint.FILE).read_bytes()
    monkeypatch.setattr(trainer, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(trainer, "RETRY_EVERY", 0.0)
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: full())

    def full() -> None:
        raise OSError(28, "No space left on device")

    run.run(60.0, iterations=2)
    assert lines == 3 * [f"checkpoint not written: No space left on device ({folder}); kept: the one before"]
    assert (folder / checkpoint.FILE).read_bytes() == good and not list(folder.glob("*.partial"))
    assert run.unsaved and run.progress.iteration == 4
    monkeypatch.setattr(os, "fsync", real)
    run.run(60.0, iterations=1)
    assert not run.unsaved and checkpoint.read(folder / checkpoint.FILE)["progress"]["iteration"] == 5


def test_progress_that_cannot_be_written_is_told_once_and_costs_rows_only(run: Trainer) -> None:
    """A limit on file sizes stands for the full disk: the write itself fails, after some bytes."""
    folder, lines = run._folder, []
    run._tell = lines.append
    rows = folder / "progress.csv"
    before, limits = rows.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        run.run(60.0, iterations=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert lines.count("progress.csv not written: File too large; training goes on") == 1
    assert rows.read_bytes() == before
    run.run(60.0, iterations=1)
    assert [row["iteration"] for row in progress_rows(folder)] == ["1", "2", "6"]


def test_stopping_ends_after_the_iteration_with_a_checkpoint(run: Trainer) -> None:
    asked = iter([False, False, True])
    run.run(60.0, stopped=lambda: next(asked))
    assert run.progress.iteration == 4
    assert checkpoint.read(run._folder / checkpoint.FILE)["progress"]["iteration"] == 4


def test_equal_seeds_give_equal_numbers_and_other_seeds_others(tmp_path: Path) -> None:
    tables = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run = small_trainer(tmp_path / name, seed=seed)
        run.run(60.0, iterations=3)
        run.env.batch.close()
        tables.append([{k: v for k, v in row.items() if k not in CLOCK} for row in progress_rows(tmp_path / name)])
    assert len(tables[0]) == 3 and tables[0] == tables[1]
    assert tables[0] != tables[2]


def test_a_resumed_run_goes_on_alike_each_time_but_its_robots_start_anew(run: Trainer) -> None:
    """All that was drawn goes on where it was; only where the robots stood is not kept."""
    tables, starts = [], []
    content = {path.name: path.read_bytes() for path in run._folder.iterdir()}
    for _ in range(2):
        for name, data in content.items():
            (run._folder / name).write_bytes(data)
        again = small_trainer(run._folder, resume=True)
        starts.append(again.env.age.copy())
        again.run(60.0, iterations=2)
        again.env.batch.close()
        tables.append([{k: v for k, v in row.items() if k not in CLOCK} for row in progress_rows(run._folder)])
    assert tables[0] == tables[1] and [row["iteration"] for row in tables[0]] == ["1", "2", "3", "4"]
    assert int(tables[0][3]["samples"]) == 4 * ENVS * 4
    fresh, resumed = tables[0][:2], tables[0][2:]
    assert [row["reward_per_s"] for row in fresh] != [row["reward_per_s"] for row in resumed]  # no draw comes twice


def test_the_levels_of_the_environment_come_back(run: Trainer) -> None:
    run.env.commands.scale = 0.625
    run.save()
    again = small_trainer(run._folder, resume=True)
    assert again.env.commands.scale == 0.625
    again.env.batch.close()


def test_the_last_part_of_a_run_settles_and_stays_so_after_a_resume(run: Trainer) -> None:
    task = run.env.task
    settles = Settles(after=run.progress.samples + 1, entropy_coef=0.0, desired_kl=0.003)
    run.learner.settles = settles
    run.run(60.0, iterations=1)
    assert (run.learner.entropy_coef, run.learner.desired_kl) == (task.ppo.entropy_coef, task.ppo.desired_kl)
    run.run(60.0, iterations=1)
    assert (run.learner.entropy_coef, run.learner.desired_kl) == (0.0, 0.003)


def test_a_new_part_of_the_training_is_judged_by_itself(run: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rewards may be far below those of the part before, which is no collapse."""
    stage = [0]
    monkeypatch.setattr(type(run.env), "stage", property(lambda env: stage[0]))
    run.run(60.0, iterations=1)
    run._watch.best = 1e6
    run._settle()
    assert run._watch.best == 1e6
    stage[0] = 1
    run._settle()
    assert run._watch.best == 0.0
