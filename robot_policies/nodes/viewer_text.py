"""What the page says in words and numbers, as HTML. Whatever comes from the wire is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from robot_policies.nodes.viewer_depth import gradient

Velocity3 = tuple[float, float, float]

MODE_COLOURS = {"active": "#2f9e44", "stand": "#1971c2", "damping": "#e8890c", "landing": "#e03131"}
OTHER_MODE = "#868e96"
WARNING = "#d9480f"
STAND = "stand"  # what commands where a policy that cannot see says so
ASKED, MEASURED, ALARM = "#1c7ed6", "#2f9e44", "#e03131"  # arrows and numbers have the same colours
SHOWN = 7  # lines of the history
TABLE = "width:100%;border-collapse:collapse"
MUTED = "opacity:.62"
FONT = "font-size:12.5px;line-height:1.4;font-variant-numeric:tabular-nums;overflow-wrap:anywhere"
FRAME = f"padding:2px 18px 2px 12px;{FONT}"


@dataclass(frozen=True)
class Status:
    """What the page says of the robot."""

    robot: str
    mode: str
    asked: Velocity3 | None  # velocity command [m/s, m/s, rad/s]; None: none comes
    measured: Velocity3 | None  # the same of the robot; None: unknown
    distance: float | None  # [m] from where it was first seen
    time_factor: float | None  # robot's clock beside this machine's; None: no states come
    why: str = ""  # the trips that are latched
    note: str = ""  # the last answer of a service
    policy: str = ""
    policies: tuple[str, ...] = ()  # that take turns, the main one first; empty where nobody says
    commanding: str = ""  # who of them does, or "stand"; "" while none does
    wanted: str = ""  # who is to command
    why_not: str = ""  # why that one does not, or does so blind
    played: str = ""  # where in a recording this is; "" as it is now


@dataclass(frozen=True)
class Numbers:
    """What the page says of the stack."""

    inputs: Sequence[tuple[str, float | None, float | None]]  # name, age [s], rate [Hz]; None: unknown
    timings: Sequence[tuple[str, Mapping[str, float]]]  # name, p50 p95 p99 max [ms]
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """A change of the mode, or a trip."""

    ago: float  # [s]
    text: str
    trip: bool = False


def status_html(status: Status) -> str:
    """Return mode, reasons and velocities."""
    colour = MODE_COLOURS.get(status.mode.partition(":")[0], OTHER_MODE)  # "landing:sit" is a landing
    rows = [
        _row("", "x", "y", "turn", style=MUTED),
        _row(_dot(ASKED) + "asked", *_velocity(status.asked)),
        _row(_dot(MEASURED) + "measured", *_velocity(status.measured)),
    ]
    clock = "no states" if status.time_factor is None else f"{status.time_factor:.2f} &times; real time"
    clock = html.escape(status.played) or clock
    distance = "" if status.distance is None else f"{status.distance:.1f} m gone &middot; "
    names = " &middot; ".join(html.escape(name) for name in (status.robot, status.policy) if name)
    return (
        f"<div style='{FRAME};padding-top:8px'>"
        f"<span style='padding:2px 11px;border-radius:6px;background:{colour};color:white;font-weight:600;"
        f"font-size:15px'>{html.escape(status.mode)}</span>"
        f"<span style='{MUTED};padding-left:9px'>{names}</span>"
        f"{policies_html(status)}<table style='{TABLE};margin-top:7px'>{''.join(rows)}</table>"
        f"<div style='{MUTED}'>{distance}{clock}</div>"
        f"<div style='color:{ALARM};font-weight:600'>{html.escape(status.why)}</div>"
        f"<div>{html.escape(status.note) or '&nbsp;'}</div></div>"
    )


def policies_html(status: Status) -> str:
    """Return which of two policies commands, and why not the one that is wanted; "" where there is one alone."""
    names = [*status.policies, *([STAND] if status.commanding == STAND else [])]
    if len(names) < 2:
        return ""
    chips = []
    for name in names:
        commands = name == status.commanding
        look = f"background:{OTHER_MODE if name == STAND else ASKED};color:white;font-weight:600" if commands else MUTED
        said = f"{html.escape(name)}{' commands' if commands else ''}"
        chips.append(f"<span style='padding:1px 8px;border-radius:6px;{look}'>{said}</span>")
    note = f"{status.wanted} is wanted" if status.wanted not in ("", status.commanding) else ""
    note = ": ".join(part for part in (note, status.why_not) if part) if status.commanding else ""
    return (
        f"<div style='margin-top:6px'>{''.join(chips)}</div>"
        f"<div style='color:{WARNING};font-weight:600'>{html.escape(note)}</div>"
    )


def numbers_html(numbers: Numbers) -> str:
    """Return ages, rates and percentiles."""
    inputs = [_row("", "age", "rate", style=MUTED)]
    for name, age, rate in numbers.inputs:
        inputs.append(_row(name, _ms(age), "&ndash;" if rate is None else f"{rate:.1f} Hz"))
    timings = [_row("[ms]", "p50", "p95", "p99", "max", style=MUTED)]
    for name, values in numbers.timings:
        timings.append(_row(name, *(f"{values.get(key, 0.0):.2f}" for key in ("p50", "p95", "p99", "max"))))
    counts = " &middot; ".join(f"{html.escape(name)} {count}" for name, count in numbers.counts.items())
    return (
        f"<div style='{FRAME}'><table style='{TABLE}'>{''.join(inputs)}</table>"
        f"<table style='{TABLE};margin-top:4px'>{''.join(timings)}</table><div style='{MUTED}'>{counts}</div></div>"
    )


def history_html(events: Iterable[Event]) -> str:
    """Return the newest events, newest first."""
    newest = sorted(events, key=lambda event: event.ago)[:SHOWN]
    lines = []
    for event in newest:
        style = f"color:{ALARM};font-weight:600" if event.trip else ""
        ago = f"{event.ago:.1f} s" if event.ago < 60.0 else f"{event.ago / 60.0:.1f} min"
        lines.append(
            f"<tr><td style='{MUTED};white-space:nowrap;padding-right:10px;text-align:right;vertical-align:top'>"
            f"{ago} ago</td><td style='{style};width:100%'>{html.escape(event.text)}</td></tr>"
        )
    return f"<div style='{FRAME}'><table style='{TABLE}'>{''.join(lines)}</table></div>"


def depth_html(near: float, far: float, age: float | None, size: tuple[int, int]) -> str:
    """Return the scale of a depth image of ``size`` (height, width), and how old it is [s]."""
    height, width = size
    ticks = "".join(f"<span>{near + (far - near) * share:.1f} m</span>" for share in (0.0, 0.25, 0.5, 0.75))
    said = f"{width} &times; {height}, captured {_ms(age)} ago &middot; black: no return"
    return (
        f"<div style='{FRAME}'><div style='height:9px;border-radius:3px;background:{gradient()}'></div>"
        f"<div style='display:flex;justify-content:space-between'>{ticks}<span>&ge; {far:.1f} m</span></div>"
        f"<div style='{MUTED}'>{said}</div></div>"
    )


def _row(*cells: str, style: str = "") -> str:
    # The first column reads from the left, numbers stand to the right.
    aligned = [
        f"<td style='text-align:{'right' if i else 'left'};white-space:nowrap'>{c}</td>" for i, c in enumerate(cells)
    ]
    return f"<tr style='{style}'>{''.join(aligned)}</tr>"


def _dot(colour: str) -> str:
    return f"<span style='color:{colour}'>&#9632;</span> "


def _ms(age: float | None) -> str:
    if age is None:
        return "&ndash;"
    return f"{age * 1e3:.0f} ms" if abs(age) < 10.0 else f"{age:.0f} s"


def _velocity(values: Velocity3 | None) -> tuple[str, str, str]:
    if values is None:
        return "&ndash;", "", ""
    return f"{values[0]:+.2f}", f"{values[1]:+.2f} m/s", f"{values[2]:+.2f} rad/s"
