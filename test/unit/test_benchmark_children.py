"""Processes of a benchmark end with it, each by its own id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot_policies.exceptions import RobotError
from sim2real.benchmark import children
from sim2real.benchmark.children import Child, busy, fifo_permitted, running, schedule
from sim2real.benchmark.machine import load, machine, not_quiet

SLEEP = ["-c", "import time; time.sleep(60)"]
STUBBORN = ["-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"]


def alive(pid: int) -> bool:
    """Whether the process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(done: object, limit: float = 20.0) -> bool:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if done():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_a_child_ends_with_its_block_also_where_that_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), running(SLEEP, tmp_path / "log") as child:
        assert alive(child.pid)
        raise KeyboardInterrupt
    assert not alive(child.pid)


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "END_LIMIT", 0.3)
    with running(STUBBORN, tmp_path / "log") as child:
        assert until(lambda: child.last_words() == "up")
    assert not alive(child.pid)


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sim2real.benchmark.children import Child;"
        f"print(Child({SLEEP!r}, Path({str(tmp_path / 'log')!r})).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    assert until(lambda: not alive(pid))


def test_an_end_is_told_with_the_last_words(tmp_path: Path) -> None:
    child = Child(["-c", "import sys; print('why'); sys.exit(3)"], tmp_path / "log")
    with pytest.raises(RobotError, match="code 3: why"):
        child.wait(20.0)
    with pytest.raises(RobotError, match="ended with code 3: why"):
        child.check()
    with running(SLEEP, tmp_path / "other") as sleeping:
        sleeping.check()
        with pytest.raises(RobotError, match="no end within"):
            sleeping.wait(0.05)


def test_processor_time_is_that_of_the_process(tmp_path: Path) -> None:
    with running(SLEEP, tmp_path / "log") as idle, busy(1, tmp_path):
        before, begun = idle.cpu_seconds(), time.process_time()
        while time.process_time() - begun < 0.2:
            pass
        assert idle.cpu_seconds() - before < 0.1
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint('up', flush=True); time.sleep(60)"
    with running(["-c", code], tmp_path / "busy") as worker:
        assert until(lambda: worker.last_words() == "up")
        assert 0.25 < worker.cpu_seconds() < 1.0


def test_busy_processes_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    begin = Child.__init__

    def noted(self: Child, *args: object) -> None:
        begin(self, *args)  # type: ignore[arg-type]
        started.append(self.pid)

    monkeypatch.setattr(Child, "__init__", noted)
    with busy(2, tmp_path):
        assert len(started) == 2 and all(map(alive, started))
    assert not any(map(alive, started))


@pytest.mark.skipif(not fifo_permitted(), reason="SCHED_FIFO is not permitted here")
def test_scheduling_is_set_for_all_threads_and_undone(tmp_path: Path) -> None:
    code = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); print('up', flush=True)"
    with running(["-c", code], tmp_path / "log") as child:
        assert until(lambda: child.last_words() == "up")
        threads = [int(thread) for thread in os.listdir(f"/proc/{child.pid}/task")]
        assert len(threads) == 2
        for fifo, kind in ((True, os.SCHED_FIFO), (False, os.SCHED_OTHER)):
            schedule(child.pid, fifo)
            assert [os.sched_getscheduler(thread) for thread in threads] == [kind, kind]
        child.kill()
    assert os.sched_getscheduler(0) == os.SCHED_OTHER, "the trial of the right was not undone"


def test_without_the_right_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert not fifo_permitted()


def test_the_machine_and_its_load() -> None:
    said = machine()
    assert said["cores"] == os.cpu_count() and said["cpu"] and "numpy" in said["versions"]
    assert load() >= 0.0
    assert not_quiet(0.5) is None
    assert "load 0.51" in str(not_quiet(0.51))
    assert signal.getsignal(signal.SIGINT) is not None
