"""Ctrl-C and SIGTERM as a wish: the run ends after its iteration, with a checkpoint and a bundle."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType

from typing_extensions import Self

_LINE = b"stopping after this iteration, then checkpoint and bundle; once more ends at once\n"


class StopSignals:
    """While entered, the first signal is kept in ``number``; a second one interrupts as Ctrl-C does."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.number = 0
        self._before: dict[int, signal.Handlers | int | None] = {}

    def __enter__(self) -> Self:
        """Take the two signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)  # type: ignore[assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Return whether one came."""
        return self.number != 0

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number
        os.write(2, _LINE)  # a handler may come in the middle of a write to a stream
