"""The files of a run, and writing one so that a kill or a full disk leaves the old one whole."""

from __future__ import annotations

import os
from pathlib import Path

CHECKPOINT = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"  # the one before, 3 minutes older
DAMAGED = "checkpoint.damaged.pt"  # one that could not be read, set aside when the run went on from the one before
PROGRESS = "progress.csv"
CURVES = "progress.png"


def has_checkpoint(folder: Path) -> bool:
    """Return whether a run in ``folder`` can be gone on with."""
    return any((folder / name).is_file() for name in (CHECKPOINT, PREVIOUS))


def replace_file(path: Path, content: bytes, keep: Path | None = None) -> None:
    """Replace a file whole: write beside it, flush to the disk, rename.

    Killed at any moment, this leaves the old content or the new one under ``path``, or, between its last two steps, the
    old one under ``keep``.

    Args:
        path: the file.
        content: its new content.
        keep: where the old file goes; None overwrites it.

    Raises:
        OSError: the disk is full, or the folder not writable; nothing has changed.
    """
    beside = path.with_name(f"{path.name}.partial")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        beside.unlink(missing_ok=True)  # a full disk gets its room back
        raise
    if keep is not None and path.exists():
        os.replace(path, keep)
    os.replace(beside, path)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Make the renames in ``folder`` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
