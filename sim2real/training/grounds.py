"""The grounds of training: tiles that repeat without a seam, so that a robot never comes to their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import ResourceError, expected
from robot_policies.types import Array
from sim2real.mujoco.ground import Box, Ground, column, height_map

PERIOD = 4.0  # [m], after which a tile repeats along x and y
MARGIN = 0.8  # [m] of its neighbours around a tile: more than the robot reaches from its middle
CELL = 0.05  # [m] of the look-up of heights; divides every column
BOTTOM = -0.5  # [m], where columns begin

Heights = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


def _rough(height: float, rng: np.random.Generator) -> Heights:
    """Columns of 0.2 m, each anywhere between -height and height."""
    return rng.uniform(-height, height, (20, 20))


def _steps(height: float, rng: np.random.Generator) -> Heights:
    """Plateaus of 0.8 m at 0, half and all of the height: edges of up to ``height``."""
    return np.asarray(height * rng.integers(0, 3, (5, 5)) / 2.0)


def _rough_steps(height: float, rng: np.random.Generator) -> Heights:
    """Plateaus whose columns of 0.2 m are rough by a fifth of the height."""
    return np.repeat(np.repeat(_steps(height, rng), 4, axis=0), 4, axis=1) + _rough(0.2 * height, rng)


KINDS: Mapping[str, Callable[[float, np.random.Generator], Heights]] = MappingProxyType(
    {"rough": _rough, "steps": _steps, "rough_steps": _rough_steps}
)


@dataclass(frozen=True)
class GroundKind:
    """What some of the robots of a task walk on."""

    kind: str  # "flat" or one of KINDS; of parkour the kind of a terrain that is a lane
    share: float  # of the robots
    highest: float = 0.0  # [m] (of lanes: as the terrain says), the height that its last level has
    lowest: float = 0.0  # of lanes: what its first level has


@dataclass(frozen=True)
class Tile:
    """One ground, and its heights on a grid over one period from (0, 0)."""

    ground: Ground
    heights: npt.NDArray[np.float32]  # (PERIOD / CELL, PERIOD / CELL) [m]


def make_tile(kind: str, height: float, rng: np.random.Generator) -> Tile:
    """Return a tile of ``kind``.

    Args:
        kind: "flat" or one of ``KINDS``.
        height: [m], what the kind makes of it is in its docstring.
        rng: draws the columns.

    Raises:
        ResourceError: no such kind.
    """
    cells = round(PERIOD / CELL)
    if kind == "flat":
        return Tile(Ground(), np.zeros((cells, cells), dtype=np.float32))
    if kind not in KINDS:
        raise ResourceError(expected("ground of a task", repr(kind), ["flat", *KINDS]))
    columns = KINDS[kind](height, rng)
    ground = Ground(tuple(_columns(columns)), floor=BOTTOM)
    return Tile(ground, height_map(ground, (0.0, 0.0), (PERIOD, PERIOD), CELL).values)


def _columns(heights: Heights) -> list[Box]:
    """Return the columns of one tile and of its margin, as boxes."""
    count = len(heights)
    size = PERIOD / count
    extra = int(np.ceil(MARGIN / size))
    places = range(-extra, count + extra)
    return [
        column((x * size, y * size), ((x + 1) * size, (y + 1) * size), float(heights[x % count, y % count]), BOTTOM)
        for x in places
        for y in places
    ]


@dataclass(frozen=True)
class Grounds:
    """The tiles of a task; several share a (kind, level)."""

    tiles: tuple[Tile, ...]
    kind: Index  # (tiles,) which of the task's kinds
    level: Index  # (tiles,)
    levels: int

    @cached_property
    def heights(self) -> npt.NDArray[np.float32]:
        """(tiles, nx, ny) [m], all look-ups."""
        return np.stack([tile.heights for tile in self.tiles])

    def at(self, tile: Index, xy: Array) -> Array:
        """Return the ground's heights [m] (N, points) under points (N, points, 2) of robots on tiles (N,)."""
        heights = self.heights
        cells = heights.shape[1]
        place = np.floor(xy * (1.0 / CELL)).astype(np.int64) % cells
        return np.asarray(heights[tile[:, None], place[..., 0], place[..., 1]], dtype=float)


def make_grounds(kinds: Sequence[GroundKind], levels: int, each: int, rng: np.random.Generator) -> Grounds:
    """Return ``each`` tiles for every kind and level; a flat ground has only one tile, of every level.

    Level k of ``levels`` has (k + 1) / levels of the kind's height.
    """
    tiles, kind_of, level_of = [], [], []
    for number, kind in enumerate(kinds):
        for level in range(1 if kind.kind == "flat" else levels):
            for _ in range(1 if kind.kind == "flat" else each):
                tiles.append(make_tile(kind.kind, kind.highest * (level + 1) / levels, rng))
                kind_of.append(number)
                level_of.append(level)
    return Grounds(tuple(tiles), np.array(kind_of), np.array(level_of), levels)
