"""What a benchmark gives: distributions of durations, single values, and each one's budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

FEW = 100  # samples, below which a p99 is the largest one
LEVELS = {"p50_us": 50.0, "p95_us": 95.0, "p99_us": 99.0, "max_us": 100.0}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit of a budget against what was measured, in the unit of the figure."""

    what: str  # such as p99_us
    limit: float
    found: float
    at_least: bool = False  # the limit is a least value

    @property
    def met(self) -> bool:
        """Whether the limit holds; a number that is not finite never does."""
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def text(self) -> str:
        """Return the limit, and by how much it is met or missed."""
        apart = abs(self.limit - self.found)
        share = f" ({100.0 * apart / self.limit:.0f} %)" if self.limit else ""
        sign = ">=" if self.at_least else "<="
        what = self.what.removesuffix("_us")
        return f"{what} {sign} {self.limit:g}: {'met' if self.met else 'MISSED'} by {apart:.4g}{share}"


def percentiles(samples_ns: Sequence[int]) -> dict[str, float]:
    """Return n and the percentiles [us] of raw samples [ns]: the smallest sample that as many do not exceed."""
    values = np.sort(np.asarray(samples_ns, dtype=np.float64)) / 1e3
    ranks = {name: max(int(np.ceil(level / 100.0 * values.size)), 1) for name, level in LEVELS.items()}
    return {"n": int(values.size)} | {name: round(float(values[rank - 1]), 3) for name, rank in ranks.items()}


@dataclass
class Report:
    """Everything that one run has measured, by name, in order.

    Attributes:
        durations: name -> ``n p50_us p95_us p99_us max_us``.
        values: name -> (value, unit), for what is no distribution.
        ratios: what others take over what ours takes.
        verdicts: name -> one per limit of its budget.
        notes: name -> remarks, printed beside it.
        failures: what could not be measured, and why.
    """

    durations: dict[str, dict[str, float]] = field(default_factory=dict)
    values: dict[str, tuple[float, str]] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    budgets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def add(self, name: str, samples_ns: Sequence[int], note: str = "") -> None:
        """Add a distribution [ns]; one without samples is a failure."""
        if len(samples_ns) == 0:
            self.failures[name] = note or "no samples"
            return
        self.durations[name] = percentiles(samples_ns)
        self._judge(name, self.durations[name])
        self.note(name, note)
        if len(samples_ns) < FEW:
            self.note(name, f"n = {len(samples_ns)}")

    def add_value(self, name: str, value: float, unit: str, note: str = "") -> None:
        """Add a single value."""
        self.values[name] = (value, unit)
        self._judge(name, {"value": value})
        self.note(name, note)

    def note(self, name: str, text: str) -> None:
        """Add a remark to a name."""
        if text:
            self.notes[name] = "; ".join(filter(None, (self.notes.get(name, ""), text)))

    def ratio(self, name: str, over: str, under: str, level: str = "p50_us") -> None:
        """Add what ``over`` takes as a multiple of ``under``, where both were measured."""
        if over in self.durations and under in self.durations:
            self.ratios[name] = self.durations[over][level] / max(self.durations[under][level], 1e-3)

    @property
    def missed(self) -> list[str]:
        """Names of which a limit is missed."""
        return [name for name, verdicts in self.verdicts.items() if not all(verdict.met for verdict in verdicts)]

    def _judge(self, name: str, numbers: Mapping[str, float]) -> None:
        limits = self.budgets.get(name, {})
        self.verdicts[name] = [
            Verdict(what.removeprefix("least_"), limit, numbers[what.removeprefix("least_")], what.startswith("least_"))
            for what, limit in limits.items()
        ]
        if not limits:
            del self.verdicts[name]
