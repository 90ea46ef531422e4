"""Where a bring-up is recorded: a new folder for each run, made before its processes start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from robot_policies.control.recording.folder import forget_old, keep_arguments, new_run, recordings
from robot_policies.exceptions import RecordingError
from robot_policies.nodes.bringup import Bringup

RECORD, FOLDER = "record", "record_folder"  # arguments of a bring-up that can be recorded


def recording_folder(bringup: Bringup, given: Mapping[str, Any], warn: Callable[[str], object]) -> str:
    """Make the folder of this run's recording and return it, "" where nothing is recorded.

    Args:
        bringup: one without the argument ``record`` is not recorded.
        given: its arguments, as ``Bringup.resolve`` takes them.
        warn: told why nothing is recorded, where the user's data folder cannot be written.

    Raises:
        ResourceError: an argument is wrong.
        RecordingError: the folder that ``record_folder`` asks for cannot be made.
    """
    values = bringup.values(given)
    if not values.get(RECORD):
        return ""
    parent = str(values.get(FOLDER, ""))
    # Two robots of one launch file begin in the same second.
    robot = str(given.get("namespace", "")).strip("/").replace("/", "_")
    name = "-".join(filter(None, (robot, Path(str(values.get("policy", ""))).name))) or "none"
    try:
        folder = new_run(name, Path(parent).expanduser() if parent else None)
        keep_arguments(folder, values)
    except RecordingError as error:
        if parent:
            raise
        warn(str(error))
        return ""
    if not parent:
        forget_old(recordings())
    return str(folder.resolve())
