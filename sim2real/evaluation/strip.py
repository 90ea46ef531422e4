"""The film strip of one episode."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from robot_policies.exceptions import RobotError
from sim2real.evaluation.course import Crossing
from sim2real.evaluation.episode import Job, build, run_rig
from sim2real.mujoco.filmstrip import write_strip

COLUMNS, ROWS = 6, 4
STEP_S = 0.05  # [s] between pictures of the gait


def film(job: Job, path: Path) -> None:
    """Run ``job``, which comes out as it did before, and write its pictures; without GL say so in one line and go on.

    Raises:
        RobotPoliciesError: the job's parts cannot be used.
    """
    rig = build(job)
    episode = run_rig(rig, job, keep_poses=True)
    cycles = len(episode.poses)
    crossing = isinstance(job.course.success, Crossing)
    step = round(STEP_S * rig.robot.spec.state_rate)
    moments = even_moments(cycles) if crossing else strip_moments(cycles, step)
    if not moments:
        sys.stderr.write("film strip: not written: the robot never became active\n")
        return
    try:
        write_strip(rig.robot.model, episode.poses[moments], path, COLUMNS, along=crossing)
    except RobotError as error:
        sys.stderr.write(f"{error}\n")


def even_moments(cycles: int) -> list[int]:
    """Return which of ``cycles`` active cycles to show: evenly over the whole episode."""
    count = min(cycles, COLUMNS * ROWS)
    return np.linspace(0, cycles - 1, count).astype(int).tolist() if cycles else []


def strip_moments(cycles: int, step: int) -> list[int]:
    """Return which of ``cycles`` active cycles to show: one row over the whole episode, then rows of the gait.

    The gait is shown every ``step`` cycles from the middle of the episode on, or earlier so that all of it fits.
    """
    if cycles == 0:
        return []
    overview = np.linspace(0, cycles - 1, COLUMNS).astype(int).tolist()
    pictures = COLUMNS * (ROWS - 1)
    first = max(0, min(cycles // 2, cycles - 1 - step * (pictures - 1)))
    return [*overview, *(moment for moment in range(first, cycles, step))][: COLUMNS * ROWS]
