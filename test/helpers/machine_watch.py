"""Tests that keep time on a machine that does not: whether it stood still while a test ran, so that it may run again.

``--again-after-stalls`` gives a test that failed two more tries if, and only if, a process that does nothing else saw
a processor stand still for longer than ``STALL`` meanwhile. Watchdogs of 100 ms act on such a stall, as they should.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sim2real.faults.stalls import Stalls

STALL = 0.05  # [s], half of the shortest maximum age in the safety files
TRIES = 2  # more
WRITTEN = 0.2  # [s] after which a stall is written down


class MachineWatch:
    """A plugin of pytest; true while a stall falls into the present test."""

    def __init__(self, config: pytest.Config, notes: Path) -> None:
        """Start the process that watches; it ends with this one."""
        self._notes, self._begun, self._failed = notes, time.monotonic(), False
        notes.touch()
        root = Path(__file__).resolve().parents[2]
        line = [sys.executable, "-m", "helpers.machine_watch", str(notes)]
        paths = {"PYTHONPATH": os.pathsep.join((str(root), str(root / "test")))}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        watch = subprocess.Popen(line, **pipes, env={**os.environ, **paths})
        assert watch.stdout is not None and watch.stdout.readline(), "the watch over the machine did not start"
        config.add_cleanup(lambda: (watch.communicate(), None)[1])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let every test ask this watch whether it may run again."""
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=TRIES, condition=self))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """A try begins."""
        self._begun, self._failed = time.monotonic(), False

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, None]:
        """Note whether there is anything to ask."""
        outcome = yield
        self._failed |= outcome.get_result().failed

    def __bool__(self) -> bool:
        """Return whether the try failed and the machine stood still since it began; asked of every part of it."""
        if not self._failed:
            return False
        time.sleep(WRITTEN)
        stalls = [tuple(map(float, line.split())) for line in self._notes.read_text().splitlines()]
        return any(end >= self._begun for end, _ in stalls)


def watch(notes: Path) -> None:
    """Write down when a stall ended [s, monotonic] and how long it was [s], until the standard input closes."""
    with Stalls() as stalls, notes.open("a", buffering=1) as file:
        sys.stdout.write("watching\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], WRITTEN / 4)[0]:
            worst = stalls.worst
            stalls.begin()
            if worst > STALL:
                file.write(f"{time.monotonic():.3f} {worst:.3f}\n")


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
