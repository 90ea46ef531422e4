"""``robot-policies bench``: what the stack costs and how late it is, against its budgets, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from robot_policies.exceptions import InputError, RobotPoliciesError, expected
from sim2real.benchmark.budgets import BUDGETS
from sim2real.benchmark.children import fifo_permitted
from sim2real.benchmark.figures import Report
from sim2real.benchmark.groups import GROUPS
from sim2real.benchmark.machine import load, machine, not_quiet
from sim2real.benchmark.settings import Settings
from sim2real.benchmark.table import as_json, table

HELP = "measure what the stack costs and how late it is, against its budgets"
SECONDS, TICKS, KILLS = 10.0, 2000, 5
QUICK_SECONDS, QUICK_TICKS, QUICK_KILLS = 3.0, 500, 2
MOST_SECONDS = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--seconds", type=_seconds, help=f"of the main phase of each (default: {SECONDS:g})")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} s each: to see that all of it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write name -> n p50_us p95_us p99_us max_us there")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a budget is missed")


def main(args: argparse.Namespace) -> int:
    """Measure; 0 where all could be measured (with ``--check``: and every budget is met), else 1."""
    if args.json is not None and (args.json.is_dir() or not args.json.absolute().parent.is_dir()):
        raise InputError(expected("--json: a file to write", args.json, "a file name in a folder that exists"))
    report, at_start = Report(budgets=BUDGETS), load()
    about = {**machine(), "sched_fifo": fifo_permitted(), "load_start": at_start}
    warning = not_quiet(at_start)
    if warning is not None:
        print(f"warning: {warning}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="robot_policies_bench_") as scratch:
        _measure(report, args.only or list(GROUPS), _settings(args, Path(scratch)))
    about["load_end"] = load()
    print(table(report, about))
    if warning is not None:
        print(f"warning: {warning}")
    if args.json is not None:
        args.json.write_text(json.dumps(as_json(report, about), indent=2) + "\n", encoding="utf-8")
    return 1 if report.failures or (args.check and report.missed) else 0


def _settings(args: argparse.Namespace, scratch: Path) -> Settings:
    seconds = args.seconds or (QUICK_SECONDS if args.quick else SECONDS)
    ticks, kills = (QUICK_TICKS, QUICK_KILLS) if args.quick else (TICKS, KILLS)
    return Settings(scratch, seconds, ticks, kills)


def _measure(report: Report, names: list[str], settings: Settings) -> None:
    begun = time.monotonic()
    for number, name in enumerate(names, 1):
        passed = time.monotonic() - begun
        print(f"[{number}/{len(names)}, {passed:.0f} s] {name}: {_first_line(name)}", file=sys.stderr, flush=True)
        try:
            GROUPS[name](report, settings)
        except (RobotPoliciesError, OSError, ImportError) as error:
            report.failures[name] = f"not measured: {error}"
    print(f"[done, {time.monotonic() - begun:.0f} s]", file=sys.stderr, flush=True)


def _first_line(name: str) -> str:
    return (GROUPS[name].__doc__ or "").partition("\n")[0]


def _seconds(text: str) -> float:
    value = float(text)
    if not 1.0 <= value <= MOST_SECONDS:
        raise ValueError(text)
    return value


_seconds.__name__ = f"time of 1 to {MOST_SECONDS:g} s"  # argparse names the type in its one line of error
