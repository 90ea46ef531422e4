"""The folder of one recording: where it lies, what is copied into it, and how many are kept."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from robot_policies import resources
from robot_policies.exceptions import RecordingError

FACTS, BUNDLES, CONFIG = "run.json", "bundles", "config"
PACKAGES = ("robot_policies", "numpy", "onnxruntime", "mujoco", "mcap")
MOST_RUNS = 50
MOST_BYTES = 5_000_000_000
GIT_LIMIT = 2.0  # [s]


def recordings() -> Path:
    """Return the folder of all recordings that have no other place: in the user's data folder."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "robot_policies" / "runs"


def new_run(name: str, parent: Path | None = None) -> Path:
    """Make and return a folder for a run of policy ``name``, below ``parent`` or below ``recordings()``.

    Raises:
        RecordingError: it cannot be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    folder = (parent or recordings()) / f"{stamp}-{Path(name).name}-{os.getpid()}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RecordingError(f"{folder}: no recording: {error.strerror}") from error
    return folder


def forget_old(folder: Path, most_runs: int = MOST_RUNS, most_bytes: int = MOST_BYTES) -> list[Path]:
    """Delete the oldest recordings of ``folder`` until it holds at most so many, of at most so many bytes.

    Only folders with a ``run.json`` are touched, the newest one never. Returns what was deleted.
    """
    runs = sorted((path.parent for path in folder.glob(f"*/{FACTS}")), reverse=True)  # names begin with their time
    gone, total = [], 0
    for kept, run in enumerate(runs, 1):
        total += sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
        if kept > 1 and (kept > most_runs or total > most_bytes):
            shutil.rmtree(run, ignore_errors=True)
            gone.append(run)
    return gone


def keep_facts(run: Path, robot: str, safety: str, bundles: tuple[str, ...]) -> None:
    """Write ``run.json`` and copies of robot file, safety file and bundles: a recording must not need this machine.

    Args:
        run: the folder.
        robot: name or path.
        safety: name or path.
        bundles: names or folders.

    Raises:
        RecordingError: something cannot be written.
        ResourceError: something is not there.
    """
    files = {kind: resources.find(kind, name) for kind, name in (("robots", robot), ("safety", safety))}
    folders = [resources.find("bundles", name) for name in bundles]
    facts = {
        "robot": files["robots"].stem,
        "safety": files["safety"].stem,
        "bundles": {folder.name: bundle_hash(folder) for folder in folders},
        "versions": _versions(),
        "git": _git_revision(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        for kind, path in files.items():
            (run / CONFIG / kind).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, run / CONFIG / kind / path.name)
        for folder in folders:
            shutil.copytree(folder, run / BUNDLES / folder.name, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise RecordingError(f"{run}: what the run was made of cannot be kept: {error}") from error


def bundle_hash(folder: Path) -> str:
    """Return the SHA-256 of a bundle's policy.yaml, which holds those of its other files."""
    return hashlib.sha256((folder / "policy.yaml").read_bytes()).hexdigest()


def keep_arguments(run: Path, values: Mapping[str, object]) -> None:
    """Write ``arguments.json``, the arguments of the bring-up. Raises ``RecordingError``."""
    try:
        (run / "arguments.json").write_text(json.dumps(dict(values), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{run}: no recording: {error.strerror}") from error


def _versions() -> dict[str, str]:
    known = {"python": platform.python_version(), "ros": os.environ.get("ROS_DISTRO", "")}
    for name in PACKAGES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = ""
    return known


def _git_revision() -> str:
    """Return the revision of the checkout that runs, with ``-dirty`` where it was changed; "" where there is none."""
    line = ["git", "-C", str(Path(__file__).resolve().parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=GIT_LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
