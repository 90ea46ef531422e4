"""``robot-policies import``: a policy of another project becomes a bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from robot_policies.bundle.importers.importer import FORMATS, Imported, Request, import_policy

HELP = "make a bundle from a policy of another project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["formats:", *(f"  {name:14} {form.help}" for name, form in FORMATS.items())])
    parser.add_argument("source", metavar="SOURCE", type=Path, help="what the format says")
    parser.add_argument("dest", metavar="DEST", type=Path, help="folder of the new bundle; must not exist")
    parser.add_argument("--format", required=True, choices=list(FORMATS), help="what SOURCE is, see below")
    parser.add_argument("--robot", metavar="NAME", help="the robot; may stand in FILE.yaml instead")
    parser.add_argument("--name", help="of the bundle; made from SOURCE where left out")
    parser.add_argument("--describe", metavar="FILE.yaml", type=Path, help="what the format does not state")
    parser.add_argument("--licence", help="of the policy, such as Apache-2.0")


def main(args: argparse.Namespace) -> int:
    """Import, and print what came of it; warnings go to standard error."""
    imported = import_policy(
        Request(args.format, args.source, args.dest, args.robot, args.name, args.describe, args.licence)
    )
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    print(_summary(imported))
    return 0


def _summary(imported: Imported) -> str:
    contract, comparison = imported.bundle.contract, imported.comparison
    terms = ", ".join(term.term for group in contract.observations.values() for term in group.terms)
    return "\n".join(
        [
            f"{contract.name}: bundle for {contract.robot} at {imported.bundle.folder}",
            f"  observation: {terms}",
            f"  control period: {contract.timing.control_dt:g} s",
            f"  original and bundle: {comparison.steps} steps, relative difference {comparison.relative:.2g}",
            "  not stated by the source, so the project's defaults:",
            *(f"    {item}" for item in imported.defaults),
            f"  next: robot-policies check {imported.bundle.folder.resolve()} --robot {contract.robot}",
        ]
    )
