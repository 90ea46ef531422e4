"""The README of an imported bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot_policies.bundle.importers.compare import RESET, TOLERANCE
from robot_policies.bundle.importers.made import Made


def readme(contract: Mapping[str, Any], made: Made) -> str:
    """Return what a person should know of the bundle: where it is from, what was compared, what was assumed.

    Args:
        contract: of the bundle, as plain data.
        made: what was read, how it was compared, and the project's defaults in it.
    """
    policy, comparison = made.policy, made.comparison
    whose = "original's" if made.reference is not None else "bundle's own networks'"
    provenance = contract["provenance"]
    terms = ", ".join(f"{entry.term} ({entry.size})" for entry in policy.entries)
    lines = [
        f"# {contract['name']}",
        "",
        f"A policy for the robot {contract['robot']}, imported by `robot-policies import --format "
        f"{provenance['imported_from']}`. It was not trained by this project.",
        "",
        f"- Source: {provenance['source']}",
        f"- Files (first digits of their SHA-256): {provenance['source_sha256']}",
        f"- Licence: {contract['licence']}",
        f"- Network: {provenance['network']}",
        f"- Compared with the original over {comparison.steps} steps, with a reset before step {RESET}: the largest "
        f"difference is {comparison.largest:.2g}, {comparison.relative:.2g} of the largest output (at most "
        f"{TOLERANCE:g} is accepted). The golden outputs are the {whose}.",
        f"- Control period: {contract['timing']['control_dt']:g} s",
        f"- Observation: {terms}",
        "",
        "Not stated by the source, so the project's defaults:",
        "",
        *(f"- {item}" for item in made.taken),
    ]
    if policy.notes:
        lines += ["", "To know:", "", *(f"- {note}" for note in policy.notes)]
    if policy.reads("base_lin_vel"):
        lines += ["", "It reads base_lin_vel: simulation has it; a real robot needs an estimator."]
    return "\n".join(lines) + "\n"
