"""A lane along x: flat ground at the start, obstacles one after the other, flat ground at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robot_policies.types import Array
from sim2real.mujoco.ground import Box, Ground, column

BEHIND = 2.0  # [m] of ground behind the start
BURIED = 0.5  # [m] that boxes reach below the floor, so that nothing lies face to face
SLAB = 0.5  # [m], thickness of what is tilted


@dataclass(frozen=True)
class Lane:
    """What a course needs to know of a lane. The robot starts at x = 0 in its middle and looks along x."""

    width: float  # [m], from -width / 2 to width / 2 along y
    first_edge: float  # [m], x where the first obstacle begins
    last_edge: float  # [m], x where the last one ends
    end: float  # [m], x where the ground ends


@dataclass
class LaneBuilder:
    """Lays boxes from ``x`` on, at the height ``z``; both go along with what is laid.

    Attributes:
        width: of the lane [m].
        floor: height of the endless floor [m]; ground at this height needs no box.
        x: where the next piece begins [m].
        z: height of the ground there [m].
        edge: x of the newest edge [m].
        boxes: laid so far.
    """

    width: float
    floor: float
    x: float = -BEHIND
    z: float = 0.0
    edge: float = 0.0
    boxes: list[Box] = field(default_factory=list)

    def level(self, length: float) -> None:
        """Lay level ground at the present height."""
        self.block(self.x, self.x + length, self.z)
        self.x += length

    def rise(self, height: float) -> None:
        """Go up (or down) by ``height`` at once: an edge."""
        self.z += height
        self.edge = self.x

    def gap(self, length: float) -> None:
        """Leave the floor open."""
        self.x += length
        self.edge = self.x

    def slope(self, pitch: float, length: float) -> None:
        """Go up by ``pitch`` [rad], down where it is negative, over ``length`` [m] along x."""
        climb = length * float(np.tan(pitch))
        self._slab((self.x + length / 2, self.z + climb / 2), length / float(np.cos(pitch)), self.width, pitch=-pitch)
        self.x, self.z = self.x + length, self.z + climb
        self.edge = self.x

    def roll(self, roll: float, length: float) -> None:
        """Tilt the ground by ``roll`` [rad] about the lane's middle line; its left rises where that is positive."""
        self._slab((self.x + length / 2, self.z), length, self.width / float(np.cos(roll)), roll=roll)
        self.x += length
        self.edge = self.x

    def columns(self, heights: Array, cell: float) -> None:
        """Lay columns (nx, ny) over the whole width, ``heights`` [m] above the present height."""
        low = -heights.shape[1] * cell / 2
        for row, along in enumerate(heights):
            for place, height in enumerate(along.tolist()):
                corner = (self.x + row * cell, low + place * cell)
                self.block(corner[0], corner[0] + cell, self.z + height, corner[1], corner[1] + cell)
        self.x += heights.shape[0] * cell
        self.edge = self.x

    def block(self, x0: float, x1: float, top: float, y0: float | None = None, y1: float | None = None) -> None:
        """Lay one upright box up to ``top``; nothing where that is the floor."""
        if x1 > x0 and top > self.floor + 1e-9:
            low, high = -self.width / 2 if y0 is None else y0, self.width / 2 if y1 is None else y1
            self.boxes.append(column((x0, low), (x1, high), top, self.floor - BURIED))

    def ground(self) -> Ground:
        """Return what has been laid."""
        return Ground(tuple(self.boxes), self.floor)

    def _slab(
        self, top: tuple[float, float], length: float, width: float, roll: float = 0.0, pitch: float = 0.0
    ) -> None:
        """Lay a tilted box whose upper side has its centre at ``top`` (x, z)."""
        box = Box((0.0, 0.0, 0.0), (length / 2, width / 2, SLAB / 2), roll, pitch)
        x, y, z = (np.array([top[0], 0.0, top[1]]) - box.rotation() @ np.array([0.0, 0.0, SLAB / 2])).tolist()
        self.boxes.append(Box((x, y, z), box.half, roll, pitch))
