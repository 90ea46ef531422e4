"""One line of time: modes, trips, clamps and what was asked; and the same events as a table."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator

import numpy as np

from robot_policies.control.recording.history import History
from robot_policies.control.recording.robot_history import Event
from robot_policies.report.charts import WIDE, Clock
from robot_policies.report.svg import BOTTOM, LEFT, TOP, Frame, axis_x, cursor
from robot_policies.types import Mode

COLOURS = {  # as in the viewer
    Mode.ACTIVE: "#2f9e44",
    Mode.STAND: "#1971c2",
    Mode.DAMPING: "#e8890c",
    Mode.LANDING: "#e03131",
    Mode.DISARMED: "#adb5bd",
}
BAR, MARKS = 24, 16  # [px] of the bar of modes and of each row of marks
NARROW = 34.0  # [px] of a mode that has no room for its name
MOST_ROWS = 200
MOST_MARKS = 600
MOST_TRIPS = 12


def events_of(history: History) -> list[Event]:
    """Return everything that happened once, in the order of time."""
    return sorted((*history.robot.events, *history.policy.events), key=lambda event: event.stamp_ns)


def timeline(history: History, clock: Clock) -> str:
    """Return the line as SVG."""
    frame = Frame(clock.span, 0.0, 1.0, WIDE, TOP + BAR + 3 * MARKS + BOTTOM)
    rows = [
        _row("trips", 0, (clock.second(e.stamp_ns) for e in events_of(history) if e.trip), "trip", frame),
        _row("requests", 1, (clock.second(e.stamp_ns) for e in events_of(history) if not e.trip), "request", frame),
        _row("clamped", 2, _clamped(history, clock), "clamp", frame),
    ]
    head = (
        f'<svg class="time" viewBox="0 0 {WIDE} {frame.height}" data-t0="{clock.span[0]:.6g}"'
        f' data-t1="{clock.span[1]:.6g}" data-left="{LEFT}" data-wide="{frame.plot[0]}">'
    )
    inner = f'<svg x="{LEFT}" y="{TOP}" width="{frame.plot[0]}" height="{frame.plot[1]}"'
    inner += f' viewBox="{LEFT} {TOP} {frame.plot[0]} {frame.plot[1]}"><g class="stretch">'
    bars = "".join(_bar(mode, begin, end, frame) for mode, begin, end in mode_spans(history, clock))
    labels = "".join(label for label, _ in rows)
    marks = "".join(mark for _, mark in rows)
    legend = "".join(f'<i style="--c:{colour}">{mode.value}</i>' for mode, colour in COLOURS.items())
    caption = f'<figcaption><b>modes and trips</b> <u>s</u><span class="read"></span>{legend}</figcaption>'
    return f"<figure>{caption}{head}{axis_x(frame)}{labels}{inner}{bars}{marks}</g></svg>{cursor(frame)}</svg></figure>"


def mode_spans(history: History, clock: Clock) -> list[tuple[Mode, float, float]]:
    """Return each stay in a mode with its begin and end [s]."""
    robot = history.robot
    seconds = clock.seconds(robot.stamp_ns)
    changes = [0, *(i for i in range(1, len(robot.modes)) if robot.modes[i] is not robot.modes[i - 1])]
    ends = [*changes[1:], len(robot.modes) - 1]
    if not robot.modes:
        return []
    return [(robot.modes[a], float(seconds[a]), float(seconds[b])) for a, b in zip(changes, ends, strict=True)]


def trips(history: History, clock: Clock) -> str:
    """Return when the robot tripped and why; "" where it did not."""
    told = [
        f"<div><b>{clock.second(event.stamp_ns):.3f} s: {html.escape(event.what)}</b> {html.escape(event.detail)}</div>"
        for event in events_of(history)
        if event.trip
    ]
    more = f"<div>and {len(told) - MOST_TRIPS} more</div>" if len(told) > MOST_TRIPS else ""
    return f'<div class="trips">{"".join(told[:MOST_TRIPS])}{more}</div>' if told else ""


def events_table(history: History, clock: Clock) -> str:
    """Return the events as a table, and what was clamped."""
    events = events_of(history)
    rows = [
        f'<tr class="{"trip" if e.trip else "refused" if e.refused else ""}"><td>{clock.second(e.stamp_ns):.3f}</td>'
        f"<td>{html.escape(e.what)}</td><td>{html.escape(e.detail)}</td></tr>"
        for e in events[:MOST_ROWS]
    ]
    more = (
        f'<tr><td></td><td colspan="2">and {len(events) - MOST_ROWS} more</td></tr>' if len(events) > MOST_ROWS else ""
    )
    counts = Counter(name for cycle in history.robot.clamps for name in cycle)
    clamped = ", ".join(f"{html.escape(name)} {count}" for name, count in counts.most_common(24)) or "nothing"
    head = "<tr><th>s</th><th>what</th><th></th></tr>"
    return f'<table class="events">{head}{"".join(rows)}{more}</table><p>Clamped, in robot cycles: {clamped}.</p>'


def _bar(mode: Mode, begin: float, end: float, frame: Frame) -> str:
    x, wide = frame.x(begin), max(frame.x(end) - frame.x(begin), 0.5)
    title = f"{mode.value}, {begin:.3f} to {end:.3f} s"
    bar = f'<rect class="mode" x="{x:.2f}" y="{TOP}" width="{wide:.2f}" height="{BAR - 4}" fill="{COLOURS[mode]}"'
    return f'{bar} data-mode="{mode.value}" data-begin="{begin:.3f}" data-end="{end:.3f}"><title>{title}</title></rect>'


def _row(name: str, row: int, seconds: Iterator[float], kind: str, frame: Frame) -> tuple[str, str]:
    """Return the label of a row of marks, and the marks."""
    y = TOP + BAR + row * MARKS
    label = f'<text x="{LEFT - 5}" y="{y + 11}" text-anchor="end" class="row">{name}</text>'
    marks = [
        f'<rect class="{kind}" x="{frame.x(t) - 1:.2f}" y="{y + 2}" width="2.5" height="{MARKS - 4}"/>'
        for t in sorted(set(seconds))[:MOST_MARKS]
    ]
    return label, "".join(marks)


def _clamped(history: History, clock: Clock) -> Iterator[float]:
    """Return when something was clamped, one time for each half pixel at most."""
    indices = np.array([i for i, names in enumerate(history.robot.clamps) if names], dtype=np.int64)
    seconds = clock.seconds(history.robot.stamp_ns)[indices] if indices.size else np.zeros(0)
    step = (clock.span[1] - clock.span[0]) / (2.0 * WIDE)
    _, first = np.unique(np.floor(seconds / step), return_index=True)
    return iter(seconds[first].tolist())
