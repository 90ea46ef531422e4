"""Past values of a term or of a group: a ring of frames that is read at the ages that the bundle lists."""

from __future__ import annotations

import numpy as np

from robot_policies.contract import History
from robot_policies.types import Array32


class HistoryRing:
    """Keeps the newest ``max(ages) + 1`` frames. No allocation after construction.

    Of the frame pushed at tick t, age 0 is the frame itself and age k the frame of tick t - k. For t - k < 0:
    ``first_frame`` gives the frame of tick 0, ``zeros`` gives 0, and ``zeros_then_first_frame`` gives 0 at tick 0 and
    the frame of tick 0 from tick 1 on. Entries in ``mask`` are stored as 0, so they are 0 at every age.

    Args:
        size: entries of one frame.
        history: ages, fill and mask.
    """

    def __init__(self, size: int, history: History) -> None:
        """Allocate the ring and the row of every age for every place of the head."""
        self._fill = history.fill
        self._mask = np.array(history.mask, dtype=np.intp)
        length = max(history.ages) + 1
        heads = np.arange(length, dtype=np.intp)[:, None]
        self._rows = (heads - np.array(history.ages, dtype=np.intp)[None, :]) % length  # (head, age) -> row
        self._ring = np.zeros((length, size), dtype=np.float32)
        self._out = np.zeros((len(history.ages), size), dtype=np.float32)
        self._flat = self._out.reshape(-1)
        self._head = 0
        self._pushed = 0

    @property
    def size(self) -> int:
        """Entries of what ``push`` returns: ages times the frame."""
        return self._flat.size

    def reset(self) -> None:
        """Forget every frame."""
        self._ring[:] = 0.0
        self._head = 0
        self._pushed = 0

    def push(self, frame: Array32) -> Array32:
        """Store ``frame`` (size,) as the present and return the frames at the ages, concatenated in their order.

        The result, (ages * size,), is a buffer that the next push writes over: copy what must last.
        """
        ring = self._ring
        head = self._head = (self._head + 1) % len(ring)
        ring[head] = frame
        if self._mask.size:
            ring[head, self._mask] = 0.0
        if self._pushed == 0 and self._fill == "first_frame":
            ring[:] = ring[head]
        ring.take(self._rows[head], axis=0, out=self._out, mode="clip")  # "clip": takes without a temporary
        if self._pushed == 0 and self._fill == "zeros_then_first_frame":
            ring[:] = ring[head]
        self._pushed += 1
        return self._flat
