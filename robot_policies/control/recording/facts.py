"""``run.json`` of a recording, as far as it can be read: what the run was made of, and what was not recorded of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FACTS, BUNDLES, CONFIG = "run.json", "bundles", "config"
LONGEST_NAME = 200  # characters of a file's name
FORMS: dict[str, type] = {
    **dict.fromkeys(("robot", "safety", "git", "started"), str),
    **dict.fromkeys(("bundles", "versions", "recording"), dict),
}
DROPPED, ERROR, SKIPPED = "_dropped", "recording_error", "not_recorded"  # in what a recorder tells; the end of a name


def read_json(path: Path) -> dict[str, Any]:
    """Return the mapping in a file; empty where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_facts(run: Path) -> dict[str, Any]:
    """Return what is of the form in ``run.json`` of a recording; empty where it is missing or damaged."""
    told = read_json(run / FACTS)
    facts: dict[str, Any] = {key: told[key] for key in told if isinstance(told[key], FORMS.get(key, object))}
    if "bundles" in facts:
        kept = facts["bundles"].items()
        facts["bundles"] = {name: digest for name, digest in kept if is_name(name) and isinstance(digest, str)}
    return facts


def account(run: Path) -> list[str]:
    """Return what of a run's own account is missing or damaged, has changed since, or was not recorded."""
    told, facts = read_json(run / FACTS), read_facts(run)
    if not told:
        return [f"{run.name}: {FACTS} is missing or damaged: what the run was made of is not known"]
    lines = [f"{FACTS}: {key} is damaged" for key in FORMS if key in told and facts.get(key) != told[key]]
    for name, digest in facts.get("bundles", {}).items():
        try:
            if bundle_hash(run / BUNDLES / name) != digest:
                lines.append(f"bundle {name} is not the recorded one: its policy.yaml has changed")
        except OSError:
            lines.append(f"bundle {name} is missing in the recording")
    return lines + unrecorded([facts.get("recording", {})])


def unrecorded(told: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what recorders say that they did not record, one line each.

    Args:
        told: ``steps_dropped``, ``messages_dropped`` (counts), ``recording_error`` (text) and ``not_recorded`` (topic:
            why) of each, as far as it has them, and whatever else: from /diagnostics, a report or ``run.json``.
    """
    lines = []
    for values in told:
        for key, count in values.items():
            if key.endswith(DROPPED) and isinstance(count, int) and count > 0:
                lines.append(f"{key.removesuffix(DROPPED)} dropped while it was recorded: {count}")
        if values.get(ERROR):
            lines.append(str(values[ERROR]))
        topics = values.get(SKIPPED)
        lines += [f"not recorded: {topic}: {why}" for topic, why in topics.items()] if isinstance(topics, dict) else []
    return lines


def is_name(name: object) -> bool:
    """Return whether ``name`` can be that of a file or folder, and leads nowhere else."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        return False
    return name not in (".", "..") and "/" not in name and "\0" not in name


def bundle_hash(folder: Path) -> str:
    """Return the SHA-256 of a bundle's policy.yaml, which holds those of its other files."""
    return hashlib.sha256((folder / "policy.yaml").read_bytes()).hexdigest()
