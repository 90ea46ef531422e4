"""A field of columns around the start, for robots that walk in every direction."""

from __future__ import annotations

import math

import numpy as np

from sim2real.mujoco.ground import Box, Ground, column
from sim2real.mujoco.lane import BURIED
from sim2real.mujoco.obstacles import Draw, Rough, Steps


def field_ground(columns: Rough | Steps, level: float, draw: Draw) -> tuple[Ground, float]:
    """Return a square of columns, and how far it reaches from the start along x and y [m].

    The floor around it is as high as its lowest column could be, so that who leaves it does not fall.

    Args:
        columns: their kind, height and size, and as ``length`` the edge of the square.
        level: half the edge of the level ground at the start [m].
        draw: of the heights.
    """
    height, cell = draw(columns.height), columns.cell
    lowest = -height if isinstance(columns, Rough) else 0.0
    half = max(1, round(draw(columns.length) / cell / 2))  # columns from the start to the side
    free = math.ceil(level / cell - 1e-9)
    heights = draw.heights((2 * half, 2 * half), lowest, height)
    middle = slice(half - free, half + free)
    heights[middle, middle] = np.nan
    boxes: list[Box] = []
    if lowest < 0.0:
        boxes.append(column((-free * cell, -free * cell), (free * cell, free * cell), 0.0, lowest - BURIED))
    for (row, place), top in np.ndenumerate(heights):
        if top > lowest:
            x, y = (row - half) * cell, (place - half) * cell
            boxes.append(column((x, y), (x + cell, y + cell), float(top), lowest - BURIED))
    return Ground(tuple(boxes), lowest), half * cell
