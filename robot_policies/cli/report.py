"""``robot-policies report``: makes one HTML page of a recording."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from robot_policies.cli.replay import find_run
from robot_policies.control.recording.history import read_history
from robot_policies.exceptions import ResourceError, expected
from robot_policies.report.page import PICTURES, page

HELP = "make an HTML page of a recording"
LINES = 20  # of what is missing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``report``."""
    parser.add_argument("run", metavar="RUN", help="folder of a recording, or 'last'")
    parser.add_argument("--out", type=Path, metavar="FILE", help="(default: report.html in the recording)")
    parser.add_argument(
        "--pictures", type=int, default=PICTURES, help="of the film strip; 0: none (default: %(default)s)"
    )


def main(args: argparse.Namespace) -> int:
    """Write the page; 0 where everything is on it, 1 where something is missing, 2 where there is nothing to show."""
    run = find_run(args.run)
    path: Path = args.out or run / "report.html"
    if not 0 <= args.pictures <= 120:
        raise ResourceError(expected("--pictures", args.pictures, "0 to 120"))
    if not path.parent.is_dir() or path.is_dir():  # before the work
        raise ResourceError(expected(f"a file to write at {path}", "none can be there", "--out FILE in a folder"))
    history = read_history(run)
    text = page(history, args.pictures)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResourceError(expected(f"a file to write at {path}", error.strerror, "--out FILE in a folder")) from error
    for line in history.missing[:LINES]:
        print(f"missing: {line}", file=sys.stderr)
    if len(history.missing) > LINES:
        print(f"missing: and {len(history.missing) - LINES} more", file=sys.stderr)
    print(f"report: {path} ({len(text) / 1e6:.1f} MB)")
    return 1 if history.missing else 0
