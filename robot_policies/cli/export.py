"""``robot-policies export``: recordings as data sets of other projects."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from robot_policies.cli.replay import find_run
from robot_policies.exceptions import RecordingError, RobotPoliciesError
from robot_policies.export.episodes import Episodes, read_episodes, same_features
from robot_policies.export.lerobot import check_package, export

HELP = "write recordings as a data set of another project"
TASK = "follow the velocity command"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``export``."""
    parser.add_argument("format", choices=("lerobot",), help="LeRobotDataset v3; needs the package lerobot")
    parser.add_argument("run", metavar="RUN", nargs="+", help="folders of recordings, or 'last'")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the data set, which is not there yet")
    parser.add_argument("--task", default=TASK, help="what the policy was told to do (default: %(default)s)")


def main(args: argparse.Namespace) -> int:
    """Export; 0 where all is in the data set, 1 where something of a recording is missing, 2 where none is made."""
    check_package()
    runs, left_out = _readable(args.run)
    frames = export(runs, args.out, args.task)
    for run in runs:
        for note in run.notes:
            print(f"{run.history.run.name}: {note}", file=sys.stderr)
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    episodes = sum(len(run.rows) for run in runs)
    print(f"lerobot: {args.out}: {episodes} episodes, {frames} frames at {runs[0].fps} a second")
    return 1 if left_out or any(run.history.missing for run in runs) else 0


def _readable(names: list[str]) -> tuple[list[Episodes], list[str]]:
    """Return the recordings that can be exported together, as the first of them, and why the others cannot.

    Raises:
        RecordingError: none can.
    """
    runs: list[Episodes] = []
    left_out = []
    for name in names:
        try:
            run = read_episodes(find_run(name))
            same_features([*runs[:1], run])
        except RobotPoliciesError as error:
            left_out.append(f"{name}: {' | '.join(str(error).splitlines())}")
        else:
            runs.append(run)
    if not runs:
        raise RecordingError("nothing to export: " + "; ".join(left_out))
    return runs, left_out
