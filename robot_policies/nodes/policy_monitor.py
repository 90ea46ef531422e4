"""What the policy node counts: ticks, missed ones, and the time that each stage takes."""

from __future__ import annotations

import time
from typing import Any

from robot_policies.control.timing import Percentiles
from robot_policies.nodes.depth_timing import DepthTiming
from robot_policies.types import PolicyRecord

STAGES = ("observation", "inference", "decoding")


class PolicyMonitor:
    """Numbers of one policy node, since it started."""

    def __init__(self) -> None:
        """Start at zero."""
        self.ticks = self.missed = self.activations = 0
        self._stages = {name: Percentiles() for name in STAGES}
        self._lateness, self._tick = Percentiles(), Percentiles()
        self.depth: DepthTiming | None = None  # of images, in real time

    def activated(self) -> None:
        """Note an activation."""
        self.activations += 1
        if self.depth is not None:
            self.depth.begin()

    def ticked(self, record: PolicyRecord, missed: int, late_ns: int, begun_ns: int) -> None:
        """Note a tick, right after its command was published.

        Args:
            record: of the step.
            missed: deadlines before it.
            late_ns: by stamp, after its deadline.
            begun_ns: when it began (monotonic).
        """
        if self.depth is not None:
            self.depth.ticked(record)
        self.ticks += 1
        self.missed += missed
        self._lateness.add(late_ns)
        for name, duration_ns in zip(STAGES, record.durations_ns, strict=True):
            self._stages[name].add(duration_ns)
        self._tick.add(time.monotonic_ns() - begun_ns)

    def values(self) -> dict[str, Any]:
        """Return the numbers for /diagnostics."""
        stages = {f"{name}_ms": dict(numbers.summary_ms()) for name, numbers in self._stages.items()}
        counts = {"ticks": self.ticks, "missed_ticks": self.missed, "activations": self.activations}
        return {
            **counts,
            "tick_ms": dict(self._tick.summary_ms()),
            "lateness_ms": dict(self._lateness.summary_ms()),
            **stages,
            **(self.depth.values() if self.depth is not None else {}),
        }
