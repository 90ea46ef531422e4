"""``robot-policies export``: recordings as data sets of other projects."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from robot_policies.cli.replay import find_run
from robot_policies.export.episodes import read_episodes
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
    runs = [read_episodes(find_run(name)) for name in args.run]
    frames = export(runs, args.out, args.task)
    missing = False
    for run in runs:
        missing = missing or bool(run.history.missing)
        for note in run.notes:
            print(f"{run.history.run.name}: {note}", file=sys.stderr)
    episodes = sum(len(run.rows) for run in runs)
    print(f"lerobot: {args.out}: {episodes} episodes, {frames} frames at {runs[0].fps} a second")
    return 1 if missing else 0
