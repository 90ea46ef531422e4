"""A score card as a file: courses and difficulties that are run in one go, with their plant and number of seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from robot_policies.exceptions import SchemaError, expected
from robot_policies.resources import find
from robot_policies.schema import load, schema
from sim2real.evaluation.course import Course, load_course
from sim2real.evaluation.plant import PlantName


@schema
class Entry:
    """One course at its difficulties."""

    course: str
    difficulty: Annotated[tuple[float, ...], Field(min_length=1)]


@schema
class ScoreCard:
    """The whole file."""

    name: str
    description: str
    plant: PlantName
    seeds: Annotated[int, Field(ge=1)]
    cells: Annotated[tuple[Entry, ...], Field(min_length=1)]

    def places(self) -> Iterator[tuple[Course, float]]:
        """Give each course with each of its difficulties. Raises as ``load_course``."""
        for entry in self.cells:
            for difficulty in entry.difficulty:
                yield load_course(entry.course, difficulty), difficulty


def load_score_card(name: str) -> ScoreCard:
    """Return the score card called ``name`` (or at that path).

    Raises:
        ResourceError: no such card, or a course or difficulty in it that does not exist.
        SchemaError: its file is not a card, or names a cell twice.
        RobotError: a course's terrain does not exist.
    """
    card = load(ScoreCard, find("cards", name))
    cells = [(course.name, difficulty) for course, difficulty in card.places()]
    twice = sorted(
        {f"{course} {difficulty:g}" for course, difficulty in cells if cells.count((course, difficulty)) > 1}
    )
    if twice:
        raise SchemaError(expected(f"card {name}: cells", f"{', '.join(twice)} twice", "each one once"))
    return card
