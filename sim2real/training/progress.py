"""The CSV of a run, and the watch that stops it when it diverges."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from sim2real.training.run_files import replace_file


class ProgressFile:
    """One row per iteration; going on appends to the same file."""

    def __init__(self, path: Path, done: int | None = None) -> None:
        """Write to ``path``; the header comes with the first row of a new file.

        Args:
            path: the file.
            done: the last iteration that counts; rows after it, of a run that was killed, are dropped. None keeps all.
        """
        self._path, self._done = path, done
        self._columns: list[str] = []

    def write(self, row: Mapping[str, float]) -> None:
        """Append one row; numbers have 5 significant digits.

        A run that goes on with other reward terms than the file's gets a column for each of both.

        Raises:
            OSError: the disk is full; the file ends with the last whole row.
        """
        if not self._columns:
            self._columns = self._agree(list(row))
        size = self._path.stat().st_size
        texts = [_text(row[name]) if name in row else "" for name in self._columns]
        try:
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(texts)
        except OSError:
            os.truncate(self._path, size)
            raise

    def _agree(self, wanted: list[str]) -> list[str]:
        """Make the file's header hold the columns ``wanted`` and return it."""
        rows = read_rows(self._path) if self._path.exists() else []
        found = list(rows[0]) if rows else []
        columns = found + [name for name in wanted if name not in found]
        kept = [row for row in rows if self._done is None or int(row["iteration"]) <= self._done]
        table = _table(columns, kept)
        if not self._path.exists() or self._path.read_bytes() != table.encode():
            replace_file(self._path, table.encode())
        return columns


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a progress file by column; a row that a kill cut short is left out."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return [row for row in csv.DictReader(file) if None not in row and None not in row.values()]


def _table(columns: list[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.5g}"


WORTH = 0.005  # mean reward of a step, below which a beginner has nothing to lose


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
        fallen = self.best > WORTH and self._smooth < self._share * self.best
        self._low = self._low + 1 if fallen else 0
        if self._low >= self._patience:
            return f"reward {self._smooth:.4f}, after a best of {self.best:.4f}, for {self._low} iterations"
        return None

    @property
    def healthy(self) -> bool:
        """Whether the newest networks are worth keeping."""
        return self._low == 0 and self._smooth is not None
