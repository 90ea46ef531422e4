"""The curves of a run as one picture: ``progress.png``."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robot_policies.types import Array
from sim2real.training.progress import read_rows
from sim2real.training.run_files import replace_file

_FIRST = {  # column: title
    "reward_per_s": "reward per second",
    "velocity_error": "velocity error [m/s]",
    "falls": "falls per iteration",
    "action_std": "action std",
    "learning_rate": "learning rate",
    "samples_per_s": "samples per second",
}
_OMIT = {"iteration", "samples", "seconds", "seconds_left", "ended"}
_COLUMNS = 6
_WIDTH, _HEIGHT = 2.9, 2.0  # [inch] of one curve
_POINTS = 400  # of one curve; more rows are averaged
_RAW, _SMOOTH = "#b9c6d8", "#1f4e8c"


def draw(table: Path, picture: Path) -> None:
    """Draw every column of a progress file over the samples.

    Args:
        table: the CSV; of fewer than two rows nothing is drawn.
        picture: the PNG, replaced whole.

    Raises:
        OSError: cannot be read or written.
    """
    rows = _forward(read_rows(table))
    if len(rows) < 2:
        return
    names = [*_FIRST, *(name for name in rows[0] if name not in _FIRST and name not in _OMIT)]
    names = [name for name in names if name in rows[0]]
    lines = -(-len(names) // _COLUMNS)
    figure = Figure((_COLUMNS * _WIDTH, lines * _HEIGHT), layout="constrained", dpi=80)
    samples = _column(rows, "samples") / 1e6
    for number, name in enumerate(names):
        _curve(figure.add_subplot(lines, _COLUMNS, number + 1), name, samples, _column(rows, name))
    minutes = float(rows[-1]["seconds"]) / 60.0
    figure.suptitle(f"{samples[-1]:.1f} million samples, {minutes:.0f} min, over millions of samples", fontsize=10)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    replace_file(picture, content.getvalue())


def _forward(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows without those that a run which went back to an earlier checkpoint did again."""
    kept, lowest = [], float("inf")
    for row in reversed(rows):
        if float(row["samples"]) < lowest:
            lowest = float(row["samples"])
            kept.append(row)
    return kept[::-1]


def _column(rows: list[dict[str, str]], name: str) -> Array:
    """Return a column; a row without it, from a part of the run with other terms, is nan."""
    return np.array([float(row[name] or "nan") for row in rows])


def _curve(axes: Axes, name: str, samples: Array, values: Array) -> None:
    x, y = _thin(samples), _thin(values)
    axes.plot(x, y, color=_RAW, linewidth=1.0)
    known = np.isfinite(y)
    axes.plot(x[known], _smooth(y[known]), color=_SMOOTH, linewidth=1.4)
    axes.set_title(_FIRST.get(name, name.replace("_", " ")), fontsize=9)
    if name == "learning_rate":
        axes.set_yscale("log")
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.margins(x=0.0)


def _thin(values: Array) -> Array:
    """Return means of neighbours, at most ``_POINTS`` of them."""
    width = -(-len(values) // _POINTS)
    whole = len(values) // width * width
    return np.asarray(values[:whole].reshape(-1, width).mean(axis=1))


def _smooth(values: Array) -> Array:
    """Return the running mean over a twentieth of the curve."""
    width = max(1, len(values) // 20)
    weights = np.convolve(np.ones(len(values)), np.ones(width), "same")
    return np.asarray(np.convolve(values, np.ones(width), "same") / weights) if len(values) else values
