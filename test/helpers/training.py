"""A small run for tests of the trainer: few robots on a plane, one thread."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sim2real.training.build import build_env
from sim2real.training.grounds import GroundKind
from sim2real.training.task import Task
from sim2real.training.tasks import GO2_WALK
from sim2real.training.trainer import Trainer

ENVS = 8
TASK: Task = replace(
    GO2_WALK, grounds=(GroundKind("flat", 1.0),), ppo=replace(GO2_WALK.ppo, steps=4, num_learning_epochs=2)
)


def small_trainer(
    folder: Path, resume: bool = False, tell: Callable[[str], None] | None = None, task: Task = TASK, seed: int = 0
) -> Trainer:
    """Return a trainer of ``ENVS`` robots in ``folder``."""
    env = build_env(task, ENVS, seed, threads=1)
    return Trainer(env, folder, seed, resume, tell or (lambda line: None))


def progress_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a run's progress."""
    with (folder / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))
