"""The folder of one recording: where it lies, what is copied into it, and how many are kept."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from robot_policies import resources
from robot_policies.control.recording.facts import (
    BUNDLES,
    CONFIG,
    DROPPED,
    ERROR,
    FACTS,
    SKIPPED,
    bundle_hash,
    read_facts,
    read_json,
)
from robot_policies.exceptions import RecordingError, expected
from robot_policies.robot_spec import load_robot_spec

ARGUMENTS = "arguments.json"
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


def keep_arguments(run: Path, values: Mapping[str, object]) -> None:
    """Write ``arguments.json``, the arguments of the bring-up, and keep what they name (``keep_facts``).

    For whoever starts the processes, and before: a run that is killed early says what it was made of, too.

    Raises:
        RecordingError: something cannot be written.
        ResourceError: something is not there.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"{run}: no recording: {error.strerror}") from error
    _write_json(run / ARGUMENTS, values)
    robot, safety, *bundles = (str(values.get(name) or "") for name in ("robot", "safety", "policy", "companion"))
    if robot:
        keep_facts(run, robot, safety, tuple(name for name in bundles if name))


def keep_facts(run: Path, robot: str, safety: str, bundles: tuple[str, ...]) -> None:
    """Write ``run.json`` and copies of robot file, safety file and bundles: a recording must not need this machine.

    What is there already, as from who started the process that records, stays as it is.

    Args:
        run: the folder.
        robot: name or path.
        safety: name or path; "" for the robot's own.
        bundles: names or folders.

    Raises:
        RecordingError: something cannot be written, or a copy of something else is there under the same name.
        RobotPoliciesError: something is not there, or cannot be read.
    """
    robot_file = resources.find("robots", robot)
    files = {"robots": robot_file, "safety": resources.find("safety", safety or load_robot_spec(robot_file).name)}
    folders = [resources.find("bundles", name) for name in bundles]
    names = kept_names(folders)
    facts = {
        "robot": files["robots"].stem,
        "safety": files["safety"].stem,
        "bundles": {name: bundle_hash(folder) for name, folder in zip(names, folders, strict=True)},
        "versions": _versions(),
        "git": _git_revision(),
    }
    known = read_facts(run)
    if any(known.get(key) != value for key, value in facts.items()):
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        _write_json(run / FACTS, {**facts, "started": started})
    try:
        for kind, path in files.items():
            _keep_file(path, run / CONFIG / kind / path.name)
        for name, folder in zip(names, folders, strict=True):
            _keep_bundle(folder, run / BUNDLES / name)
    except (OSError, shutil.Error) as error:
        raise RecordingError(f"{run}: what the run was made of cannot be kept: {error}") from error


def keep_outcome(run: Path, report: Mapping[str, object]) -> None:
    """Add to ``run.json`` what a run's report says of its recording. Raises ``RecordingError``."""
    told = {key: value for key, value in report.items() if key.endswith(DROPPED) or key in (ERROR, SKIPPED)}
    _write_json(run / FACTS, {**read_json(run / FACTS), "recording": told})


def kept_names(folders: Sequence[Path]) -> list[str]:
    """Return the names under which bundles are kept: those of their folders, with a part of the hash for a namesake."""
    places = [Path(os.path.abspath(folder)) for folder in folders]
    names = [place.name for place in places]
    return [
        name if places[names.index(name)] == place else f"{name}-{bundle_hash(place)[:12]}"
        for name, place in zip(names, places, strict=True)
    ]


def _keep_file(source: Path, place: Path) -> None:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    elif place.read_bytes() != source.read_bytes():
        _refuse(place)


def _keep_bundle(source: Path, place: Path) -> None:
    if not place.exists():
        shutil.copytree(source, place)
    elif bundle_hash(place) != bundle_hash(source):
        _refuse(place)


def _refuse(place: Path) -> None:
    """Leave what somebody has put there: it may be another run's, or no recording at all."""
    raise RecordingError(
        expected(f"{place}: nothing yet", "something else of that name", "a new folder to record into")
    )


def _write_json(path: Path, values: Mapping[str, object]) -> None:
    """Write a file, in the place that it takes already: a disk may be full when a run ends."""
    data = (json.dumps(dict(values), indent=2) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as stream:  # keeps what is there, up to here
            stream.write(data)
            stream.truncate()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror}") from error


def _versions() -> dict[str, str]:
    known = {"python": platform.python_version(), "ros": os.environ.get("ROS_DISTRO", "")}
    for name in PACKAGES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = ""
    return known


def _git_revision() -> str:
    """Return the revision of the checkout that runs, with ``-dirty`` where it was changed; "" where there is none.

    A package that is installed inside of somebody's repository has none: that one's revision says nothing of it.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():  # a file, in a work tree of its own
        return ""
    line = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # as within a hook
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=GIT_LIMIT, env=own)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
