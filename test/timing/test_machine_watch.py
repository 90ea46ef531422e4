"""``--again-after-stalls``: a failure on a machine that stood still is tried again, any other is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import os, time, pytest
tries = []

@pytest.fixture(scope="module")
def spoilt():
    tries.append(1)
    if len(tries) < {passes}:
        time.sleep({stall} and 0.05)
        stand_still({stall})
        raise AssertionError("too late")

def stand_still(seconds):
    if seconds:  # takes one processor from everything else, as a hypervisor does
        os.sched_setaffinity(0, {{max(os.sched_getaffinity(0))}})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

def test_in_time(spoilt):
    print("tried", len(tries))
"""


def outcome(folder: Path, stall: float, passes: int) -> str:
    """Return what pytest says of a test whose fixture fails until the ``passes``-th try, after such stalls [s]."""
    (folder / "conftest.py").symlink_to(ROOT / "test" / "conftest.py")
    (folder / "test_late.py").write_text(TESTS.format(stall=stall, passes=passes))
    line = [sys.executable, "-m", "pytest", str(folder), "--rootdir", str(folder), "-q", "--again-after-stalls"]
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "test")))}
    done = subprocess.run(line, env={**os.environ, **paths}, capture_output=True, text=True, timeout=60.0)
    return done.stdout.splitlines()[-1] + done.stderr


@pytest.fixture
def realtime() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(90))
    except PermissionError:
        pytest.skip("a stall is made by SCHED_FIFO, which this user may not take")
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def test_a_failure_in_a_stall_is_tried_again(tmp_path: Path, realtime: None) -> None:
    assert outcome(tmp_path, 0.15, 3).startswith("1 passed, 2 rerun in")


def test_twice_and_no_more(tmp_path: Path, realtime: None) -> None:
    assert outcome(tmp_path, 0.15, 4).startswith("1 error, 2 rerun in")


def test_a_failure_without_a_stall_stays_one(tmp_path: Path) -> None:
    assert outcome(tmp_path, 0.0, 2).startswith("1 error in")
