"""``robot-policies check``: whether a bundle is what it says, and what it says."""

from __future__ import annotations

import argparse
import sys

from robot_policies import resources
from robot_policies.action.decoder import gain_profile
from robot_policies.bundle.golden import GoldenReport, check_golden
from robot_policies.bundle.load import Bundle, load_bundle, read_contract
from robot_policies.bundle.robot_check import reads_lin_vel
from robot_policies.bundle.write import accept_golden
from robot_policies.cli.contract_text import contract_text
from robot_policies.exceptions import BundleError
from robot_policies.robot_spec import RobotSpec, load_robot_spec

HELP = "check a bundle (form, hashes, sizes, networks, golden outputs) and print its contract"

_REFUSED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``BUNDLE [--robot NAME] [--accept]``."""
    parser.add_argument("bundle", metavar="BUNDLE", help="name of a bundle, or path of its folder")
    parser.add_argument("--robot", metavar="NAME", help="robot to check it for (default: the one that it names)")
    parser.add_argument(
        "--accept", action="store_true", help="write golden.npz anew from what the bundle gives now, then check"
    )


def main(args: argparse.Namespace) -> int:
    """Check and print; every fault goes to standard error, one line each, with exit code 2."""
    try:
        folder = resources.find("bundles", args.bundle)
        spec = load_robot_spec(args.robot or read_contract(folder).robot)
        bundle = accept_golden(folder, spec) if args.accept else load_bundle(folder, spec)
        report = check_golden(bundle, spec)
    except BundleError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    print(_text(bundle, spec, report))
    return 0


def _text(bundle: Bundle, spec: RobotSpec, report: GoldenReport) -> str:
    lines = [contract_text(bundle.contract), "", f"gain profile {gain_profile(bundle.contract, spec).name}"]
    if reads_lin_vel(bundle.contract):
        lines.append("reads base_lin_vel: runs only where an estimator gives it, or in simulation")
    share = f"{100.0 * report.worst:.2g} %"
    lines.append(f"golden outputs agree over {report.ticks} ticks; largest difference {share} of the tolerance")
    lines.append(f"ok: {bundle.folder} for {spec.name}")
    return "\n".join(lines)
