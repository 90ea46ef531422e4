"""Whether the machine itself stood still: threads that only sleep, one on each processor, and how late they woke up."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from types import TracebackType

from robot_policies.control.pacing import PRIORITY

PERIOD = 0.005  # [s]


class Stalls:
    """Watches for as long as the context lasts, in SCHED_FIFO where the user may, as the nodes are.

    A virtual machine's processors stand still one by one: a single thread would have moved on to another.
    """

    def __init__(self) -> None:
        """Prepare; nothing runs yet."""
        self._late = dict.fromkeys(sorted(os.sched_getaffinity(0)), 0.0)  # [s], the latest wake-up of each
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(core,), daemon=True) for core in self._late]

    def __enter__(self) -> Stalls:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the threads."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def begin(self) -> None:
        """Forget what was."""
        self._late.update(dict.fromkeys(self._late, 0.0))

    @property
    def worst(self) -> float:
        """The latest wake-up since ``begin`` [s]."""
        return max(self._late.values())

    def _watch(self, core: int) -> None:
        os.sched_setaffinity(threading.get_native_id(), {core})
        with contextlib.suppress(PermissionError):  # then it is as late as an ordinary process
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_FIFO, os.sched_param(PRIORITY))
        while not self._over.is_set():
            due = time.monotonic() + PERIOD
            time.sleep(PERIOD)
            self._late[core] = max(self._late[core], time.monotonic() - due)
