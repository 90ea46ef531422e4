"""Whether the machine itself stood still: a thread that only sleeps, and how late it woke up."""

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

    Attributes:
        worst: the latest wake-up since ``begin`` [s].
    """

    def __init__(self) -> None:
        """Prepare; nothing runs yet."""
        self.worst = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Stalls:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def begin(self) -> None:
        """Forget what was."""
        self.worst = 0.0

    def _watch(self) -> None:
        with contextlib.suppress(PermissionError):  # then it is as late as an ordinary process
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_FIFO, os.sched_param(PRIORITY))
        while not self._over.is_set():
            due = time.monotonic() + PERIOD
            time.sleep(PERIOD)
            self.worst = max(self.worst, time.monotonic() - due)
