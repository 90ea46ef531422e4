"""Checkpoints: everything that a run needs to go on, written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from robot_policies.exceptions import ResourceError, expected
from sim2real.training import run_files
from sim2real.training.ppo import Learner

FILE = run_files.CHECKPOINT
_UNREADABLE = (
    OSError, RuntimeError, ValueError, EOFError, NotImplementedError, pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip


class Resumable(Protocol):
    """What a checkpoint needs of an environment."""

    rng: np.random.Generator

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the networks, as arrays by name; may be empty."""
        ...

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Take what ``state`` gave. Raises ResourceError where it does not fit."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far a run has come, over all its parts."""

    task: str
    seed: int
    envs: int
    iteration: int = 0
    samples: int = 0
    seconds: float = 0.0  # [s] of training


def save(folder: Path, learner: Learner, progress: Progress, env: Resumable) -> None:
    """Write the checkpoint and keep the one before it.

    Args:
        folder: of the run.
        learner: networks, optimiser, learning rate, normaliser.
        progress: how far the run is.
        env: its random generator and its own state go in as well.

    Raises:
        OSError: the disk is full, or the folder not writable; the old checkpoint is as it was.
    """
    values = {
        "progress": vars(progress),
        **learner.save(),
        "random": {"torch": torch.get_rng_state(), "env": json.dumps(env.rng.bit_generator.state)},
        "env": {name: torch.from_numpy(np.array(value)) for name, value in env.state().items()},
    }
    # torch.save to a full disk does not always end in an exception; to memory it does not fail.
    content = io.BytesIO()
    torch.save(values, content)
    run_files.replace_file(folder / FILE, content.getvalue(), keep=folder / run_files.PREVIOUS)


def read(path: Path) -> dict[str, Any]:
    """Return the values of a checkpoint; nothing in the file is executed.

    Raises:
        ResourceError: there is no checkpoint that is whole.
    """
    asked, remedy = f"checkpoint {path}: a file of a training run", "an older one in its place, or train anew"
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # torch itself does not compare the sums that it writes
        values = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ResourceError(expected(asked, str(error).splitlines()[0], remedy)) from error
    if broken is not None:
        raise ResourceError(expected(asked, f"{broken} garbled", remedy))
    if not isinstance(values, dict) or "actor_state_dict" not in values or "progress" not in values:
        raise ResourceError(expected(f"checkpoint {path}: progress, actor_state_dict", "other content", remedy))
    return values


def newest(folder: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return the newest checkpoint of a run that is whole; where that is not the last one, say so.

    Raises:
        ResourceError: neither the last one nor the one before is whole.
    """
    last, before = folder / FILE, folder / run_files.PREVIOUS
    try:
        return read(last)
    except ResourceError as error:
        if not before.is_file():
            raise
        values = read(before)
        if last.exists():
            os.replace(last, folder / run_files.DAMAGED)  # or the next save would put it in the place of the good one
        tell(f"{error}; using {before}, after {values['progress']['seconds'] / 60:.1f} min of training")
        return values


def resume(folder: Path, learner: Learner, progress: Progress, env: Resumable, tell: Callable[[str], None]) -> Progress:
    """Fill ``learner`` and ``env`` from a run's newest checkpoint and return how far it had come.

    Args:
        folder: of the run.
        learner: of the same sizes.
        progress: what the caller wants to go on with; the task must be the checkpoint's.
        env: gets its random generator and its own state back; where the robots stood is not kept.
        tell: is told where an older checkpoint is used.

    Raises:
        ResourceError: unreadable, of another task, or of other sizes.
    """
    values = newest(folder, tell)
    found = Progress(**values["progress"])
    asked = f"checkpoint {folder / FILE}"
    if found.task != progress.task:
        raise ResourceError(expected(f"{asked}: of task {progress.task}", found.task, "another --out"))
    try:
        learner.load(values, None, True)
    except (RuntimeError, ValueError, KeyError) as error:
        text = " ".join(str(error).split())
        raise ResourceError(expected(f"{asked}: networks of task {progress.task}", text, "train anew")) from error
    if values.get("env"):
        env.load_state({name: value.numpy() for name, value in values["env"].items()})
    if "random" in values:
        torch.set_rng_state(values["random"]["torch"])
        env.rng.bit_generator.state = json.loads(values["random"]["env"])
    return found


def save_actor(path: Path, values: dict[str, Any]) -> None:
    """Write only the actor of a checkpoint: small, for keeping."""
    torch.save({"progress": values["progress"], "actor_state_dict": values["actor_state_dict"]}, path)
