"""``robot-policies eval``: bundles on a course, many seeds, without ROS; the score card as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from robot_policies.bundle.load import read_contract
from robot_policies.exceptions import InputError, expected
from robot_policies.resources import find
from sim2real.evaluation import grid
from sim2real.evaluation.card import card, table
from sim2real.evaluation.course import Course, Crossing, load_course
from sim2real.evaluation.episode import Episode, Job, build
from sim2real.evaluation.judge import AXES
from sim2real.evaluation.plan import Cell, Policy, check_time, course_cells, grid_cells, push_cells
from sim2real.evaluation.plant import PLANTS, PlantName
from sim2real.evaluation.pool import collect
from sim2real.evaluation.strip import film

HELP = "run bundles on a course without ROS, over many seeds, and print a score card"
SEEDS, GRID_SEEDS, PUSH_SEEDS = 5, 20, 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("bundle", nargs="+", help="name or folder of a policy bundle; several are compared")
    parser.add_argument("--course", default="flat", help="name or file of a course (default: flat)")
    parser.add_argument(
        "--difficulty", type=float, nargs="+", metavar="D", help="in the unit of the course (default: the course's)"
    )
    parser.add_argument("--robot", help="name or file of a robot (default: the one that the first bundle names)")
    parser.add_argument(
        "--plant", choices=[*PLANTS, "both"], default="nominal",
        help="the course's own robot, or one of the ranges of training (default: nominal)",
    )  # fmt: skip
    seeds = f"episodes, with seeds 0 to N-1 (default: {SEEDS}; {GRID_SEEDS} with --grid, {PUSH_SEEDS} with --push)"
    parser.add_argument("--seeds", type=_count, metavar="N", help=seeds)
    parser.add_argument("--seconds", type=_seconds, help="of each episode, from activation (default: the course's)")
    parser.add_argument(
        "--command",
        type=_velocity,
        metavar="VX,VY,WZ",
        help="m/s, m/s, rad/s (default: the course's); write --command=-0.3,0,0 where the first is negative",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--grid", action="store_true", help="follow each command of a grid, and print the mean errors")
    kind.add_argument("--push", type=_push, metavar="M/S", help="push the robot, walking and standing, all around")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the cells there")
    parser.add_argument("--jobs", type=_count, help="processes (default: one per core)")
    parser.add_argument("--filmstrip", type=Path, metavar="FILE.png", help="pictures of an episode of the first cell")
    parser.add_argument("--strip-seed", type=_seed, default=0, metavar="K", help="which episode (default: 0)")


def main(args: argparse.Namespace) -> int:
    """Check everything, run the episodes, print the card. Raises ``RobotPoliciesError`` before anything is started."""
    cells = _cells(args)
    for cell in {(cell.policy.bundle, cell.job.difficulty): cell for cell in cells}.values():
        build(cell.job)  # so that whatever is wrong is said before the first process
    jobs = [job for cell in cells for job in cell.jobs]
    flat = iter(collect(jobs, min(args.jobs or os.cpu_count() or 1, len(jobs))))
    episodes = [list(islice(flat, len(cell.jobs))) for cell in cells]
    cards = _cards(args, cells, episodes)
    if args.json is not None:
        args.json.write_text(json.dumps(cards, indent=2) + "\n", encoding="utf-8")
    if args.filmstrip is not None:
        film(_strip_job(cells[0], args.strip_seed), args.filmstrip)
    return 0


def _cards(args: argparse.Namespace, cells: list[Cell], episodes: list[list[Episode]]) -> list[dict[str, Any]]:
    if args.grid:
        cards = grid.grid_cards(cells, episodes)
        print(grid.grid_table(cards))
        return cards
    cards = [card(cell, found) for cell, found in zip(cells, episodes, strict=True)]
    print(table(cards))
    return cards


def _cells(args: argparse.Namespace) -> list[Cell]:
    course, difficulties = _course(args)
    _check_kind(args, course)
    for path in (args.json, args.filmstrip):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise InputError(expected("a file to write to", path, "a file name in a folder that exists"))
    policies = _policies(args.bundle)
    robot = args.robot or read_contract(find("bundles", args.bundle[0])).robot
    plants: Sequence[PlantName] = PLANTS if args.plant == "both" else (args.plant,)
    seconds = args.seconds or (grid.SECONDS if args.grid else course.seconds)
    command = args.command or course.command
    base = Job(args.bundle[0], robot, course, difficulties[0], 0, seconds, command)
    if args.grid:
        cells = grid_cells(base, policies, grid.COMMANDS, plants, args.seeds or GRID_SEEDS)
    elif args.push:
        cells = push_cells(base, policies, args.push, plants, args.seeds or PUSH_SEEDS)
    else:
        cells = course_cells(base, policies, difficulties, plants, args.seeds or SEEDS)
    for cell in cells:
        check_time(cell.job)
    return cells


def _course(args: argparse.Namespace) -> tuple[Course, list[float]]:
    course = load_course(args.course)
    difficulties: list[float] = args.difficulty or [course.difficulty.default]
    for difficulty in difficulties:
        load_course(args.course, difficulty)
    if len(set(difficulties)) < len(difficulties):
        raise InputError(expected("--difficulty", " ".join(f"{value:g}" for value in difficulties), "each one once"))
    return course, difficulties


def _check_kind(args: argparse.Namespace, course: Course) -> None:
    """Refuse what does not go with ``--grid`` or ``--push``."""
    if not (args.grid or args.push):
        return
    option = "--grid" if args.grid else "--push"
    if isinstance(course.success, Crossing):
        raise InputError(expected(f"{option}: a course on which commands are followed", course.name, "such as flat"))
    given = {"--command": args.command is not None, "two difficulties": len(args.difficulty or ()) > 1}
    given |= {"--seconds": args.seconds is not None and args.push, "--filmstrip": args.grid and args.filmstrip}
    for word, there in given.items():
        if there:
            raise InputError(expected(f"{option}: its own commands and times", word, f"{option} without it"))


def _policies(bundles: Sequence[str]) -> list[Policy]:
    """Return the bundles, each once, with names that tell them apart."""
    places = [find("bundles", bundle).resolve() for bundle in bundles]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise InputError(expected("bundles to compare", f"{bundles[number]} twice", "each one once"))
    names = [read_contract(place).name for place in places]
    return [
        Policy(bundle, name if names.count(name) == 1 else bundle) for bundle, name in zip(bundles, names, strict=True)
    ]


def _strip_job(cell: Cell, seed: int) -> Job:
    return cell.jobs[seed] if seed < len(cell.jobs) else replace(cell.job, seed=seed)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 3600.0:
        raise ValueError(text)
    return value


def _push(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 5.0:
        raise ValueError(text)
    return value


def _velocity(text: str) -> tuple[float, float, float]:
    values = tuple(float(part) for part in text.split(","))
    if len(values) != len(AXES) or not all(math.isfinite(value) for value in values):
        raise ValueError(text)
    return values[0], values[1], values[2]


# argparse names the type in its one line of error
_count.__name__, _seconds.__name__, _velocity.__name__ = "count of 1 or more", "time of up to 3600 s", "VX,VY,WZ"
_seed.__name__, _push.__name__ = "seed of 0 or more", "speed of up to 5 m/s"
