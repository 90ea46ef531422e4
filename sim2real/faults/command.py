"""``robot-policies faults``: every fault made to happen, and what came of it, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from robot_policies.exceptions import InputError, expected
from sim2real.benchmark.machine import load, machine, not_quiet
from sim2real.faults.campaign import KINDS, Cell, Row, as_json, in_order, parts, plan
from sim2real.faults.jobs import run_parts
from sim2real.faults.kind import BACKENDS, MODES
from sim2real.faults.page import table

HELP = "make every fault happen to the nodes that a user starts, and judge from outside what they do"
HEAD = ("fault", "mode", "seed", "backend", "expected", "detected_by", "ms", "landing", "safe", "control", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, after every run")
    parser.add_argument("--backend", choices=(*BACKENDS, "both"), default="mujoco", help="(default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="KIND", default=[], help="of those that --list shows")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["stand", "active"], help="(default: both)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="so many runs at once (default: %(default)s)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table of docs/faults.md there")
    parser.add_argument("--list", action="store_true", help="show the kinds with what is expected and why, and end")


def main(args: argparse.Namespace) -> int:
    """Run; 0 where every row is as expected, 1 where one is not; rows that need root and lack it do not count."""
    if args.list:
        print("\n".join(_described()))
        return 0
    unknown = sorted(set(args.only) - set(KINDS))
    if unknown:
        raise InputError(expected("--only", ", ".join(unknown), KINDS))
    for name in ("seeds", "jobs"):
        if getattr(args, name) < 1:
            raise InputError(expected(f"--{name}", getattr(args, name), "1 or more"))
    for name in ("json", "markdown"):
        file = getattr(args, name)
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise InputError(expected(f"--{name}: a file to write", file, "a file name in a folder that exists"))
    cells = plan(_backends(args.backend), args.only, args.modes, args.seeds)
    if not cells:
        raise InputError(expected("--only, --modes, --backend", "no run of all three", "see --list"))
    warning = not_quiet(load())
    if warning is not None:
        _say(f"warning: {warning}")
    return _tell(_run(cells, args))


def _run(cells: Sequence[Cell], args: argparse.Namespace) -> list[Row]:
    """Run the cells, and write what there is after every row."""
    rows: list[Row] = []
    begun, first = time.monotonic(), secrets.randbelow(100)  # so that two campaigns of one machine do not meet

    def tell(cell: Cell) -> None:
        at = f"{(time.monotonic() - begun) / 60.0:.1f} min"
        _say(f"[{len(rows)} of {len(cells)} done, {at}] {cell.name} {cell.mode} {cell.seed} {cell.backend}")

    with tempfile.TemporaryDirectory(prefix="robot_policies_faults_") as scratch:
        for row in run_parts(parts(cells, first), Path(scratch), args.jobs, tell):
            rows = in_order([*rows, row])
            if args.json is not None:
                args.json.write_text(json.dumps(as_json(rows), indent=1) + "\n", encoding="utf-8")
    if args.markdown is not None:
        args.markdown.write_text(table(rows), encoding="utf-8")
    return rows


def _backends(name: str) -> Sequence[str]:
    backends = BACKENDS if name == "both" else (name,)
    if "wire" in backends and find_spec("cyclonedds") is None:
        found = "the Go2's SDK is not installed"
        raise InputError(
            expected(f"--backend {name}", found, "--backend mujoco, or pip install robot_policies[unitree]")
        )
    return backends


def _described() -> list[str]:
    lines = []
    for kind in KINDS.values():
        wanted = ", ".join(f"{mode}: {what}" for mode, what in kind.expected.items())
        lines.append(f"{kind.name:22} {' '.join(kind.backends):12} {wanted:32} {kind.why}")
    return lines


def _tell(rows: Sequence[Row]) -> int:
    lines = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    skipped = [row for row in rows if row.skipped]
    wrong = [row for row in rows if not row.ok and not row.skipped]
    about = machine()
    print(f"{len(rows)} runs of {len({row.fault for row in rows})} kinds, {len(wrong)} not as expected, "
          f"{len(skipped)} skipped; {about.get('cpu', 'this machine')}, load {load()}")  # fmt: skip
    return 1 if wrong else 0


def _cells(row: Row) -> tuple[str, ...]:
    when = "" if row.detected_ms is None else f"{row.detected_ms:.0f}"
    result = row.note if row.ok else f"! {row.note}"
    yes = {True: "yes", False: "no"}
    return (row.fault, row.mode, str(row.seed), row.backend, row.expected, row.detected_by, when, row.landing,
            yes[row.safe], yes[row.control_clean], result)  # fmt: skip


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
