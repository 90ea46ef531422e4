"""A report as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim2real.benchmark.figures import FEW, LEVELS, Report

ABOUT = "_about"  # the one key of the JSON that is no distribution


def table(report: Report, about: Mapping[str, Any]) -> str:
    """Return everything that was measured, one line each, with its budget."""
    parts = [_head(about)]
    if report.durations:
        parts.append(_durations(report))
    if report.values:
        parts.append(_values(report))
    if report.ratios:
        parts.append("\n".join(f"{name:52} {ratio:8.2f} x" for name, ratio in report.ratios.items()))
    said = {name for name in (*report.durations, *report.values)}
    parts += [f"{name}: {note}" for name, note in report.notes.items() if name not in said]
    parts += [f"{name}: {why}" for name, why in report.failures.items()]
    missed = report.missed
    if report.verdicts:
        kept = len(report.verdicts) - len(missed)
        parts.append(
            f"budgets: {kept} of {len(report.verdicts)} met" + (f"; missed: {', '.join(missed)}" if missed else "")
        )
    return "\n\n".join(parts)


def as_json(report: Report, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return name -> ``n p50_us p95_us p99_us max_us``, and everything else under one key."""
    verdicts = {
        name: [{"what": v.what, "limit": v.limit, "found": v.found, "met": v.met} for v in each]
        for name, each in report.verdicts.items()
    }
    rest = {
        **about,
        "values": {name: {"value": value, "unit": unit} for name, (value, unit) in report.values.items()},
        "ratios": report.ratios,
        "budgets": verdicts,
        "missed": report.missed,
        "notes": report.notes,
        "failures": report.failures,
    }
    return {**report.durations, ABOUT: rest}


def _head(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    fifo = "permitted" if about["sched_fifo"] else "not permitted"
    return (
        f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, Python {about['python']}\n{versions}\n"
        f"SCHED_FIFO {fifo}; load {about['load_start']:g} at the start, {about['load_end']:g} at the end"
    )


def _durations(report: Report) -> str:
    width = max(map(len, report.durations))
    lines = [f"{'[us]':{width}} {'n':>7}" + "".join(f"{level.removesuffix('_us'):>10}" for level in LEVELS)]
    for name, numbers in report.durations.items():
        values = "".join(f"{numbers[level]:10.1f}" for level in LEVELS)
        lines.append(f"{name:{width}} {numbers['n']:7d}{values}{_beside(report, name)}")
    return "\n".join(lines) + f"\nn below {FEW}: p99 is the largest. Ticks of the warm-up are not counted."


def _values(report: Report) -> str:
    width = max(map(len, report.values))
    return "\n".join(
        f"{name:{width}} {value:10.3f} {unit}{_beside(report, name)}" for name, (value, unit) in report.values.items()
    )


def _beside(report: Report, name: str) -> str:
    verdicts = ", ".join(verdict.text() for verdict in report.verdicts.get(name, ()))
    note = report.notes.get(name, "")
    return "".join((f"  | {verdicts}" if verdicts else "", f"  ({note})" if note else ""))
