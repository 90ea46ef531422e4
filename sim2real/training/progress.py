"""The CSV of a run, and the watch that stops it when it diverges."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path


class ProgressFile:
    """One row per iteration; going on appends to the same file."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``; the header comes with the first row of a new file."""
        self._path = path

    def write(self, row: Mapping[str, float]) -> None:
        """Append one row; numbers have 5 significant digits."""
        new = not self._path.exists() or self._path.stat().st_size == 0
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row)
            writer.writerow([value if isinstance(value, int) else f"{value:.5g}" for value in row.values()])


class Watch:
    """Says when a run has gone wrong: a value that is not finite, or a reward that fell and stays down."""

    def __init__(self, share: float = 0.3, patience: int = 60, smoothing: float = 0.9) -> None:
        """Collapse = the smoothed reward below ``share`` of its best for ``patience`` iterations."""
        self._share, self._patience, self._smoothing = share, patience, smoothing
        self._smooth: float | None = None
        self._low = 0
        self.best = 0.0

    def check(self, reward: float, losses: Mapping[str, float]) -> str | None:
        """Return what is wrong, in words, or None.

        Args:
            reward: mean reward of the iteration.
            losses: of the iteration.
        """
        wrong = [name for name, value in {"reward": reward, **losses}.items() if not math.isfinite(value)]
        if wrong:
            self._low = self._patience
            return f"{', '.join(wrong)} not finite"
        before = reward if self._smooth is None else self._smooth
        self._smooth = self._smoothing * before + (1.0 - self._smoothing) * reward
        self.best = max(self.best, self._smooth)
        self._low = self._low + 1 if self._smooth < self._share * self.best else 0
        if self._low >= self._patience:
            return f"reward {self._smooth:.4f}, after a best of {self.best:.4f}, for {self._low} iterations"
        return None

    @property
    def healthy(self) -> bool:
        """Whether the newest networks are worth keeping."""
        return self._low == 0 and self._smooth is not None
