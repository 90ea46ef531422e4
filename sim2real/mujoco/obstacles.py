"""The obstacles that a terrain file can list: what each is called, its parameters, and how it is laid into a lane.

A parameter is a number, a multiple of the difficulty (``d``, ``0.5 d``), or a pair of these: the seed
draws between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Union

import numpy as np
from pydantic import Field

from robot_policies.schema import schema
from robot_policies.types import Array
from sim2real.mujoco.lane import LaneBuilder

MULTIPLE = r"^(\d+(\.\d+)? )?d$"
Multiple = Annotated[str, Field(pattern=MULTIPLE)]
NotNegative = Annotated[float, Field(ge=0, le=100)]
Single = Union[NotNegative, Multiple]
Amount = Union[Single, tuple[Single, Single]]
Count = Annotated[int, Field(ge=1, le=50)]
Cell = Annotated[float, Field(ge=0.1, le=10)]


@dataclass(frozen=True)
class Draw:
    """Turns parameters into numbers."""

    difficulty: float
    random: np.random.Generator

    def __call__(self, amount: Amount) -> float:
        """Return the number that ``amount`` stands for here; a pair draws once."""
        if isinstance(amount, tuple):
            low, high = (self(part) for part in amount)
            return float(self.random.uniform(low, high))
        if isinstance(amount, str):
            found = re.match(r"[\d.]+", amount)
            return self.difficulty * (float(found.group()) if found else 1.0)
        return float(amount)

    def heights(self, shape: tuple[int, int], low: float, high: float) -> Array:
        """Return heights (nx, ny) [m], uniform and independent."""
        return np.asarray(self.random.uniform(low, high, shape))

    def side(self) -> float:
        """Return -1 or 1."""
        return float(self.random.choice((-1.0, 1.0)))


@schema
class Flat:
    """Level ground."""

    kind: Literal["flat"]
    length: Amount  # [m]


@schema
class Step:
    """One edge up, or down, onto a plateau; with ``back`` there is an edge back at its end."""

    kind: Literal["step"]
    height: Amount  # [m]
    length: Amount  # [m] of the plateau
    down: bool = False
    back: bool = False


@schema
class Steps:
    """Platforms on a square grid: tops uniform from the ground to ``height`` above it."""

    kind: Literal["steps"]
    height: Amount  # [m]
    length: Amount  # [m]
    cell: Cell = 0.5  # [m]


@schema
class Rough:
    """Columns on a square grid: tops uniform within ``height`` above and below the ground."""

    kind: Literal["rough"]
    height: Amount  # [m]
    length: Amount  # [m]
    cell: Cell = 0.2  # [m]


@schema
class Gap:
    """No ground down to the floor."""

    kind: Literal["gap"]
    length: Amount  # [m]


@schema
class Hurdle:
    """A wall across the lane."""

    kind: Literal["hurdle"]
    height: Amount  # [m]
    thickness: Amount = 0.1  # [m]


@schema
class Ramp:
    """Up, over the top and down again; each slope has the horizontal length ``length``."""

    kind: Literal["ramp"]
    angle: Amount  # [rad]
    length: Amount  # [m]
    top: Amount = 1.0  # [m]


@schema
class Roll:
    """Ground tilted sideways, to a side that the seed draws."""

    kind: Literal["roll"]
    angle: Amount  # [rad]
    length: Amount  # [m]


@schema
class Stairs:
    """Up and down again."""

    kind: Literal["stairs"]
    rise: Amount  # [m]
    run: Amount = 0.3  # [m]
    steps: Count = 4
    top: Amount = 1.0  # [m]


Obstacle = Annotated[
    Union[Flat, Step, Steps, Rough, Gap, Hurdle, Ramp, Roll, Stairs],
    Field(discriminator="kind"),
]


def lay(obstacle: Obstacle, lane: LaneBuilder, draw: Draw) -> None:
    """Lay ``obstacle`` at the end of ``lane``."""
    _LAYERS[type(obstacle)](obstacle, lane, draw)


def _flat(what: Flat, lane: LaneBuilder, draw: Draw) -> None:
    lane.level(draw(what.length))


def _step(what: Step, lane: LaneBuilder, draw: Draw) -> None:
    height = -draw(what.height) if what.down else draw(what.height)
    lane.rise(height)
    lane.level(draw(what.length))
    if what.back:
        lane.rise(-height)


def _steps(what: Steps, lane: LaneBuilder, draw: Draw) -> None:
    lane.columns(draw.heights(_cells(lane, draw(what.length), what.cell), 0.0, draw(what.height)), what.cell)


def _rough(what: Rough, lane: LaneBuilder, draw: Draw) -> None:
    height = draw(what.height)
    lane.columns(draw.heights(_cells(lane, draw(what.length), what.cell), -height, height), what.cell)


def _gap(what: Gap, lane: LaneBuilder, draw: Draw) -> None:
    lane.gap(draw(what.length))


def _hurdle(what: Hurdle, lane: LaneBuilder, draw: Draw) -> None:
    height = draw(what.height)
    lane.rise(height)
    lane.level(draw(what.thickness))
    lane.rise(-height)


def _ramp(what: Ramp, lane: LaneBuilder, draw: Draw) -> None:
    angle, length = draw(what.angle), draw(what.length)
    lane.slope(angle, length)
    lane.level(draw(what.top))
    lane.slope(-angle, length)


def _roll(what: Roll, lane: LaneBuilder, draw: Draw) -> None:
    lane.roll(draw.side() * draw(what.angle), draw(what.length))


def _stairs(what: Stairs, lane: LaneBuilder, draw: Draw) -> None:
    rise, run = draw(what.rise), draw(what.run)
    for _ in range(what.steps - 1):
        lane.rise(rise)
        lane.level(run)
    lane.rise(rise)
    lane.level(draw(what.top))
    for _ in range(what.steps - 1):
        lane.rise(-rise)
        lane.level(run)
    lane.rise(-rise)


def _cells(lane: LaneBuilder, length: float, cell: float) -> tuple[int, int]:
    return max(1, round(length / cell)), max(1, round(lane.width / cell))


_Layer = Callable[..., None]
_LAYERS: dict[type, _Layer] = {
    Flat: _flat, Step: _step, Steps: _steps, Rough: _rough, Gap: _gap, Hurdle: _hurdle, Ramp: _ramp, Roll: _roll,
    Stairs: _stairs,
}  # fmt: skip
