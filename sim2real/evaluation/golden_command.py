"""``robot-policies golden``: runs the golden runs of the shipped bundles again, or records them anew."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from robot_policies.control.recording.golden import run_golden
from robot_policies.exceptions import ResourceError, RobotPoliciesError, expected
from robot_policies.resources import share_folder
from sim2real.evaluation.golden_run import record_golden

HELP = "run each shipped policy's golden run again; --accept records it anew"
CHECKOUT = Path("test") / "golden" / "recordings"  # in a checkout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``golden``."""
    parser.add_argument("bundle", nargs="*", help="name of a bundle (default: all that are shipped)")
    parser.add_argument(
        "--accept", action="store_true", help="record anew: the named ones, or all that differ or have none"
    )
    parser.add_argument("--folder", type=Path, help=f"where the golden runs lie (default: {CHECKOUT} of the checkout)")


def main(args: argparse.Namespace) -> int:
    """Check or record; 0 where every golden run is as recorded, 1 where one is not."""
    folder = args.folder or _in_checkout()
    failed = False
    for name in args.bundle or _shipped():
        if args.accept and args.bundle:
            _record(name, folder)
            continue
        same, lines = check(name, folder)
        if not same and args.accept:
            _record(name, folder)
            continue
        failed = failed or not same
        _say(*lines, *([] if same else [accept_line(name)]))
    return int(failed)


def check(name: str, folder: Path) -> tuple[bool, list[str]]:
    """Return whether bundle ``name`` does what its golden run in ``folder`` did, and what to say of it."""
    run = folder / name
    if not run.is_dir():
        return False, [f"{name}: no golden run at {run}"]
    try:
        golden = run_golden(run)
    except RobotPoliciesError as error:
        return False, [f"{name}: {error}"]
    if golden.differences:
        return False, [f"{name}: {line}" for line in golden.differences]
    share = f"networks within {100.0 * golden.worst:.2g} % of the tolerance"
    return True, [f"{name}: {golden.policy.ticks} ticks, {golden.robot.ticks} cycles: no difference; {share}"]


def accept_line(name: str) -> str:
    """Return how to accept what has changed."""
    return f"if the change is meant: robot-policies golden {name} --accept"


def _record(name: str, folder: Path) -> None:
    made = record_golden(name, folder / name)
    size = sum(path.stat().st_size for path in made.iterdir())
    _say(f"{name}: recorded {made} ({size / 1000:.0f} kB); commit it with the change")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _shipped() -> list[str]:
    return sorted(path.parent.name for path in (share_folder() / "bundles").glob("*/policy.yaml"))


def _in_checkout() -> Path:
    folder = share_folder() / CHECKOUT
    if not folder.parent.is_dir():
        raise ResourceError(expected("golden runs", f"no {CHECKOUT}, as this is no checkout", "--folder FOLDER"))
    return folder
