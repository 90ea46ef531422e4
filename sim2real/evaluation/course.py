"""A course: the ground, the difficulties it knows, and what counts as a success, as one YAML file."""

from __future__ import annotations

from typing import Annotated, Optional

from pydantic import Field

from robot_policies.exceptions import ResourceError, SchemaError, expected
from robot_policies.resources import find
from robot_policies.schema import load, schema

Positive = Annotated[float, Field(gt=0)]
Pair = tuple[float, float]  # low, high


@schema
class Success:
    """An episode succeeds without a fall and without a trip, and where it follows its command.

    The mean body velocity from ``settle`` after activation is within ``velocity_tolerance`` of the command on every
    axis that is commanded. Where no axis is, the base is never farther than ``drift`` from where it was then.
    """

    settle: Positive  # [s]
    velocity_tolerance: Positive  # fraction of the command
    drift: Positive  # [m], horizontal
    tilt: Positive  # [rad], a base tilted by more has fallen


@schema
class Vary:
    """What differs from seed to seed, drawn uniformly. The sensors' noise differs too."""

    foot_friction: Pair  # sliding friction of the feet on the ground
    added_mass: Pair  # [kg], on the trunk, at its centre of mass


@schema
class Course:
    """What the robot has to cross, and the rules."""

    name: str
    description: str
    difficulties: tuple[float, ...]  # the levels that exist
    success: Success
    vary: Vary
    terrain: Optional[str] = None  # name of one of the simulator's terrains; None is the plane


def load_course(name: str, difficulty: float) -> Course:
    """Return the course called ``name`` (or at that path), which must know ``difficulty``.

    Raises:
        ResourceError: no such course, or not at this difficulty.
        SchemaError: its file is not a course.
    """
    course = load(Course, find("courses", name))
    for what, (low, high) in (("friction", course.vary.foot_friction), ("added_mass", course.vary.added_mass)):
        if low > high:
            raise SchemaError(expected(f"course {name}: vary: {what}", f"{low} to {high}", "low before high"))
    if difficulty not in course.difficulties:
        raise ResourceError(expected(f"course {name}: difficulty", difficulty, course.difficulties))
    return course
