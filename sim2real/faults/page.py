"""The table of docs/faults.md, from the rows of a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sim2real.faults.campaign import KINDS, Row
from sim2real.faults.kind import BACKENDS, MODES, Kind

NAMES = {"mujoco": "simulated", "wire": "wire"}
NONE = "–"


def table(rows: Sequence[Row]) -> str:
    """Return Markdown: a line for each kind, a cell for each mode and backend over all seeds."""
    places = [(backend, mode) for backend in BACKENDS for mode in MODES]
    head = ["kind", *MODES, "why", *(f"{NAMES[backend]}, {mode}" for backend, mode in places)]
    lines = [_line(head), "|---" * len(head) + "|"]
    for kind in KINDS.values():
        told = [[row for row in rows if (row.fault, row.backend, row.mode) == (kind.name, *place)] for place in places]
        cells = [_cell(each, kind, *place) for each, place in zip(told, places, strict=True)]
        lines.append(_line([f"`{kind.name}`", *(kind.expected.get(mode, NONE) for mode in MODES), kind.why, *cells]))
    return "\n".join(lines) + "\n"


def _cell(rows: Sequence[Row], kind: Kind, backend: str, mode: str) -> str:
    """Return what came of the seeds: landings, by what, the latest detection; ``!``: so many were not right."""
    if not rows:
        return "not run" if backend in kind.backends and mode in kind.expected else NONE
    if all(row.skipped for row in rows):
        return rows[0].note
    landings = Counter(row.landing or "went on" for row in rows)
    text = ", ".join(landings if len(landings) == 1 else (f"{name} {count}x" for name, count in landings.items()))
    by = sorted({name for row in rows for name in row.detected_by.split(", ") if name})
    times = [row.detected_ms for row in rows if row.detected_ms is not None]
    if by:
        text += f": {', '.join(by)}"
    if times:
        text += f", {max(times):.0f} ms"
    wrong = sum(not row.ok for row in rows)
    return f"{text} **!**{wrong}/{len(rows)}" if wrong else text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
