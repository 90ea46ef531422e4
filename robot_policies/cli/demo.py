"""``robot-policies demo``: a simulated Go2 walks under the shipped policy. ``run`` with its defaults filled in.

With ``--wire`` the same policy goes through the hardware driver, over the robot's own protocol, to a firmware peer.
"""

from __future__ import annotations

import argparse
import os

from robot_policies.cli import run

HELP = "watch a simulated Go2 walk under the shipped policy"
VELOCITY = "0.8,0,0"
WIRE = "hil"  # the bring-up of --wire
DOMAINS = range(101, 221)  # of DDS, above those that ROS uses and within what its ports allow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``run``, with a velocity to walk at and a page that opens."""
    run.add_arguments(parser)
    parser.add_argument(
        "--wire", action="store_true", help="over the robot's own protocol, through its hardware driver"
    )
    parser.set_defaults(velocity=VELOCITY, browser=True)


def main(args: argparse.Namespace) -> int:
    """Run."""
    if args.wire:
        args.bringup = WIRE
        domain = DOMAINS[os.getpid() % len(DOMAINS)]  # two demos at a time have two robots
        args.arguments = [f"domain:={domain}", *args.arguments]
    return run.main(args)
