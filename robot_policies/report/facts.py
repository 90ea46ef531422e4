"""What the run was made of, and what came of it, as tables and tiles."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from robot_policies.control.recording.history import History
from robot_policies.report.charts import Clock, roll_pitch
from robot_policies.report.timeline import mode_spans
from robot_policies.types import Array, Mode

SHORT = 12  # characters of a hash that are shown; the rest is in its title


def title(history: History) -> str:
    """Return the headline: policy, robot, when."""
    bundles = history.facts.get("bundles")
    names = list(bundles) if isinstance(bundles, dict) and bundles else list(history.policy.bundles)
    robot = history.facts.get("robot") or history.robot.name or history.policy.robot or "a robot"
    started = str(history.facts.get("started", "")).replace("T", " ").replace("Z", " UTC")
    return html.escape(f"{' + '.join(str(name) for name in names) or 'no policy'} on {robot}") + (
        f" <small>{html.escape(started)}</small>" if started else ""
    )


def tiles(history: History, clock: Clock) -> str:
    """Return the few numbers that one looks for first."""
    cells = "".join(
        f'<div class="tile{" bad" if bad else ""}" data-tile="{name}"><b>{value}</b><span>{name}</span></div>'
        for name, value, bad in _numbers(history, clock)
    )
    return f'<div class="tiles">{cells}</div>'


def _numbers(history: History, clock: Clock) -> Iterator[tuple[str, str, bool]]:
    active = sum(end - begin for mode, begin, end in mode_spans(history, clock) if mode is Mode.ACTIVE)
    yield "recorded", f"{clock.span[1]:.1f} s", False
    yield "active", f"{active:.1f} s", False
    walked = distance(history)
    if walked is not None:
        yield "gone while active", f"{walked:.2f} m", False
        if active > 0.0:
            yield "mean speed", f"{walked / active:.2f} m/s", False
    if history.robot.base_quat_wxyz.shape[1] == 4:
        tilt = np.degrees(np.nanmax(_tilt(history.robot.base_quat_wxyz), initial=0.0))
        yield "largest tilt", f"{tilt:.0f}&deg;", bool(tilt > 60.0)
    trips = sum(event.trip for event in history.robot.events)
    yield "trips", str(trips), trips > 0
    yield "cycles with a clamp", str(sum(bool(names) for names in history.robot.clamps)), False
    for values in history.wire.reported.values():
        if isinstance(values.get("fell"), bool):
            yield "fell", "yes" if values["fell"] else "no", values["fell"]
        latency = values.get("latency_ms")
        if isinstance(latency, dict) and isinstance(latency.get("p99"), (int, float)):
            yield "state to command, p99", f"{latency['p99']:.3g} ms", False


def _tilt(quat_wxyz: Array) -> Array:
    roll, pitch = roll_pitch(quat_wxyz)
    return np.asarray(np.arccos(np.clip(np.cos(roll) * np.cos(pitch), -1.0, 1.0)))


def distance(history: History) -> float | None:
    """Return how far the base went over the ground, in a straight line, while the policy commanded [m]."""
    base, robot = history.wire.base, history.robot
    rows = [i for i, mode in enumerate(robot.modes) if mode is Mode.ACTIVE]
    if base is None or not rows:
        return None
    inside = (base.stamp_ns >= robot.stamp_ns[rows[0]]) & (base.stamp_ns <= robot.stamp_ns[rows[-1]])
    places = base.position[inside]
    return float(np.linalg.norm(places[-1, :2] - places[0, :2])) if len(places) else None


def made_of(history: History) -> str:
    """Return bundles with hashes, versions, revision and arguments as a table."""
    facts = history.facts
    rows = [
        ("robot", facts.get("robot", "")),
        ("safety file", facts.get("safety", "")),
        ("git revision", facts.get("git") or "none"),
    ]
    rows += [(f"bundle {name}", digest) for name, digest in _items(facts.get("bundles"))]
    rows += [(f"version of {name}", value or "none") for name, value in _items(facts.get("versions"))]
    rows += [("robot's clock at 0 s", f"{history.start_ns} ns"), ("recording", history.run.name)]
    arguments = [(name, value) for name, value in _items(history.arguments) if value not in ("", None)]
    left, right = _table("what ran", rows), _table("arguments of the bring-up", arguments) if arguments else ""
    return f'<div class="pair">{left}{right}</div>'


def _table(head: str, rows: list[tuple[str, Any]]) -> str:
    cells = "".join(f"<tr><td>{html.escape(str(name))}</td><td>{_value(value)}</td></tr>" for name, value in rows)
    return f"<table><tr><th colspan=2>{head}</th></tr>{cells}</table>"


def _value(value: Any) -> str:
    text = html.escape(str(value))
    if len(text) >= 40 and all(c in "0123456789abcdef" for c in text.removesuffix("-dirty")):
        return f'<code title="{text}">{text[:SHORT]}&hellip;{"-dirty" if text.endswith("-dirty") else ""}</code>'
    return text


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []
