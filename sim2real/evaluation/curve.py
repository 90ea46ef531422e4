"""Success over difficulty as a picture: one panel for each course, with the Wilson intervals."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robot_policies.exceptions import RobotError, expected

WIDTH, HEIGHT = 3.4, 2.8  # [inch] of a panel
UNITS = {
    "step": "m",
    "gap": "m",
    "hurdle": "m",
    "stairs": "m",
    "rough": "m",
    "steps": "m",
    "ramp": "rad",
    "tilt": "rad",
}


def lines(cards: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[tuple[float, float, float, float]]]]:
    """Return by course and policy (with its plant) the points (difficulty, rate, low, high), in order."""
    found: dict[str, dict[str, list[tuple[float, float, float, float]]]] = {}
    for card in cards:
        name = card["policy"] + ("" if card["plant"] == "nominal" else f" ({card['plant']})")
        points = found.setdefault(card["course"], {}).setdefault(name, [])
        points.append((card["difficulty"], card["rate"], *card["ci95"]))
    for course in found.values():
        for points in course.values():
            points.sort()
    return found


def draw(cards: Sequence[Mapping[str, Any]], picture: Path) -> None:
    """Write the picture, a PNG.

    Raises:
        RobotError: matplotlib is not installed, or the file cannot be written; one line.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RobotError(expected("plot: matplotlib", "not installed", "pip install 'matplotlib>=3.10'")) from error
    courses = lines(cards)
    figure = Figure((WIDTH * len(courses), HEIGHT), layout="constrained", dpi=110)
    for number, (course, policies) in enumerate(courses.items()):
        axes = figure.add_subplot(1, len(courses), number + 1)
        for name, points in policies.items():
            x, rate, low, high = zip(*points, strict=True)
            (line,) = axes.plot(x, rate, marker="o", markersize=3.0, linewidth=1.3, label=name)
            axes.fill_between(x, low, high, alpha=0.18, color=line.get_color(), linewidth=0.0)
        axes.set_title(course, fontsize=10)
        axes.set_xlabel(f"difficulty [{UNITS[course]}]" if course in UNITS else "difficulty", fontsize=8)
        axes.set_ylim(-0.03, 1.03)
        axes.axhline(0.9, color="0.6", linewidth=0.7, linestyle=":")
        axes.tick_params(labelsize=7)
        axes.grid(visible=True, linewidth=0.4, alpha=0.5)
        if number == 0:
            axes.set_ylabel("success, 95 % interval", fontsize=8)
            axes.legend(fontsize=7, loc="lower left")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    try:
        picture.write_bytes(content.getvalue())
    except OSError as error:
        raise RobotError(expected("plot: a file that can be written", error, "another path")) from error
