"""The lanes of parkour training: terrains by name, with a look-up of their heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robot_policies.exceptions import ResourceError, expected
from robot_policies.types import Array, Array32
from sim2real.mujoco.ground import Box, Ground, height_map
from sim2real.mujoco.terrain import find_place
from sim2real.training.grounds import CELL, GroundKind, Grounds, Index, Tile

LOW = (-2.0, -2.0)  # [m], the corner of the look-up: all lanes begin 2 m behind the start, and are 4 m wide
HIGH = (36.0, 2.0)
MIDDLE = 1.0  # [m] to each side of a lane's middle line, where its lowest ground is looked for
GAP = 0.7  # [m]: a drop that no step or wall has; gaps are 1 m deep
_BURIED = Box((0.0, 0.0, -20.0), (0.1, 0.1, 0.1))  # so that all lanes of a kind have as many boxes


@dataclass(frozen=True)
class Lanes(Grounds):
    """Lanes along x, each with its end and its lowest ground."""

    finish: Array  # (tiles,) [m], x of the last edge
    lowest: Array  # (tiles,) [m], of the ground in the middle of the lane, not of its gaps

    def at(self, tile: Index, xy: Array) -> Array:
        """Return the ground's heights [m] (N, points) under points (N, points, 2) of robots on lanes (N,)."""
        return _look_up(self.heights, tile, xy)

    def salient(self, tile: Index, xy: Array) -> Array:
        """Return, as ``at``, the highest ground within a cell ahead and behind each point; beside a gap, the gap.

        A wall of a cell and a half can then not hide between points that are three cells apart, nor a narrow gap.
        """
        return _look_up(self._salient, tile, xy)

    @cached_property
    def _salient(self) -> Array32:
        heights = self.heights
        high, low = heights.copy(), heights.copy()
        for put, take in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :-1], np.s_[:, 1:])):
            high[put] = np.maximum(high[put], heights[take])
            low[put] = np.minimum(low[put], heights[take])
        return np.where(high - low > GAP, low, high)


def _look_up(heights: Array32, tile: Index, xy: Array) -> Array:
    place = np.floor((xy - np.asarray(LOW)) * (1.0 / CELL)).astype(np.int64)
    x = np.clip(place[..., 0], 0, heights.shape[1] - 1)
    y = np.clip(place[..., 1], 0, heights.shape[2] - 1)
    return np.asarray(heights[tile[:, None], x, y], dtype=float)


def make_lanes(kinds: Sequence[GroundKind], levels: int, each: int, seed: int) -> Lanes:
    """Return ``each`` lanes for every kind and level.

    Args:
        kinds: names of terrains, with the difficulties of the first and the last level.
        levels: of each kind.
        each: lanes that differ in what the terrain's seed draws.
        seed: of the first lane.

    Raises:
        RobotError: no such terrain, or not at this difficulty.
        ResourceError: a terrain that is no lane, or one that is too long for the look-up.
    """
    tiles: list[Tile] = []
    finish, lowest, kind_of, level_of = [], [], [], []
    for number, kind in enumerate(kinds):
        names = [
            f"{kind.kind}:{_difficulty(kind, level, levels):.4f}:{seed + copy}"
            for level in range(levels)
            for copy in range(each)
        ]
        places = [find_place(name) for name in names]
        most = max(len(place.ground.boxes) for place in places)
        for index, place in enumerate(places):
            if place.lane is None or place.lane.end > HIGH[0]:
                found = "no lane" if place.lane is None else f"{place.lane.end:.1f} m long"
                raise ResourceError(expected(f"terrain {place.name}: a lane", found, f"one of up to {HIGH[0]:g} m"))
            ground = _padded(place.ground, most)
            tiles.append(Tile(ground, height_map(place.ground, LOW, HIGH, CELL).values))
            finish.append(place.lane.last_edge)
            lowest.append(_lowest(tiles[-1], place.ground.floor))
            kind_of.append(number)
            level_of.append(index // each)
    return Lanes(tuple(tiles), np.array(kind_of), np.array(level_of), levels, np.array(finish), np.array(lowest))


def _difficulty(kind: GroundKind, level: int, levels: int) -> float:
    return kind.lowest + (kind.highest - kind.lowest) * level / max(1, levels - 1)


def _padded(ground: Ground, count: int) -> Ground:
    return Ground((*ground.boxes, *[_BURIED] * (count - len(ground.boxes))), ground.floor)


def _lowest(tile: Tile, floor: float) -> float:
    """Return the lowest ground [m] of the middle strip that is not the floor; 0 where all of it is."""
    middle = slice(round((-MIDDLE - LOW[1]) / CELL), round((MIDDLE - LOW[1]) / CELL))
    heights = tile.heights[:, middle]
    above = heights[heights > floor + 0.05] if floor < 0.0 else heights
    return float(min(0.0, above.min())) if above.size else 0.0
