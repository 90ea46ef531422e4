"""Processes that a benchmark starts: each ends with it, by its own id, whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from robot_policies.control.pacing import PRIORITY
from robot_policies.exceptions import RobotError

PR_SET_PDEATHSIG = 1  # linux/prctl.h
END_LIMIT = 5.0  # [s] for a process to land its robot and end
BUSY = "while True: pass"


class Child:
    """One process in a session of its own, so that a Ctrl-C reaches it through us, once."""

    def __init__(self, arguments: Sequence[str], output: Path) -> None:
        """Start ``python ARGUMENTS``; what it says goes to the file ``output``."""
        self._output = output
        with output.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                preexec_fn=_with_parent,  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ``RobotError`` with its last words where it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise RobotError(f"a process of the benchmark ended with code {code}: {self.last_words()}")

    def wait(self, limit: float) -> None:
        """Wait for its end. Raises ``RobotError`` where it takes longer than ``limit`` [s] or fails."""
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired as error:
            raise RobotError(f"no end within {limit:g} s: {self.last_words()}") from error
        if code != 0:
            raise RobotError(f"code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line that it said."""
        lines = self._output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "nothing said"

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End it in order, and kill it where that does not help."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used [s], of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime of proc(5)


@contextmanager
def running(arguments: Sequence[str], output: Path) -> Iterator[Child]:
    """Give a process and end it."""
    child = Child(arguments, output)
    try:
        yield child
    finally:
        child.end()


@contextmanager
def busy(count: int, scratch: Path) -> Iterator[None]:
    """Keep ``count`` cores busy with ordinary processes."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(running(["-c", BUSY], scratch / "busy.log"))
        time.sleep(0.3 if count else 0.0)
        yield


def schedule(pid: int, fifo: bool) -> None:
    """Put all threads of a process into SCHED_FIFO, or out of it. Raises ``PermissionError``."""
    kind, priority = (os.SCHED_FIFO, PRIORITY) if fifo else (os.SCHED_OTHER, 0)
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread), kind, os.sched_param(priority))


def fifo_permitted() -> bool:
    """Return whether this user may have SCHED_FIFO; tried on this process, and undone."""
    try:
        schedule(os.getpid(), True)
    except OSError:
        return False
    schedule(os.getpid(), False)
    return True


def _with_parent() -> None:
    """In the child: leave the terminal's group, and end with the parent."""
    os.setsid()
    end_with_parent()


def end_with_parent() -> None:
    """Have this process be sent SIGTERM when the one that started it ends, however that does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


Progress = Callable[[str], None]
