"""``robot-policies view``: a recording on the viewer's page, with a time slider."""

from __future__ import annotations

import argparse

from robot_policies.cli.replay import find_run
from robot_policies.exceptions import ResourceError, expected

HELP = "look at a recording: the viewer's page with a time slider"
PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``view``."""
    parser.add_argument("run", metavar="RUN", help="folder of a recording, or 'last'")
    parser.add_argument("--port", type=int, default=PORT, help=f"of the page, the first of ten ({PORT})")
    browser = argparse.BooleanOptionalAction
    parser.add_argument("--browser", action=browser, default=True, help="open the page in a browser")


def main(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; 2 where there is nothing to show."""
    run = find_run(args.run)
    try:  # message classes come with ROS, which the other verbs on recordings do without
        from robot_policies.nodes.viewer_recording import view
    except ImportError as error:
        found = expected("view: the messages of ROS 2", error, "a sourced ROS 2, or pip install 'robot_policies[ros]'")
        raise ResourceError(found) from error
    view(run, args.port, args.browser, lambda line: print(line, flush=True))
    return 0
