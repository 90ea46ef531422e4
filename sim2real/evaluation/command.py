"""``robot-policies eval``: bundles on a course, many seeds, without ROS; the score card as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from robot_policies.bundle.load import read_contract
from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.resources import find
from sim2real.evaluation import grid
from sim2real.evaluation.card import agreement, card, table
from sim2real.evaluation.course import Course, Crossing, load_course
from sim2real.evaluation.curve import draw
from sim2real.evaluation.episode import Job, build
from sim2real.evaluation.judge import AXES
from sim2real.evaluation.nodes_run import check_nodes, run_through_nodes
from sim2real.evaluation.plan import Cell, Policy, card_cells, check_time, course_cells, grid_cells, push_cells
from sim2real.evaluation.plant import PLANTS, PlantName
from sim2real.evaluation.pool import collect
from sim2real.evaluation.resume import known_cards, run_cells
from sim2real.evaluation.score_card import load_score_card
from sim2real.evaluation.strip import film

HELP = "run bundles on a course without ROS, over many seeds, and print a score card"
SEEDS, GRID_SEEDS, PUSH_SEEDS, NODES_SEEDS = 5, 20, 100, 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("bundle", nargs="+", help="name or folder of a policy bundle; several are compared")
    parser.add_argument("--companion", help="a blind bundle that takes over where BUNDLE cannot see: name or folder")
    parser.add_argument("--course", help="name or file of a course (default: flat)")
    parser.add_argument(
        "--difficulty", type=float, nargs="+", metavar="D", help="in the unit of the course (default: the course's)"
    )
    parser.add_argument("--robot", help="name or file of a robot (default: the one that the first bundle names)")
    parser.add_argument(
        "--plant", choices=[*PLANTS, "both"],
        help="the course's own robot, or one of the ranges of training (default: nominal, or the card's)",
    )  # fmt: skip
    defaults = f"{SEEDS}; {GRID_SEEDS} with --grid, {PUSH_SEEDS} with --push, {NODES_SEEDS} with --nodes, or the card's"
    seeds = f"episodes, with seeds 0 to N-1 (default: {defaults})"
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
    kind.add_argument("--card", metavar="NAME", help="run a score card: many courses; a --json FILE is continued")
    kind.add_argument("--nodes", action="store_true", help="also through the ROS nodes in real time, and compare")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the cells there")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw success over difficulty (needs matplotlib)")
    parser.add_argument("--jobs", type=_count, help="processes (default: one per core)")
    parser.add_argument("--filmstrip", type=Path, metavar="FILE.png", help="pictures of an episode of the first cell")
    parser.add_argument("--strip-seed", type=_seed, default=0, metavar="K", help="which episode (default: 0)")


def main(args: argparse.Namespace) -> int:
    """Check everything, run the episodes, print the card. Raises ``RobotPoliciesError`` before anything is started."""
    cells = _cells(args)
    known = known_cards(args.json, cells) if args.card else {}
    for cell in {(cell.policy.bundle, cell.job.course.name, cell.job.difficulty): cell for cell in cells}.values():
        build(cell.job)  # so that whatever is wrong is said before the first process
    cards = _cards(args, cells, known)
    if args.plot is not None:
        _plot(cards, args.plot)
    if args.filmstrip is not None:
        film(_strip_job(cells[0], args.strip_seed), args.filmstrip)
    return 0


def _cards(args: argparse.Namespace, cells: list[Cell], known: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    processes = args.jobs or os.cpu_count() or 1
    if args.grid:
        jobs = [job for cell in cells for job in cell.jobs]
        flat = iter(collect(jobs, min(processes, len(jobs))))
        cards = grid.grid_cards(cells, [list(islice(flat, len(cell.jobs))) for cell in cells])
        if args.json is not None:
            args.json.write_text(json.dumps(cards, indent=2) + "\n", encoding="utf-8")
        print(grid.grid_table(cards))
        return cards
    cards = run_cells(cells, processes, args.json, known)
    if args.nodes:
        cards = _with_nodes(args, cells, cards)
    print(table(cards))
    if args.nodes:
        print(agreement(*cards))
    return cards


def _with_nodes(args: argparse.Namespace, cells: list[Cell], cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the offline card, and that of the same seeds through the nodes."""
    cell = cells[0]
    episodes = []
    for episode in run_through_nodes(cell.jobs):
        episodes.append(episode)
        verdict = "ok" if episode.success else "; ".join(episode.failures)
        sys.stderr.write(f"[{len(episodes)}/{len(cell.jobs)}] through the nodes, seed {episode.seed}: {verdict}\n")
        sys.stderr.flush()
    both = [*cards, {**card(cell, episodes), "plant": "nodes"}]
    if args.json is not None:
        args.json.write_text(json.dumps(both, indent=2) + "\n", encoding="utf-8")
    return both


