"""Two values, bit by bit: where they first differ. Golden runs, which other processors replay, allow a rounding."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

LONGEST = 160  # characters of a value that is told
WALL_TIME = {"durations_ns"}  # fields that are measured, and not computed


@dataclass(frozen=True)
class Rounding:
    """By how much two numbers may differ, as a share of the recorded one, or of 1 where that is larger."""

    single: float = 0.0  # float32
    double: float = 0.0  # float64

    def allows(self, recorded: Any, found: Any) -> Any:
        """Return which of the numbers are near enough; both are of one floating type."""
        share = self.double if np.asarray(recorded).dtype.itemsize == 8 else self.single
        with np.errstate(invalid="ignore"):
            near = np.abs(np.subtract(found, recorded)) <= share * np.maximum(1.0, np.abs(recorded))
        return near if share else np.zeros_like(near)


EXACT = Rounding()


@dataclass(frozen=True)
class Difference:
    """One place in which two values differ."""

    field: str  # such as ``observation.groups.policy[3]``
    recorded: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.field}: recorded {_text(self.recorded)}, now {_text(self.found)}"


def first_difference(recorded: Any, found: Any, field: str = "", rounding: Rounding = EXACT) -> Difference | None:
    """Return the first place, in the order of the fields, in which the values differ; None where every bit is equal.

    NaN equals a NaN of the same bits, and -0.0 is not 0.0, unless ``rounding`` allows more.
    """
    if recorded is found:
        return None
    if isinstance(recorded, np.ndarray) and isinstance(found, np.ndarray):
        return _arrays(recorded, found, field, rounding)
    if dataclasses.is_dataclass(recorded) and type(recorded) is type(found):
        names = [item.name for item in dataclasses.fields(recorded) if item.name not in WALL_TIME]
        pairs = [(_join(field, name), getattr(recorded, name), getattr(found, name)) for name in names]
    elif isinstance(recorded, Mapping) and isinstance(found, Mapping):
        if set(recorded) != set(found):
            return Difference(f"{field} (names)", sorted(recorded), sorted(found))
        pairs = [(_join(field, str(key)), recorded[key], found[key]) for key in recorded]
    elif isinstance(recorded, (tuple, list)) and isinstance(found, (tuple, list)):
        if len(recorded) != len(found):
            return Difference(field, recorded, found)
        pairs = [(f"{field}[{i}]", one, other) for i, (one, other) in enumerate(zip(recorded, found, strict=True))]
    else:
        return None if _same(recorded, found, rounding) else Difference(field, recorded, found)
    found_first = (first_difference(one, other, name, rounding) for name, one, other in pairs)
    return next((difference for difference in found_first if difference is not None), None)


def _arrays(
    recorded: np.ndarray[Any, Any], found: np.ndarray[Any, Any], field: str, rounding: Rounding
) -> Difference | None:
    if recorded.shape != found.shape or recorded.dtype != found.dtype:
        return Difference(f"{field} (size)", f"{recorded.dtype}{recorded.shape}", f"{found.dtype}{found.shape}")
    one, other = (np.frombuffer(a.tobytes(), np.uint8).reshape(-1, a.dtype.itemsize) for a in (recorded, found))
    apart = (one != other).any(axis=1)
    if recorded.dtype.kind == "f" and apart.any():
        apart &= ~rounding.allows(recorded, found).reshape(-1)
    away = np.flatnonzero(apart)
    if not away.size:
        return None
    index = np.unravel_index(int(away[0]), recorded.shape)
    return Difference(f"{field}[{', '.join(str(i) for i in index)}]", recorded[index], found[index])


def _same(recorded: Any, found: Any, rounding: Rounding) -> bool:
    if isinstance(recorded, float) and isinstance(found, float):
        return struct.pack("<d", recorded) == struct.pack("<d", found) or bool(rounding.allows(recorded, found))
    return type(recorded) is type(found) and bool(recorded == found)


def _join(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{float(value)!r} ({float(value).hex()})"
    text = value if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
