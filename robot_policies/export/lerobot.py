"""Recordings as a LeRobot dataset (format v3), written by the ``lerobot`` package itself."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot_policies.exceptions import RecordingError, ResourceError, expected
from robot_policies.export.episodes import Episodes, same_features

INSTALL = 'pip install "lerobot>=0.4" (from 0.5 on "lerobot[dataset]")'


def check_package() -> Any:
    """Return the class ``LeRobotDataset``. Raises ``ResourceError`` where it is not installed; says what to do."""
    try:
        return importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    except (ImportError, AttributeError) as error:
        raise ResourceError(expected("export lerobot: the package lerobot", error, INSTALL)) from error


def export(runs: Sequence[Episodes], folder: Path, task: str) -> int:
    """Write recordings as one data set and return its number of frames.

    Args:
        runs: recordings of one robot, rate and set of features.
        folder: of the data set; must not exist yet.
        task: what the policy was told to do, in words.

    Raises:
        ResourceError: ``lerobot`` is not installed.
        RecordingError: the recordings do not fit together, or the folder is there already or cannot be written.
    """
    dataset_class = check_package()
    same_features(runs)
    if folder.exists():
        raise RecordingError(expected(f"a new folder {folder}", "it is there already", "another one"))
    first = runs[0]
    features = {
        name: {"dtype": each.dtype, "shape": each.shape, "names": None if each.names is None else list(each.names)}
        for name, each in first.features.items()
    }
    frames = 0
    try:
        dataset = dataset_class.create(
            f"local/{folder.name}", first.fps, features=features, root=folder, robot_type=first.robot, use_videos=False
        )
        for run in runs:
            for episode in range(len(run.rows)):
                for frame in run.frames(episode):
                    dataset.add_frame({**frame, "task": task})
                    frames += 1
                dataset.save_episode()
        dataset.finalize()
    except OSError as error:
        raise RecordingError(expected(f"a folder to write at {folder}", error, "another one")) from error
    return frames