def _plot(cards: list[dict[str, Any]], path: Path) -> None:
    try:
        draw(cards, path)
    except RobotError as error:
        sys.stderr.write(f"{error}\n")


def _cells(args: argparse.Namespace) -> list[Cell]:
    listed = load_score_card(args.card) if args.card else None
    course, difficulties = _course(args) if listed is None else next((each, [at]) for each, at in listed.places())
    _check_kind(args, course)
    for path in (args.json, args.filmstrip, args.plot):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise InputError(expected("a file to write to", path, "a file name in a folder that exists"))
    policies = _policies(args.bundle, args.companion)
    robot = args.robot or read_contract(find("bundles", args.bundle[0])).robot
    asked = args.plant or ("model" if args.nodes else "nominal" if listed is None else listed.plant)
    plants: Sequence[PlantName] = PLANTS if asked == "both" else (asked,)
    seconds = args.seconds or (grid.SECONDS if args.grid else course.seconds)
    command = args.command or course.command
    base = Job(args.bundle[0], robot, course, difficulties[0], 0, seconds, command, companion=args.companion or "")
    if listed is not None:
        seeds = args.seeds or listed.seeds
        cells = card_cells(base, policies, listed.places(), plants, seeds, args.command, args.seconds)
    elif args.grid:
        cells = grid_cells(base, policies, grid.COMMANDS, plants, args.seeds or GRID_SEEDS)
    elif args.push:
        cells = push_cells(base, policies, args.push, plants, args.seeds or PUSH_SEEDS)
    else:
        seeds = args.seeds or (NODES_SEEDS if args.nodes else SEEDS)
        cells = course_cells(base, policies, difficulties, plants, seeds)
    _check_cells(args, cells)
    return cells


def _check_cells(args: argparse.Namespace, cells: list[Cell]) -> None:
    for cell in cells:
        check_time(cell.job)
    if args.nodes:
        if len(cells) != 1 or args.plant:
            found = "--plant" if args.plant else f"{len(cells)} cells"
            raise InputError(expected("--nodes: one bundle, one difficulty, the model's own plant", found, "one cell"))
        check_nodes(cells[0].job)


def _course(args: argparse.Namespace) -> tuple[Course, list[float]]:
    name = args.course or "flat"
    course = load_course(name)
    difficulties: list[float] = args.difficulty or [course.difficulty.default]
    for difficulty in difficulties:
        load_course(name, difficulty)
    if len(set(difficulties)) < len(difficulties):
        raise InputError(expected("--difficulty", " ".join(f"{value:g}" for value in difficulties), "each one once"))
    return course, difficulties


def _check_kind(args: argparse.Namespace, course: Course) -> None:
    """Refuse what does not go with ``--card``, ``--grid`` or ``--push``."""
    if args.card:
        given = {"--course": args.course is not None, "--difficulty": args.difficulty is not None}
        _refuse("--card", given, "its own courses and difficulties")
    if not (args.grid or args.push):
        return
    option = "--grid" if args.grid else "--push"
    if isinstance(course.success, Crossing):
        raise InputError(expected(f"{option}: a course on which commands are followed", course.name, "such as flat"))
    given = {"--command": args.command is not None, "two difficulties": len(args.difficulty or ()) > 1}
    given |= {"--seconds": args.seconds is not None and args.push, "--filmstrip": args.grid and args.filmstrip}
    given |= {"--plot": args.plot is not None}
    _refuse(option, given, "its own commands and times")


def _refuse(option: str, given: dict[str, Any], own: str) -> None:
    for word, there in given.items():
        if there:
            raise InputError(expected(f"{option}: {own}", word, f"{option} without it"))


def _policies(bundles: Sequence[str], companion: str | None) -> list[Policy]:
    """Return the bundles, each once, with names that tell them apart and say with which companion."""
    beside = f"+{read_contract(find('bundles', companion)).name}" if companion else ""
    places = [find("bundles", bundle).resolve() for bundle in bundles]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise InputError(expected("bundles to compare", f"{bundles[number]} twice", "each one once"))
    names = [read_contract(place).name for place in places]
    return [
        Policy(bundle, (name if names.count(name) == 1 else bundle) + beside)
        for bundle, name in zip(bundles, names, strict=True)
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
