"""Line charts as SVG. Lines are drawn in the units of the data: the page holds the recorded numbers themselves."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_policies.report.thin import thin, with_gaps
from robot_policies.types import Array

LEFT, RIGHT, TOP, BOTTOM = 52, 8, 6, 18  # [px] around the plot
TEXT, GRID = "#6b7280", "#e5e7eb"
TICKS_Y = 4


@dataclass(frozen=True)
class Line:
    """One series of a chart."""

    name: str
    seconds: Array  # (k,) [s] on the page's time axis
    values: Array  # (k,), NaN where there is none
    colour: str
    width: float = 1.3  # [px]


@dataclass(frozen=True)
class Frame:
    """Where a chart is, and what its axes span."""

    span: tuple[float, float]  # [s]
    low: float
    high: float
    width: int  # [px]
    height: int  # [px]

    @property
    def plot(self) -> tuple[int, int]:
        """Width and height of what is inside the axes [px]."""
        return self.width - LEFT - RIGHT, self.height - TOP - BOTTOM

    def matrix(self) -> str:
        """Return the SVG transform from seconds and values to pixels."""
        (wide, tall), (begin, end) = self.plot, self.span
        sx, sy = wide / (end - begin), tall / (self.high - self.low)
        return f"matrix({sx:.8g} 0 0 {-sy:.8g} {LEFT - begin * sx:.8g} {TOP + self.high * sy:.8g})"

    def x(self, seconds: float) -> float:
        """Return where a time is [px]."""
        begin, end = self.span
        return LEFT + (seconds - begin) / (end - begin) * self.plot[0]

    def y(self, value: float) -> float:
        """Return where a value is [px]."""
        return TOP + (self.high - value) / (self.high - self.low) * self.plot[1]


def chart(
    title: str,
    unit: str,
    lines: Sequence[Line],
    span: tuple[float, float],
    size: tuple[int, int],
    limits: Sequence[float] = (),
) -> str:
    """Return a chart over time with its title; "" where no line has a value.

    Args:
        title: above it.
        unit: of the values.
        lines: in the order of drawing.
        span: of the time axis [s].
        size: width and height [px].
        limits: values drawn as dashed lines where they are in sight.
    """
    drawn = [line for line in lines if np.isfinite(line.values).any()]
    if not drawn:
        return ""
    frame = Frame(span, *_range(drawn), *size)
    wide, tall = frame.plot
    parts = [
        f'<svg class="time" viewBox="0 0 {frame.width} {frame.height}" data-t0="{span[0]:.6g}" data-t1="{span[1]:.6g}"'
        f' data-left="{LEFT}" data-wide="{wide}">',
        _axis_y(frame),
        axis_x(frame),
        f'<svg x="{LEFT}" y="{TOP}" width="{wide}" height="{tall}" viewBox="{LEFT} {TOP} {wide} {tall}">',
        *(_limit(frame, value) for value in limits if frame.low < value < frame.high),
        f'<g class="data" transform="{frame.matrix()}">',
        *(_path(line) for line in drawn),
        "</g></svg>",
        cursor(frame),
        "</svg>",
    ]
    legend = "".join(f'<i style="--c:{line.colour}">{html.escape(line.name)}<s></s></i>' for line in drawn)
    head = f'<b>{html.escape(title)}</b> <u>{html.escape(unit)}</u><span class="read"></span>{legend}'
    return f"<figure><figcaption>{head}</figcaption>{''.join(parts)}</figure>"


def cursor(frame: Frame) -> str:
    """Return the line that follows the pointer, and the shade of what is being chosen."""
    inside = f'y="{TOP}" height="{frame.plot[1]}" width="0"'
    y2 = TOP + frame.plot[1]
    return f'<rect class="chosen" {inside}/><line class="cursor" y1="{TOP}" y2="{y2}" x1="-9" x2="-9"/>'


def axis_x(frame: Frame, labels: bool = True) -> str:
    """Return the time axis: grid and, where asked for, seconds."""
    y2 = TOP + frame.plot[1]
    parts = []
    for tick in ticks(*frame.span, max(3, frame.plot[0] // 110)):
        x = frame.x(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{y2}"/>')
        if labels:
            parts.append(f'<text x="{x:.1f}" y="{y2 + 13}" text-anchor="middle">{number(tick)}</text>')
    return f'<g class="x" data-y1="{TOP}" data-y2="{y2}">{"".join(parts)}</g>'


def _axis_y(frame: Frame) -> str:
    parts = []
    for tick in ticks(frame.low, frame.high, TICKS_Y if frame.plot[1] > 60 else 3):
        y = frame.y(tick)
        zero = ' class="zero"' if tick == 0.0 else ""
        parts.append(f'<line{zero} x1="{LEFT}" x2="{LEFT + frame.plot[0]}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{number(tick)}</text>')
    return f'<g class="y">{"".join(parts)}</g>'


def _limit(frame: Frame, value: float) -> str:
    y = frame.y(value)
    return f'<line class="limit" x1="{LEFT}" x2="{LEFT + frame.plot[0]}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _path(line: Line) -> str:
    seconds, values = thin(*with_gaps(line.seconds, line.values))
    words, pen_down = [], False
    for t, value in zip(seconds.tolist(), values.tolist(), strict=True):
        if math.isfinite(value):
            words.append(f"{'L' if pen_down else 'M'}{t:.3f} {value:.5g}")
        pen_down = math.isfinite(value)
    name = html.escape(line.name)
    return f'<path data-name="{name}" stroke="{line.colour}" stroke-width="{line.width}" d="{"".join(words)}"/>'


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    values = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low, high = float(values.min()), float(values.max())
    pad = 0.06 * (high - low) or max(0.1 * abs(high), 0.1)
    return low - pad, high + pad


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers from ``low`` to ``high``, about ``most`` of them: steps of 1, 2 or 5."""
    raw = (high - low) / max(most, 1)
    if not (math.isfinite(raw) and raw > 0.0):
        return [low]
    ten = 10.0 ** math.floor(math.log10(raw))
    step = next(ten * factor for factor in (1, 2, 5, 10) if ten * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [0.0 if index == 0 else index * step for index in range(first, min(last, first + 100) + 1)]


def number(value: float) -> str:
    """Return a number for a label."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
