"""``robot-policies demo``: a simulated Go2 walks under the shipped policy. ``run`` with its defaults filled in."""

from __future__ import annotations

import argparse

from robot_policies.cli import run

HELP = "watch a simulated Go2 walk under the shipped policy"
VELOCITY = "0.8,0,0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``run``, with a velocity to walk at and a page that opens."""
    run.add_arguments(parser)
    parser.set_defaults(velocity=VELOCITY, browser=True)


def main(args: argparse.Namespace) -> int:
    """Run."""
    if args.waypoints is not None and args.velocity == VELOCITY:
        args.velocity = None  # nobody asked for both
    return run.main(args)
