"""Checkpoints: everything that a run needs to go on, written whole or not at all."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rsl_rl.algorithms import PPO

from robot_policies.exceptions import ResourceError, expected

FILE = "checkpoint.pt"
BEST = "best.pt"


@dataclass(frozen=True)
class Progress:
    """How far a run has come, over all its parts."""

    task: str
    seed: int
    envs: int
    iteration: int = 0
    samples: int = 0
    seconds: float = 0.0  # [s] of training


def save(path: Path, ppo: PPO, progress: Progress) -> None:
    """Write a checkpoint; an interrupted write leaves the old one."""
    values = {"progress": vars(progress), **ppo.save()}
    beside = path.with_suffix(".partial")
    torch.save(values, beside)
    os.replace(beside, path)


def read(path: Path) -> dict[str, Any]:
    """Return the values of a checkpoint; nothing in the file is executed.

    Raises:
        ResourceError: there is no readable checkpoint.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        found = str(error).splitlines()[0]
        raise ResourceError(expected(f"checkpoint {path}: a file of a training run", found, "train anew")) from error
    if not isinstance(values, dict) or "actor_state_dict" not in values or "progress" not in values:
        raise ResourceError(expected(f"checkpoint {path}: progress, actor_state_dict", "other content", "train anew"))
    return values


def resume(path: Path, ppo: PPO, progress: Progress) -> Progress:
    """Fill ``ppo`` from a checkpoint and return how far it had come.

    Args:
        path: the checkpoint.
        ppo: of the same sizes.
        progress: what the caller wants to go on with; task and environments must be the checkpoint's.

    Raises:
        ResourceError: unreadable, or of another task.
    """
    values = read(path)
    found = Progress(**values["progress"])
    if found.task != progress.task:
        raise ResourceError(expected(f"checkpoint {path}: of task {progress.task}", found.task, "another --out"))
    ppo.load(values, None, True)
    return found


def save_actor(path: Path, values: dict[str, Any]) -> None:
    """Write only the actor of a checkpoint: small, for keeping."""
    torch.save({"progress": values["progress"], "actor_state_dict": values["actor_state_dict"]}, path)
