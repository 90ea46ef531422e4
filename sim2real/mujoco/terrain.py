"""Terrains by name: ``KIND[:DIFFICULTY[:SEED]]``, such as ``flat``, ``step:0.2``, ``rough:0.03:7``.

The name is all that the robot, the cameras, the viewer and training need to build one and the same ground. A kind is a
YAML file; the difficulty is a number in metres or radians, as the file says; the seed draws what is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Optional, Union

import numpy as np
from pydantic import Field

from robot_policies import resources
from robot_policies.exceptions import ResourceError, RobotError, SchemaError, expected
from robot_policies.schema import load, schema
from sim2real.mujoco.field import field_ground
from sim2real.mujoco.ground import Ground
from sim2real.mujoco.lane import BEHIND, Lane, LaneBuilder
from sim2real.mujoco.obstacles import Amount, Draw, Obstacle, Rough, Steps, lay

FORM = "KIND[:DIFFICULTY[:SEED]], such as step:0.2 or rough:0.03:7"
LAST_SEED = 2**32 - 1
Metres = Annotated[float, Field(gt=0, le=100)]


@schema
class Difficulty:
    """One number; what it scales is in the obstacles. ``range`` [0, 0] is a terrain without difficulty."""

    unit: Literal["m", "rad", ""]
    range: tuple[float, float]  # [unit], both ends included
    default: float  # [unit]


@schema
class LaneFile:
    """A lane along x. The robot starts at x = 0; ``run_up`` is where the first obstacle begins."""

    obstacles: Annotated[tuple[Obstacle, ...], Field(min_length=1, max_length=100)]
    run_up: Metres = 1.2  # [m]
    spacing: Amount = 0.0  # [m] of level ground between two obstacles
    run_out: Metres = 4.0  # [m] of level ground at the end, beside what the obstacles end with
    width: Metres = 4.0  # [m]
    floor: Annotated[float, Field(ge=-10, le=0)] = 0.0  # [m], of the endless floor around the lane and in its gaps
    drawn_order: bool = False  # whether the seed draws the order of the obstacles


@schema
class FieldFile:
    """A square around the start, the same in all directions, with level ground in the middle."""

    columns: Annotated[Union[Rough, Steps], Field(discriminator="kind")]  # its length is the edge of the square
    level: Metres = 0.8  # [m] from the start to the first column, along x and y


@schema
class TerrainFile:
    """A kind of terrain: a lane, a field, or, without both, the plane."""

    name: str
    description: str
    difficulty: Difficulty
    lane: Optional[LaneFile] = None
    field: Optional[FieldFile] = None


@dataclass(frozen=True)
class Place:
    """A ground, and what a course needs to know of it."""

    name: str  # complete: KIND:DIFFICULTY:SEED
    ground: Ground
    lane: Lane | None = None
    reach: float = math.inf  # [m] from the start, along x or y, that is as the kind says


def find_ground(name: str | None) -> Ground:
    """Return the ground called ``name``; None is the plane. Raises ``RobotError``, as ``find_place``."""
    return Ground() if name is None else find_place(name).ground


def find_place(name: str) -> Place:
    """Return the ground called ``name``, with its lane.

    Raises:
        RobotError: no such kind, a difficulty that it does not have, a seed that is none, or a broken file. One line.
    """
    kind, difficulty, seed = split(name)
    file = terrain_file(kind)
    value = check_difficulty(file.difficulty, file.difficulty.default if difficulty is None else difficulty, kind)
    complete = f"{kind}:{value:.12g}:{seed}"
    draw = Draw(value, np.random.default_rng(seed))
    if file.lane is not None:
        ground, lane = _lane(file.lane, draw)
        return Place(complete, ground, lane)
    if file.field is not None:
        columns = file.field.columns
        ground, reach = field_ground(columns, file.field.level, draw)
        return Place(complete, ground, reach=reach)
    return Place(complete, Ground())


def split(name: str) -> tuple[str, float | None, int]:
    """Return kind, difficulty (None where the name has none) and seed (0). Raises ``RobotError``."""
    kind, *rest = name.split(":")
    if len(rest) > 2:
        raise RobotError(expected("terrain: a name", repr(name), FORM))
    try:
        difficulty = float(rest[0]) if rest else None
    except ValueError:
        raise RobotError(expected(f"terrain {kind}: a difficulty", repr(rest[0]), FORM)) from None
    seed = rest[1] if len(rest) == 2 else "0"
    if not (seed.isascii() and seed.isdigit() and int(seed) <= LAST_SEED):
        raise RobotError(expected(f"terrain {kind}: a seed", repr(seed), f"a whole number from 0 to {LAST_SEED}"))
    return kind, difficulty, int(seed)


def terrain_file(kind: str) -> TerrainFile:
    """Return the file of a kind. Raises ``RobotError``: one line."""
    try:
        path = resources.find("terrains", kind)
    except ResourceError as error:
        known = [name for name, _ in resources.listing("terrains")]
        found = repr(kind) if not _is_path(kind) else str(error)
        raise RobotError(expected("terrain: the name of a terrain", found, known)) from error
    try:
        file = load(TerrainFile, path)
        _check(file, path)
    except SchemaError as error:
        raise RobotError("; ".join(str(error).splitlines())) from error
    return file


def check_difficulty(known: Difficulty, value: float, kind: str) -> float:
    """Return ``value`` where the terrain has it. Raises ``RobotError``; so written that NaN is refused."""
    low, high = known.range
    if not low <= value <= high:
        valid = f"{low:g} to {high:g} {known.unit}".strip() if high > low else f"{low:g}"
        raise RobotError(expected(f"terrain {kind}: its difficulty", f"{value:g}", valid))
    return value


def _is_path(kind: str) -> bool:
    return "/" in kind or kind.endswith(".yaml")


def _check(file: TerrainFile, path: Path) -> None:
    low, high = file.difficulty.range
    if not low <= file.difficulty.default <= high:
        raise SchemaError(expected(f"{path}: difficulty.default", file.difficulty.default, f"{low:g} to {high:g}"))
    if file.lane is not None and file.field is not None:
        raise SchemaError(expected(f"{path}: one form of ground", "lane and field", "one of them, or none"))


def _lane(file: LaneFile, draw: Draw) -> tuple[Ground, Lane]:
    lane = LaneBuilder(file.width, file.floor)
    lane.level(BEHIND + file.run_up)
    for number, obstacle in enumerate(_ordered(file.obstacles, file.drawn_order, draw)):
        if number:
            lane.level(draw(file.spacing))
        lay(obstacle, lane, draw)
    edge = lane.edge
    lane.level(file.run_out)
    return lane.ground(), Lane(file.width, file.run_up, edge, lane.x)


def _ordered(obstacles: Sequence[Obstacle], drawn: bool, draw: Draw) -> list[Obstacle]:
    order = draw.random.permutation(len(obstacles)) if drawn else range(len(obstacles))
    return [obstacles[index] for index in order]
