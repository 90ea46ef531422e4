"""The score card: cells of (course, difficulty, policy, plant) over seeds, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim2real.evaluation.episode import Episode
from sim2real.evaluation.plan import Cell
from sim2real.evaluation.wilson import wilson


def card(cell: Cell, episodes: Sequence[Episode]) -> dict[str, Any]:
    """Return one cell of the score card: plain values, ready for JSON.

    ``metrics`` are means over the seeds, but ``torque_peak_nm`` and ``tilt_max_rad`` are the largest of all, and
    ``speed_mps_min`` and ``_max`` the extremes of the mean speed; ``falls`` and ``trips`` are counts.

    Args:
        cell: what was run.
        episodes: one for each of its seeds, at least one.
    """
    job = cell.job
    successes = sum(episode.success for episode in episodes)
    return {
        "course": job.course.name,
        "difficulty": job.difficulty,
        "policy": cell.policy.label,
        "robot": job.robot,
        "plant": job.plant,
        "push_mps": cell.push,
        "command": list(job.command),
        "seconds": job.seconds,
        "seeds": len(episodes),
        "successes": successes,
        "rate": successes / len(episodes),
        "ci95": list(wilson(successes, len(episodes))),
        "metrics": _metrics(episodes),
        "episodes": [_episode(episode) for episode in episodes],
    }


def table(cards: Sequence[dict[str, Any]]) -> str:
    """Return the cells as lines of aligned columns; plant, push and progress only where a cell has them."""
    rows = [_row(entry) for entry in cards]
    shown = [name for name in rows[0] if any(row[name] for row in rows)]
    return aligned([shown, *([row[name] for name in shown] for row in rows)])


def agreement(offline: dict[str, Any], nodes: dict[str, Any]) -> str:
    """Return one line: how the same seeds came out without ROS and through the nodes."""
    parts = [
        f"{name} {entry['successes']}/{entry['seeds']} ({entry['ci95'][0]:.2f}-{entry['ci95'][1]:.2f})"
        for name, entry in (("nodes", nodes), ("offline", offline))
    ]
    points = 100.0 * (nodes["rate"] - offline["rate"])
    return f"{parts[0]} against {parts[1]}: {points:+.0f} points"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equally many texts as lines with aligned columns."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(entry: dict[str, Any]) -> dict[str, str]:
    metrics, (low, high) = entry["metrics"], entry["ci95"]
    return {
        "course": entry["course"],
        "difficulty": f"{entry['difficulty']:g}",
        "policy": entry["policy"],
        "plant": entry["plant"] if entry["plant"] != "nominal" else "",
        "push": f"{entry['push_mps']:g} m/s {_doing(entry['command'])}" if entry["push_mps"] else "",
        "rate": f"{entry['successes']}/{entry['seeds']}",
        "ci95": f"{low:.2f}-{high:.2f}",
        "falls": f"{metrics['falls']:g}",
        "progress": f"{metrics['progress']:.2f}" if "progress" in metrics else "",
        "speed_mps": f"{metrics['speed_mps']:.3f} ({metrics['speed_mps_min']:.3f}-{metrics['speed_mps_max']:.3f})",
        "distance_m": f"{metrics['distance_m']:.1f}",
        "torque_peak_nm": f"{metrics['torque_peak_nm']:.1f}",
        "x real time": f"{metrics['real_time_factor']:.1f}",
    }


def _doing(command: Sequence[float]) -> str:
    return "walking" if any(command) else "standing"


def _metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    values = {key: [episode.metrics[key] for episode in episodes] for key in episodes[0].metrics}
    mean = {key: sum(numbers) / len(numbers) for key, numbers in values.items()}
    extremes = {key: max(values[key]) for key in ("torque_peak_nm", "tilt_max_rad")}
    speeds = values["speed_mps"]
    counts = {"falls": float(sum(episode.fell for episode in episodes))}
    counts["trips"] = float(sum(len(episode.trips) for episode in episodes))
    return {**mean, **extremes, "speed_mps_min": min(speeds), "speed_mps_max": max(speeds), **counts}


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "seed": episode.seed,
        "success": episode.success,
        "failures": list(episode.failures),
        "fell": episode.fell,
        "modes": [{"t": at, "mode": mode} for at, mode in episode.modes],
        "trips": [{"t": at, "name": name, "detail": detail} for at, name, detail in episode.trips],
        "refusals": [{"t": at, "asked": asked, "why": why} for at, asked, why in episode.refusals],
        "metrics": episode.metrics,
    }
