"""A number changed in a recording of a run, as if it had been another then, and the replay that has to find it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from helpers.node_process import environment, free_domain
from helpers.recorded import calls, rewrite

from robot_policies.control.recording.steps import Call
from robot_policies.types import PolicyRecord, RobotRecord

AFTER = 40  # calls that are kept behind a change: what is planted is found as well in a short recording
LIMIT = 120.0  # [s]

Change = Callable[[Call], Call]


def replayed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``robot-policies replay`` as a user does."""
    line = [sys.executable, "-m", "robot_policies.cli", "replay", *map(str, arguments)]
    return subprocess.run(line, env=environment(free_domain()), capture_output=True, text=True, timeout=LIMIT)


def whole(run: Path) -> tuple[int, int]:
    """Replay a run that must have no difference and miss nothing; return its ticks and cycles."""
    done = replayed(run)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missing" not in done.stdout and "not run again" not in done.stdout
    found = re.fullmatch(
        r"policy: (\d+) ticks, \d+ calls: no difference\nrobot: (\d+) cycles, \d+ calls: no difference\n", done.stdout
    )
    assert found, done.stdout
    return int(found[1]), int(found[2])


def steps(run: Path, topic: str) -> list[Call]:
    """Return the calls that are ticks or cycles."""
    return [call for call in calls(run, topic) if isinstance(call.result, (PolicyRecord, RobotRecord))]


def plant(run: Path, topic: str, number: int, change: Change) -> None:
    """Let ``change`` make another call of the one with ``number`` in the file, and cut off what comes long after it."""
    found = [change(call) if call.number == number else call for call in calls(run, topic)]
    place = next(at for at, call in enumerate(found) if call.number == number)
    rewrite(run, topic, found[: place + AFTER])


def in_result(path: str, index: Any) -> Change:
    """Return what flips the lowest bit of a number of the recorded outcome, as ``action.raw`` or ``safe.joint_pos``."""
    return lambda call: dataclasses.replace(call, result=_with(call.result, path.split("."), index))


def in_inputs(path: str, index: Any) -> Change:
    """Return what does so in the first argument."""
    return lambda call: dataclasses.replace(call, args=(_with(call.args[0], path.split("."), index), *call.args[1:]))


def number_at(value: Any, path: str, index: Any) -> float:
    """Return the number at a place."""
    for name in path.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return float(value[index])


def _with(value: Any, path: list[str], index: Any) -> Any:
    if not path:
        changed = np.array(value)
        changed.view(f"u{changed.itemsize}")[index] ^= 1
        return changed
    name, *rest = path
    if isinstance(value, dict):
        return {**value, name: _with(value[name], rest, index)}
    return dataclasses.replace(value, **{name: _with(getattr(value, name), rest, index)})
