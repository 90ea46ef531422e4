"""The score card: cells of (course, difficulty, policy) over seeds, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.wilson import wilson

COLUMNS = ("course", "difficulty", "policy", "rate", "ci95", "speed_mps", "distance_m", "torque_peak_nm", "x real time")


def cell(job: Job, policy: str, episodes: Sequence[Episode]) -> dict[str, Any]:
    """Return one cell of the score card: plain values, ready for JSON.

    ``metrics`` are means over the seeds, but ``torque_peak_nm`` and ``tilt_max_rad`` are the largest of all, and
    ``speed_mps_min`` and ``_max`` the extremes of the mean speed; ``falls`` and ``trips`` are counts.

    Args:
        job: any job of the cell.
        policy: name of the bundle.
        episodes: one for each seed, at least one.
    """
    successes = sum(episode.success for episode in episodes)
    return {
        "course": job.course.name,
        "difficulty": job.difficulty,
        "policy": policy,
        "robot": job.robot,
        "command": list(job.command),
        "seconds": job.seconds,
        "seeds": len(episodes),
        "successes": successes,
        "rate": successes / len(episodes),
        "ci95": list(wilson(successes, len(episodes))),
        "metrics": _metrics(episodes),
        "episodes": [_episode(episode) for episode in episodes],
    }


def table(cells: Sequence[dict[str, Any]]) -> str:
    """Return the cells as lines of aligned columns."""
    rows = [COLUMNS, *(_row(entry) for entry in cells)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    metrics, (low, high) = entry["metrics"], entry["ci95"]
    return (
        entry["course"],
        f"{entry['difficulty']:g}",
        entry["policy"],
        f"{entry['successes']}/{entry['seeds']}",
        f"{low:.2f}-{high:.2f}",
        f"{metrics['speed_mps']:.3f} ({metrics['speed_mps_min']:.3f}-{metrics['speed_mps_max']:.3f})",
        f"{metrics['distance_m']:.1f}",
        f"{metrics['torque_peak_nm']:.1f}",
        f"{metrics['real_time_factor']:.1f}",
    )


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
