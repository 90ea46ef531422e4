"""How long things took and how old they were: histograms with percentiles, and what the nodes said of themselves."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from robot_policies.control.recording.history import History
from robot_policies.control.recording.policy_history import STAGES
from robot_policies.report.svg import TOP, number, ticks
from robot_policies.types import Array

WIDE, TALL, FOOT, SIDE = 372, 110, 16, 8  # [px]
BINS = 60
LEVELS = ("p50", "p95", "p99", "max")
REPORTED = (
    "What the nodes measured of themselves, from /diagnostics: latency is that from state to command in the robot node."
    " The recorder, which comes after all others, may take a state and its command late and together."
)
COLOUR, LINES = "#74a9d8", ("#1864ab", "#e8890c", "#e03131", "#868e96")


@dataclass(frozen=True)
class Sample:
    """Measurements of one thing."""

    name: str
    note: str
    seconds: Array  # (k,) [s]


def levels(milliseconds: Array) -> dict[str, float]:
    """Return p50, p95, p99 (linear between samples) and max."""
    values = [*np.percentile(milliseconds, (50, 95, 99)).tolist(), float(milliseconds.max())]
    return dict(zip(LEVELS, values, strict=True))


def latencies(history: History) -> list[Sample]:
    """Return what took time."""
    policy = history.policy
    samples = [
        Sample(
            "state to command, at the recorder",
            "from the receipt of a state to that of the command that answers it",
            history.wire.latency,
        )
    ]
    if policy.durations.shape[1] == len(STAGES):
        samples.append(Sample("policy tick", "observation + inference + decoding", policy.durations.sum(axis=1)))
        samples.extend(Sample(name, "of the policy tick", policy.durations[:, i]) for i, name in enumerate(STAGES))
    return [sample for sample in samples if np.isfinite(sample.seconds).any()]


def ages(history: History) -> list[Sample]:
    """Return what was how old as it was used."""
    policy = history.policy
    samples = [
        Sample("state at the tick", "robot's clock - stamp", policy.state_age),
        Sample("velocity command at the tick", "state's stamp - its own", policy.velocity_age),
        *(
            Sample(f"image {name} at the tick", "state's stamp - its own", seen.age)
            for name, seen in policy.depth.items()
        ),
        Sample("command in the robot cycle", "state's stamp - that of the state it answers", history.robot.command_age),
    ]
    return [sample for sample in samples if np.isfinite(sample.seconds).any()]


def histogram(sample: Sample, logarithmic: bool) -> str:
    """Return one histogram [ms] with its percentiles, on a logarithmic axis where asked for."""
    values = sample.seconds[np.isfinite(sample.seconds)] * 1e3
    found = levels(values)
    low, high = _range(values, logarithmic)
    bins = int(np.clip(2.0 * np.sqrt(values.size), 8, BINS)) + 1
    edges = np.geomspace(low, high, bins) if logarithmic else np.linspace(low, high, bins)
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    place = _Place(low, high, logarithmic)
    tallest = TALL - TOP - FOOT
    bars = "".join(
        f'<rect x="{place(edges[i]):.1f}" y="{TALL - FOOT - h:.1f}" width="{place(edges[i + 1]) - place(edges[i]):.1f}"'
        f' height="{h:.1f}" fill="{COLOUR}"><title>{number(round(edges[i], 4))} to {number(round(edges[i + 1], 4))} ms:'
        f" {counts[i]}</title></rect>"
        for i in np.flatnonzero(counts)
        for h in [max(1.5, tallest * counts[i] / counts.max())]
    )
    marks = "".join(
        f'<line x1="{place(found[level]):.1f}" x2="{place(found[level]):.1f}" y1="{TOP}" y2="{TALL - FOOT}"'
        f' stroke="{colour}" stroke-width="1.4"/>'
        for level, colour in zip(LEVELS, LINES, strict=True)
    )
    told = "".join(
        f'<i style="--c:{colour}">{level} <b data-level="{level}">{found[level]:.3g}</b></i>'
        for level, colour in zip(LEVELS, LINES, strict=True)
    )
    head = f"<figcaption><b>{html.escape(sample.name)}</b> <u>ms, {values.size}</u></figcaption>"
    foot = f"<div class='levels' title='{html.escape(sample.note)}'>{told}</div>"
    svg = f'<svg viewBox="0 0 {WIDE} {TALL}">{bars}{marks}{_axis(place)}</svg>'
    return f'<figure data-sample="{html.escape(sample.name)}">{head}{svg}{foot}</figure>'


class _Place:
    """Where a value is on the axis [px]."""

    def __init__(self, low: float, high: float, logarithmic: bool) -> None:
        self.low, self.high, self.logarithmic = low, high, logarithmic

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return SIDE + share * (WIDE - 2 * SIDE)


def _range(values: Array, logarithmic: bool) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        positive = values[values > 0.0]
        low = float(positive.min()) if positive.size else 1e-3
        low, high = low / 1.15, max(high, low) * 1.15
        return low, high
    pad = 0.04 * (high - low) or max(0.05 * abs(high), 0.05)
    return min(low, 0.0) if low >= 0.0 else low - pad, high + pad


def _axis(place: _Place) -> str:
    if place.logarithmic:
        first, last = math.floor(math.log10(place.low)), math.ceil(math.log10(place.high))
        factors = (1,) if last - first > 3 else (1, 2, 5)
        at = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
        at = [value for value in at if place.low <= value <= place.high]
    else:
        at = ticks(place.low, place.high, 6)
    y = TALL - FOOT
    labels = "".join(f'<text x="{place(t):.1f}" y="{y + 13}" text-anchor="middle">{number(t)}</text>' for t in at)
    return f'<line class="base" x1="{SIDE}" x2="{WIDE - SIDE}" y1="{y}" y2="{y}"/>{labels}'


def reported_table(history: History) -> str:
    """Return what the nodes last said of themselves on /diagnostics: their own percentiles, and counts above zero."""
    rows = "".join(
        f"<tr><td>{html.escape(node)}</td><td>{html.escape(name)}</td>"
        + "".join(f"<td>{value:.3g}</td>" for value in numbers)
        + "</tr>"
        for node, name, numbers in _percentiles(history)
    )
    if not rows:
        return ""
    head = f"<tr><th>node</th><th></th>{''.join(f'<th>{level} ms</th>' for level in LEVELS)}</tr>"
    return f'<p>{REPORTED}</p><table class="levels">{head}{rows}</table>'


def _percentiles(history: History) -> Iterator[tuple[str, str, list[float]]]:
    for node, values in sorted(history.wire.reported.items()):
        for key, value in values.items():
            if not key.endswith("_ms") or not isinstance(value, dict):
                continue
            numbers = [value.get(level) for level in LEVELS]
            if all(isinstance(number, (int, float)) for number in numbers) and any(numbers):
                yield node, key.removesuffix("_ms"), numbers  # type: ignore[misc]
