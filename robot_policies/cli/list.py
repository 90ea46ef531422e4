"""``robot-policies list``: what has a name here, and where it lies."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from robot_policies import resources

HELP = "print the robots, bundles, models, courses ... that can be named, and where each lies"

PLUGINS = ("robots", "cameras", "films", "policies", "commands")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``[KIND]``."""
    parser.add_argument("kind", nargs="?", choices=[*resources.KINDS, "plugins"], help="only this kind")


def main(args: argparse.Namespace) -> int:
    """Print one block for each kind, and one for the plug-ins."""
    kinds = [args.kind] if args.kind else [*resources.KINDS, "plugins"]
    blocks = [_plugins() if kind == "plugins" else _block(kind, _rows(kind)) for kind in kinds]
    print("\n".join(blocks))
    return 0


def _rows(kind: str) -> list[tuple[str, str]]:
    return [(name, _short(path)) for name, path in resources.listing(kind)]


def _plugins() -> str:
    """Return which code stands behind the names of robots, cameras, policy kinds and verbs."""
    rows = [
        (f"{group}: {name}", point.value)
        for group in PLUGINS
        for name, point in sorted(resources.plugins(group).items())
    ]
    return _block("plugins", rows)


def _block(title: str, rows: list[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:{width}}  {where}" for name, where in rows] or ["  (none)"]
    return "\n".join([f"{title}:", *lines])


def _short(path: Path) -> str:
    """Return ``path`` from the current folder where it lies below it, else in full."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)
