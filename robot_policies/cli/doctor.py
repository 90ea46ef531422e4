"""``robot-policies doctor``: what this machine, its network and the robot lack before a policy may run."""

from __future__ import annotations

import argparse

HELP = "look at this machine, its network, the robot and the camera, and say what to do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(args: argparse.Namespace) -> int:
    """Run."""
    return 0
