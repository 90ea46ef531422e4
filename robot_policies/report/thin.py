"""Fewer points of a series, so that a page of an hour is no larger than one of a minute, and no peak is lost."""

from __future__ import annotations

import numpy as np

from robot_policies.types import Array

MOST = 1500  # points of one line; a chart is some 1,100 px wide
PAUSE = 5.0  # a time between two samples of so many usual ones, and of PAUSE_S at least, is a gap in the line
PAUSE_S = 0.1  # [s]


def thin(seconds: Array, values: Array, most: int = MOST) -> tuple[Array, Array]:
    """Return at most about ``most`` points: the least and the largest of each stretch, in their order.

    Args:
        seconds: (k,) [s].
        values: (k,).
        most: points.
    """
    if seconds.size <= most:
        return seconds, values
    kept: list[int] = []
    for stretch in np.array_split(np.arange(seconds.size), most // 2):
        part = values[stretch]
        holes = np.flatnonzero(np.isnan(part))
        chosen = {int(holes[0])} if holes.size else set()
        if holes.size < part.size:
            chosen |= {int(np.nanargmin(part)), int(np.nanargmax(part))}
        kept.extend(int(stretch[index]) for index in sorted(chosen))
    return seconds[kept], values[kept]


def with_gaps(seconds: Array, values: Array) -> tuple[Array, Array]:
    """Return the series with a NaN in every long pause, so that no line is drawn over what is missing."""
    if seconds.size < 3:
        return seconds, values
    steps = np.diff(seconds)
    ends = np.flatnonzero((steps > max(PAUSE_S, PAUSE * float(np.median(steps)))) | (steps < 0.0)) + 1
    return np.insert(seconds, ends, seconds[ends]), np.insert(values, ends, np.nan)
