"""A course: the ground, its difficulties, the command, and what counts as a success, as one YAML file."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field

from robot_policies.exceptions import ResourceError, SchemaError, expected
from robot_policies.resources import find
from robot_policies.schema import load, schema
from sim2real.mujoco.terrain import Place, find_place, terrain_file

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Pair = tuple[float, float]  # low, high


@schema
class Following:
    """An episode succeeds where the robot does what it is told.

    The mean body velocity from the course's ``settle`` after activation is within ``velocity_tolerance`` of the command
    on every axis that is commanded. Where no axis is, the base is never farther than ``drift`` from where it was then.
    """

    kind: Literal["velocity"]
    velocity_tolerance: Positive  # fraction of the command
    drift: Positive  # [m], horizontal


@schema
class Crossing:
    """An episode succeeds as soon as the base is ``beyond`` the last edge of the lane, and upright, within its time.

    It fails where the base leaves the lane sideways.
    """

    kind: Literal["lane"]
    beyond: Positive  # [m]
    upright: Positive = 1.0  # [rad], a base tilted by less is upright


@schema
class Fall:
    """What ends an episode as a fall, from activation on."""

    tilt: Positive  # [rad], a base tilted by more has fallen
    thighs: bool  # whether a thigh that touches the ground is a fall
    trunk: bool = True  # whether a base that touches the ground is a fall


@schema
class Vary:
    """What differs from seed to seed, drawn uniformly. The sensors' noise differs too, and the terrain's own draws."""

    foot_friction: Pair  # sliding friction of the feet on the ground
    added_mass: Pair  # [kg], on the trunk, at its centre of mass
    start_yaw: Pair = (0.0, 0.0)  # [rad], where the robot looks at the start, from the x axis
    start_y: Pair = (0.0, 0.0)  # [m], how far to the left it stands
    least_friction: NotNegative = 0.0  # of the feet, also on a randomised plant: what the course needs to be possible


@schema
class Levels:
    """The difficulties of a course, in the unit of its terrain."""

    range: Pair  # both ends included
    default: float


@schema
class Course:
    """What the robot has to cross, and the rules."""

    name: str
    description: str
    terrain: str  # a kind of the simulator's terrains
    difficulty: Levels
    command: tuple[float, float, float]  # x [m/s], y [m/s], yaw [rad/s] in the base frame, unless another is asked for
    seconds: Annotated[float, Field(gt=0, le=3600)]  # of an episode, from activation on, unless others are asked for
    settle: NotNegative  # [s] from activation on, in which velocities do not count
    success: Annotated[Union[Following, Crossing], Field(discriminator="kind")]
    fall: Fall
    vary: Vary
    # [1/s] The operator turns the robot by this times the angle to the lane's middle line; 0: a constant command.
    steer: NotNegative = 0.0

    def place(self, difficulty: float, seed: int) -> Place:
        """Return the ground of one episode. Raises ``RobotError``."""
        return find_place(f"{self.terrain}:{difficulty!r}:{seed}")


def load_course(name: str, difficulty: float | None = None) -> Course:
    """Return the course called ``name`` (or at that path), which must have ``difficulty``.

    Raises:
        ResourceError: no such course, or not at this difficulty.
        SchemaError: its file is not a course.
        RobotError: its terrain does not exist.
    """
    course = load(Course, find("courses", name))
    _check_pairs(course, name)
    _check_terrain(course, name)
    low, high = course.difficulty.range
    value = course.difficulty.default if difficulty is None else difficulty
    if not low <= value <= high:
        unit = terrain_file(course.terrain).difficulty.unit
        valid = f"{low:g} to {high:g} {unit}".strip() if high > low else f"{low:g}"
        raise ResourceError(expected(f"course {name}: difficulty", f"{value:g}", valid))
    return course


def _check_pairs(course: Course, name: str) -> None:
    vary = {what: pair for what, pair in vars(course.vary).items() if isinstance(pair, tuple)}
    for what, (low, high) in {**vary, "difficulty.range": course.difficulty.range}.items():
        if low > high:
            raise SchemaError(expected(f"course {name}: {what}", f"{low} to {high}", "low before high"))


def _check_terrain(course: Course, name: str) -> None:
    terrain, (low, high) = terrain_file(course.terrain), course.difficulty.range
    floor, ceiling = terrain.difficulty.range
    if low < floor or high > ceiling:
        valid = f"within {floor:g} to {ceiling:g} of terrain {course.terrain}"
        raise SchemaError(expected(f"course {name}: difficulty.range", f"{low:g} to {high:g}", valid))
    if isinstance(course.success, Crossing) and terrain.lane is None:
        raise SchemaError(expected(f"course {name}: a terrain with a lane", course.terrain, "success.kind velocity"))
