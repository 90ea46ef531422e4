"""What a check found, and how checks are run so that none of them can hang the doctor."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from robot_policies.exceptions import RobotPoliciesError

Level = Literal["OK", "WARN", "FAIL"]
LEVELS: tuple[Level, ...] = ("OK", "WARN", "FAIL")  # from best to worst; the place is the exit code


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do where it is not well."""

    check: str
    level: Level
    found: str
    todo: str = ""

    def __str__(self) -> str:
        """Return the line."""
        return f"{self.level:4} {self.check}: {self.found}" + (f"; do: {self.todo}" if self.todo else "")


@dataclass(frozen=True)
class Check:
    """A check and the time that it may take."""

    name: str
    look: Callable[[], Finding]
    limit: float = 10.0  # [s]


def worst(findings: Sequence[Finding]) -> int:
    """Return the place of the worst level in ``LEVELS``."""
    return max((LEVELS.index(finding.level) for finding in findings), default=0)


def run(checks: Sequence[Check]) -> list[Finding]:
    """Run all checks side by side and return what each found, in their order.

    A check that takes longer than its limit is left behind: it is a finding too.
    """
    runners = [_Runner(check) for check in checks]
    return [runner.result() for runner in runners]


class _Runner:
    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: Finding | None = None
        self._end = time.monotonic() + check.limit
        self._thread = threading.Thread(target=self._run, daemon=True)  # one that hangs does not keep the process
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._check.look()
        except (RobotPoliciesError, OSError) as error:
            self._found = Finding(self._check.name, "FAIL", " ".join(str(error).split()))

    def result(self) -> Finding:
        self._thread.join(max(self._end - time.monotonic(), 0.0))
        if self._found is not None:
            return self._found
        if self._thread.is_alive():
            told, todo = f"no answer within {self._check.limit:g} s", "look why, and ask again"
        else:
            told, todo = "the check itself broke; the trace is above", "report it"
        return Finding(self._check.name, "FAIL", told, todo)


def child(module: str, *arguments: str, limit: float) -> dict[str, Any]:
    """Run a module of ours in a process of its own and return the JSON object that it prints last.

    Raises:
        RobotPoliciesError: it took longer than ``limit`` [s] and was killed, or it failed.
    """
    line = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired as error:
        raise RobotPoliciesError(f"no answer within {limit:g} s") from error
    said = [text for text in done.stdout.splitlines() if text.startswith("{")]
    if done.returncode or not said:
        errors = [text for text in done.stderr.splitlines() if text.strip()] or [f"exit code {done.returncode}"]
        raise RobotPoliciesError(errors[-1])
    return dict(json.loads(said[-1]))
