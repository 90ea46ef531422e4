"""``robot-policies demo``: a simulated Go2 crosses obstacles that it sees. ``run`` with its defaults filled in.

With ``--policy`` another bundle moves on flat ground. With ``--wire`` the walking policy goes through the hardware
driver, over the robot's own protocol, to a firmware peer.
"""

from __future__ import annotations

import argparse
import os

from robot_policies.cli import run

HELP = "watch a simulated Go2 cross obstacles that its depth camera sees"
VELOCITY = "0.8,0,0"
POLICY, COMPANION, TERRAIN = "go2_parkour", "go2_walk", "parkour_stairs:0.15"
WIRE = "hil"  # the bring-up of --wire
DOMAINS = range(101, 221)  # of DDS, above those that ROS uses and within what its ports allow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``run``, with a page that opens."""
    run.add_arguments(parser)
    parser.add_argument(
        "--wire", action="store_true", help="over the robot's own protocol, through its hardware driver"
    )
    parser.set_defaults(browser=True)


def main(args: argparse.Namespace) -> int:
    """Run."""
    fill(args)
    return run.main(args)


def fill(args: argparse.Namespace) -> None:
    """Say in ``args`` what the demo is, where the command line does not."""
    if args.velocity is None and args.waypoints is None:
        args.velocity = VELOCITY
    if args.wire:
        args.bringup = WIRE
        domain = DOMAINS[os.getpid() % len(DOMAINS)]  # two demos at a time have two robots
        args.arguments = [f"domain:={domain}", *args.arguments]
    elif all(value is None for value in (args.policy, args.bringup, args.backend, args.robot)):
        args.policy, args.camera = POLICY, True
        args.companion = args.companion or COMPANION
        args.terrain = args.terrain or TERRAIN
