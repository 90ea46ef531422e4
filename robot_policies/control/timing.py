"""Percentiles of durations in bounded memory, for diagnostics, reports and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping

LOWEST_NS = 100  # durations below this count as this
GROWTH = 1.02  # from one bin's lower edge to the next, so that a percentile is within 1 % of the truth
BINS = 1100  # up to 100 ns x 1.02^1100 = 290 s; longer ones share the last bin

_LOG_GROWTH = math.log(GROWTH)


class Percentiles:
    """A histogram with bins of equal ratio. The largest value and the count are exact."""

    def __init__(self) -> None:
        """Start empty."""
        self.count = 0
        self.max_ns = 0
        self._bins = [0] * BINS

    def add(self, duration_ns: int) -> None:
        """Record a duration [ns]. A negative one (woken early) counts as the shortest."""
        self.count += 1
        self.max_ns = max(self.max_ns, duration_ns)
        self._bins[self._bin(duration_ns)] += 1

    def merge(self, other: Percentiles) -> None:
        """Add everything that ``other`` has recorded."""
        self.count += other.count
        self.max_ns = max(self.max_ns, other.max_ns)
        self._bins = [mine + theirs for mine, theirs in zip(self._bins, other._bins, strict=True)]

    def reset(self) -> None:
        """Forget everything."""
        self.count = 0
        self.max_ns = 0
        self._bins = [0] * BINS

    def percentile(self, p: float) -> float:
        """Return the smallest duration [ns] that ``p`` percent do not exceed, within 1 %; 0 if nothing was recorded."""
        rank = math.ceil(p / 100.0 * self.count)
        seen = 0
        for i, in_bin in enumerate(self._bins):
            seen += in_bin
            if in_bin and seen >= rank:
                return min(LOWEST_NS * math.exp(_LOG_GROWTH * (i + 0.5)), float(self.max_ns))
        return 0.0

    def summary_ms(self) -> Mapping[str, float]:
        """Return p50, p95, p99 and max in ms."""
        values = {f"p{p}": self.percentile(p) for p in (50, 95, 99)} | {"max": float(self.max_ns)}
        return {name: round(value / 1e6, 6) for name, value in values.items()}

    @staticmethod
    def _bin(duration_ns: int) -> int:
        if duration_ns <= LOWEST_NS:
            return 0
        return min(int(math.log(duration_ns / LOWEST_NS) / _LOG_GROWTH), BINS - 1)
