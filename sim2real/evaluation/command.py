"""``robot-policies eval``: a bundle on a course, many seeds, without ROS; the score card as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import mujoco
import numpy as np

from robot_policies.bundle.load import read_contract
from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.resources import find
from sim2real.evaluation.card import cell, table
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Episode, Job, build, run_episode
from sim2real.evaluation.metrics import AXES
from sim2real.mujoco.filmstrip import write_strip

HELP = "run a bundle on a course without ROS, over many seeds, and print a score card"
STRIP_COLUMNS, STRIP_ROWS = 6, 4
STRIP_STEP_S = 0.05  # [s] between pictures of the gait


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("bundle", help="name or folder of a policy bundle")
    parser.add_argument("--course", default="flat", help="name or file of a course (default: flat)")
    parser.add_argument("--difficulty", type=float, default=0.0, help="one that the course knows (default: 0)")
    parser.add_argument("--robot", help="name or file of a robot (default: the one that the bundle names)")
    parser.add_argument(
        "--seeds", type=_count, default=5, metavar="N", help="episodes, with seeds 0 to N-1 (default: 5)"
    )
    parser.add_argument("--seconds", type=_seconds, default=20.0, help="of each episode, from activation (default: 20)")
    parser.add_argument(
        "--command",
        type=_velocity,
        default=(0.8, 0.0, 0.0),
        metavar="VX,VY,WZ",
        help="m/s, m/s, rad/s (default: 0.8,0,0); write --command=-0.3,0,0 where the first is negative",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the cells there")
    parser.add_argument("--jobs", type=_count, help="processes (default: one per core)")
    parser.add_argument("--filmstrip", type=Path, metavar="FILE.png", help="pictures of the first episode")


def main(args: argparse.Namespace) -> int:
    """Check everything, run the episodes, print the card. Raises ``RobotPoliciesError`` before anything is started."""
    jobs = _jobs(args)
    rig = build(jobs[0])  # so that whatever is wrong is said before the first process
    episodes = _collect(jobs, min(args.jobs or os.cpu_count() or 1, len(jobs)))
    cells = [cell(jobs[0], rig.policy, episodes)]
    print(table(cells))
    if args.json is not None:
        args.json.write_text(json.dumps(cells, indent=2) + "\n", encoding="utf-8")
    if args.filmstrip is not None:
        _strip(rig.robot.model, rig.robot.spec.state_rate, episodes[0], args.filmstrip)
    return 0


def _jobs(args: argparse.Namespace) -> list[Job]:
    course = load_course(args.course, args.difficulty)
    if args.seconds <= course.success.settle:
        valid = f"more than the {course.success.settle:g} s that the course lets the robot settle"
        raise InputError(expected("--seconds", f"{args.seconds:g} s", valid))
    for path in (args.json, args.filmstrip):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise InputError(expected("a file to write to", path, "a file name in a folder that exists"))
    robot = args.robot or read_contract(find("bundles", args.bundle)).robot
    return [
        Job(
            bundle=args.bundle,
            robot=robot,
            course=course,
            difficulty=args.difficulty,
            seed=seed,
            seconds=args.seconds,
            command=args.command,
            keep_poses=args.filmstrip is not None and seed == 0,
        )
        for seed in range(args.seeds)
    ]


def run_jobs(jobs: Sequence[Job], processes: int) -> Iterator[Episode]:
    """Give the episodes as they end, each from one of ``processes`` fresh processes; in this one where it is 1.

    Raises:
        RobotPoliciesError: a job's parts cannot be used.
        RobotError: a process died.
    """
    if processes == 1:
        yield from map(run_episode, jobs)
        return
    # spawn: a fork would copy the threads' locks of ONNX Runtime and MuJoCo
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_at_once)
    try:
        for done in as_completed([pool.submit(run_episode, job) for job in jobs]):
            yield done.result()
    except BrokenProcessPool as error:
        raise RobotError(expected("episodes: every process to its end", "one died", "fewer --jobs")) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_at_once() -> None:
    """Let Ctrl-C end a worker without a word; the process that started it tells the outcome."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _collect(jobs: Sequence[Job], processes: int) -> list[Episode]:
    """Run all jobs, tell of the progress on standard error, and return the episodes by seed."""
    episodes: list[Episode] = []
    begun = time.monotonic()
    for episode in run_jobs(jobs, processes):
        episodes.append(episode)
        verdict = "ok" if episode.success else "; ".join(episode.failures)
        elapsed = time.monotonic() - begun
        print(
            f"[{len(episodes)}/{len(jobs)}, {elapsed:.0f} s] seed {episode.seed}: {verdict}",
            file=sys.stderr,
            flush=True,
        )
    return sorted(episodes, key=lambda episode: episode.seed)


def _strip(model: mujoco.MjModel, rate: float, episode: Episode, path: Path) -> None:
    """Write the film strip of an episode; without GL say so in one line and go on."""
    moments = strip_moments(len(episode.poses), round(STRIP_STEP_S * rate))
    if not moments:
        print("film strip: not written: the robot never became active", file=sys.stderr)
        return
    try:
        write_strip(model, episode.poses[moments], path, STRIP_COLUMNS)
    except RobotError as error:
        print(error, file=sys.stderr)


def strip_moments(cycles: int, step: int) -> list[int]:
    """Return which of ``cycles`` active cycles to show: one row over the whole episode, then rows of the gait.

    The gait is shown every ``step`` cycles from the middle of the episode on, or earlier so that all of it fits.
    """
    if cycles == 0:
        return []
    overview = np.linspace(0, cycles - 1, STRIP_COLUMNS).astype(int).tolist()
    pictures = STRIP_COLUMNS * (STRIP_ROWS - 1)
    first = max(0, min(cycles // 2, cycles - 1 - step * (pictures - 1)))
    return [*overview, *(moment for moment in range(first, cycles, step))][: STRIP_COLUMNS * STRIP_ROWS]


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 < value <= 3600.0:
        raise ValueError(text)
    return value


def _velocity(text: str) -> tuple[float, float, float]:
    values = tuple(float(part) for part in text.split(","))
    if len(values) != len(AXES) or not all(math.isfinite(value) for value in values):
        raise ValueError(text)
    return values[0], values[1], values[2]


# argparse names the type in its one line of error
_count.__name__, _seconds.__name__, _velocity.__name__ = "count of 1 or more", "time of up to 3600 s", "VX,VY,WZ"
