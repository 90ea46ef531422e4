"""Puts the page together."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from robot_policies.control.recording.history import History
from robot_policies.report.charts import ASKED, MEASURED, SENT, Clock, attitude, joints, velocities
from robot_policies.report.facts import made_of, tiles, title
from robot_policies.report.film import depth_strip, film_strip
from robot_policies.report.histograms import ages, histogram, latencies, reported_table
from robot_policies.report.style import SCRIPT, STYLE
from robot_policies.report.timeline import events_table, timeline, trips

PICTURES = 12  # of a film strip
MOST_MISSING = 40  # lines on the page
HINT = '<span class="hint">drag: zoom &middot; double-click: all &middot; point: values</span>'
JOINT_KEYS = (
    f'<div class="legend"><i style="--c:{ASKED}">target of the policy</i>'
    f'<i style="--c:{SENT}">sent, where it is another one: stand, landing, clamped</i>'
    f'<i style="--c:{MEASURED}">position</i><i style="--c:#e03131">limit of the joint</i></div>'
)


def page(history: History, pictures: int = PICTURES) -> str:
    """Return the page; what a picture lacks is added to ``history.missing``.

    Args:
        history: the recording.
        pictures: of the film strip; 0 for none.
    """
    clock = Clock(history)
    film = film_strip(history, clock, pictures, history.missing)
    samples = latencies(history), ages(history)
    sections = (
        ("", film),
        ("What the policy saw", depth_strip(history, clock, pictures or PICTURES)),
        (f"Time line{HINT}", timeline(history, clock) if history.robot.modes else ""),
        ("Velocities", velocities(history, clock)),
        ("Attitude", attitude(history, clock)),
        ("Joints", _grid(joints(history, clock), JOINT_KEYS)),
        ("Latencies", _grid("".join(histogram(sample, True) for sample in samples[0])) + reported_table(history)),
        ("Ages", _grid("".join(histogram(sample, False) for sample in samples[1]))),
        ("Events", events_table(history, clock)),
        ("Made of", made_of(history)),
    )
    name = title(history)
    plain = html.escape(html.unescape(re.sub("<[^>]*>", "", name)))
    body = "".join(f"<section>{f'<h2>{head}</h2>' if head else ''}{text}</section>" for head, text in sections if text)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{plain}</title>'
        f"<style>{STYLE}</style></head>"
        f"<body><h1>{name}</h1>{tiles(history, clock)}{trips(history, clock)}{_missing(history.missing)}{body}"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _grid(figures: str, legend: str = "") -> str:
    kind = "grid joints" if legend else "grid"
    return f'{legend}<div class="{kind}">{figures}</div>' if figures else ""


def _missing(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = [*lines[:MOST_MISSING], *([f"and {len(lines) - MOST_MISSING} more"] if len(lines) > MOST_MISSING else [])]
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in shown)
    return f'<div class="missing"><b>Not in this recording</b><ul>{listed}</ul></div>'
