"""How much a run of the benchmarks measures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to measure, and where to write meanwhile."""

    scratch: Path
    seconds: float  # [s] of the main phase of each group
    ticks: int  # back to back
    kills: int

    @property
    def short(self) -> float:
        """Length of the other phases [s]; at 50 Hz still more than 100 samples."""
        return self.seconds / 3

    @property
    def halved(self) -> Settings:
        """Return the settings of what is only there to compare with."""
        return replace(self, seconds=self.seconds / 2)
