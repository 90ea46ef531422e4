"""What an evaluation runs: cells of (policy, plant, course, difficulty, command), each a job per seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from robot_policies.exceptions import InputError, expected
from sim2real.evaluation.course import Course, Following
from sim2real.evaluation.episode import Job
from sim2real.evaluation.judge import Velocity
from sim2real.evaluation.plant import PlantName
from sim2real.evaluation.push import push_round
from sim2real.evaluation.world import farthest

PUSH_SPEED = 0.5  # [m/s] at which a robot walks that is pushed
PUSH_WINDOW = 1.0  # [s] in which the push comes: more than a gait cycle
RECOVERY, FOLLOWS = 2.0, 1.0  # [s] after a push: time to recover, and then to follow again


@dataclass(frozen=True)
class Policy:
    """A bundle that takes part."""

    bundle: str  # name or path
    label: str  # in tables


@dataclass(frozen=True)
class Cell:
    """Episodes that differ in nothing but the seed."""

    policy: Policy
    jobs: tuple[Job, ...]
    push: float = 0.0  # [m/s]

    @property
    def job(self) -> Job:
        """The first job; all but its seed is that of the others."""
        return self.jobs[0]


def course_cells(
    base: Job, policies: Sequence[Policy], difficulties: Iterable[float], plants: Sequence[PlantName], seeds: int
) -> list[Cell]:
    """Return a cell for each difficulty, policy and plant; the rest is that of ``base``."""
    return [
        Cell(policy, _seeds(replace(base, bundle=policy.bundle, difficulty=difficulty, plant=plant), seeds))
        for difficulty in difficulties
        for policy in policies
        for plant in plants
    ]


def card_cells(
    base: Job, policies: Sequence[Policy], places: Iterable[tuple[Course, float]], plants: Sequence[PlantName],
    seeds: int, command: Velocity | None, seconds: float | None,
) -> list[Cell]:  # fmt: skip
    """Return a cell for each course and difficulty, policy and plant; command and time are its own unless given."""
    return [
        cell
        for course, difficulty in places
        for cell in course_cells(
            replace(base, course=course, command=command or course.command, seconds=seconds or course.seconds),
            policies, [difficulty], plants, seeds,
        )
    ]  # fmt: skip


def grid_cells(
    base: Job, policies: Sequence[Policy], commands: Iterable[Velocity], plants: Sequence[PlantName], seeds: int
) -> list[Cell]:
    """Return a cell for each policy, plant and command."""
    asked = list(commands)
    return [
        Cell(policy, _seeds(replace(base, bundle=policy.bundle, command=command, plant=plant), seeds))
        for policy in policies
        for plant in plants
        for command in asked
    ]


def push_cells(
    base: Job, policies: Sequence[Policy], speed: float, plants: Sequence[PlantName], seeds: int
) -> list[Cell]:
    """Return two cells for each policy and plant: walking and standing, and then pushed by ``speed`` [m/s]."""
    walk, stand = (PUSH_SPEED, 0.0, 0.0), (0.0, 0.0, 0.0)
    return [
        Cell(policy, tuple(_pushed(job, speed, seeds) for job in jobs), speed)
        for policy in policies
        for plant in plants
        for command in (walk, stand)
        for jobs in [_seeds(replace(base, bundle=policy.bundle, plant=plant, command=command), seeds)]
    ]


def _seeds(job: Job, seeds: int) -> tuple[Job, ...]:
    return tuple(replace(job, seed=seed) for seed in range(seeds))


def _pushed(job: Job, speed: float, seeds: int) -> Job:
    """Return ``job`` with a push once it has settled; velocities count after the time to recover."""
    push = push_round(speed, job.seed, seeds, job.course.settle, PUSH_WINDOW)
    settled = push.at_s + RECOVERY
    return replace(job, pushes=(push,), course=replace(job.course, settle=settled), seconds=settled + FOLLOWS)


def check_time(job: Job) -> None:
    """Refuse an episode that is over before it counts, or that leaves its ground.

    Raises:
        InputError: one line.
        RobotError: no such terrain.
    """
    course = job.course
    if isinstance(course.success, Following) and job.seconds <= course.settle:
        valid = f"more than the {course.settle:g} s that the course lets the robot settle"
        raise InputError(expected("--seconds", f"{job.seconds:g} s", valid))
    reach, way = course.place(job.difficulty, job.seed).reach, farthest(job.command, job.seconds)
    if way > reach:
        found = f"{math.hypot(*job.command[:2]):g} m/s for {job.seconds:g} s is {way:.1f} m"
        raise InputError(expected(f"course {course.name}: a way on its ground", found, f"{reach:g} m or less"))
