"""Values of many steps as arrays, one row per step; a row that does not fit is refused, so that all of them line up."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot_policies.types import Array

LARGEST = 1e15  # no joint, time or velocity is: it comes from damaged bytes, and would spoil every axis


class Columns:
    """Rows of named vectors. The first row that has a column gives its width; None is a row of NaN."""

    def __init__(self) -> None:
        """Start without rows."""
        self.count = 0
        self._values: dict[str, list[Array | None]] = {}
        self._widths: dict[str, int] = {}

    def add(self, **values: Any) -> None:
        """Add one row, all of it or nothing.

        Raises:
            ValueError: a value is no vector of numbers, or not as wide as those before.
            TypeError: a value is not made of numbers.
        """
        row = {name: None if value is None else _vector(value) for name, value in values.items()}
        for name, vector in row.items():
            if vector is not None and vector.size != self._widths.get(name, vector.size):
                raise ValueError(f"{name}: {vector.size} numbers, and {self._widths[name]} before")
        for name, vector in row.items():
            if vector is not None:
                self._widths.setdefault(name, vector.size)
            self._values.setdefault(name, [None] * self.count).append(vector)
        self.count += 1
        for kept in self._values.values():
            kept.extend([None] * (self.count - len(kept)))

    def array(self, name: str) -> Array:
        """Return a column, (rows, width); width 0 where no row has it."""
        width = self._widths.get(name, 0)
        table = np.full((self.count, width), np.nan)
        for row, vector in enumerate(self._values.get(name, [])):
            if vector is not None:
                table[row] = vector
        return table


def _vector(value: Any) -> Array:
    vector = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if vector.ndim != 1:
        raise ValueError(f"an array of shape {vector.shape}")
    if (np.abs(vector[np.isfinite(vector)]) > LARGEST).any():
        raise ValueError(f"a number beyond {LARGEST:g}")
    return vector


def stamp(value: Any) -> int:
    """Return a time [ns]. Raises ``ValueError`` for what cannot be one: not a whole number of 64 bits."""
    if not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(f"no stamp: {value!r}")
    return value


def flat(column: Array) -> Array:
    """Return a column (rows, 1) as (rows,); NaN where it has no width, as no row had it."""
    return column[:, 0] if column.shape[1] else np.full(column.shape[0], np.nan)
