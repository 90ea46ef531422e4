"""The command grid: how well a policy follows each of many velocity commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from sim2real.evaluation.card import aligned
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.judge import AXES, Velocity
from sim2real.evaluation.plan import Cell

LIN_VEL_X = (-0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.2)  # [m/s]
LIN_VEL_Y = (-0.4, 0.0, 0.4)  # [m/s]
ANG_VEL_Z = (-1.0, 0.0, 1.0)  # [rad/s]
COMMANDS: tuple[Velocity, ...] = tuple(product(LIN_VEL_X, LIN_VEL_Y, ANG_VEL_Z))
SECONDS = 6.0  # [s] of each episode, the settling time included
ABS_ERROR, MEAN_ERROR = "mean_abs_error", "mean_velocity_error"
MEANS = ("speed_mps", "lin_vel_y", "ang_vel_z")  # the metrics that hold the means of the axes
UNITS = {"lin_vel_x": "m/s", "lin_vel_y": "m/s", "ang_vel_z": "rad/s"}


def grid_cards(cells: Sequence[Cell], episodes: Sequence[Sequence[Episode]]) -> list[dict[str, Any]]:
    """Return one card for each policy and plant: plain values, ready for JSON.

    Args:
        cells: of the grid, those of one policy and plant one after the other.
        episodes: of each cell.
    """
    cards: dict[tuple[str, str], dict[str, Any]] = {}
    for cell, found in zip(cells, episodes, strict=True):
        job, key = cell.job, (cell.policy.label, cell.job.plant)
        card = cards.setdefault(key, _head(cell))
        falls = sum(_down(episode) for episode in found)
        card["cells"].append(
            {
                "command": list(job.command),
                "falls": falls,
                ABS_ERROR: _means([_abs_errors(job, episode) for episode in found]),
                MEAN_ERROR: _means([_mean_errors(job, episode) for episode in found]),
            }
        )
    for card in cards.values():
        card["falls"] = sum(entry["falls"] for entry in card["cells"])
        card |= {kind: _means([entry[kind] for entry in card["cells"]]) for kind in (ABS_ERROR, MEAN_ERROR)}
    return list(cards.values())


def grid_table(cards: Sequence[dict[str, Any]]) -> str:
    """Return the cards side by side, command by command, and their means."""
    names = [card["policy"] + ("" if card["plant"] == "nominal" else " (randomized)") for card in cards]
    head = ["vx", "vy", "wz", *(text for name in names for text in (name, "", "", ""))]
    units = ["m/s", "m/s", "rad/s", *("|vx|", "|vy|", "|wz|", "falls") * len(cards)]
    rows = [
        [f"{value:g}" for value in entries[0]["command"]] + [text for entry in entries for text in _row(entry)]
        for entries in zip(*(card["cells"] for card in cards), strict=True)
    ]
    mean, steady = (
        [name, "", "", *(text for card in cards for text in _row(card, kind))]
        for name, kind in (("mean", ABS_ERROR), ("sway out", MEAN_ERROR))
    )
    axes = ", ".join(f"{axis} [{UNITS[axis]}]" for axis in AXES)
    seeds = cards[0]["seeds"]
    note = (
        f"mean absolute error of {axes}; sway out: of the mean velocity of each episode\n"
        f"falls of {seeds} episodes a command, {seeds * len(rows)} in all"
    )
    return "\n".join([aligned([head, units, *rows, mean, steady]), note])


def _head(cell: Cell) -> dict[str, Any]:
    job = cell.job
    return {
        "policy": cell.policy.label,
        "robot": job.robot,
        "plant": job.plant,
        "course": job.course.name,
        "difficulty": job.difficulty,
        "seeds": len(cell.jobs),
        "seconds": job.seconds,
        "cells": [],
    }


def _abs_errors(job: Job, episode: Episode) -> dict[str, float]:
    """Return the mean absolute errors of one episode; who does not walk any more moves with velocity zero."""
    share = _share(job, episode)
    return {
        axis: episode.metrics[f"{axis}_abs_error"] * share + abs(asked) * (1.0 - share)
        for axis, asked in zip(AXES, job.command, strict=True)
    }


def _mean_errors(job: Job, episode: Episode) -> dict[str, float]:
    """Return how far the mean velocity of one episode is from the command, the sway of the gait left out."""
    share = _share(job, episode)
    return {
        axis: abs(episode.metrics[name] * share - asked)
        for axis, name, asked in zip(AXES, MEANS, job.command, strict=True)
    }


def _share(job: Job, episode: Episode) -> float:
    """Return the share of the judged time that the robot was active in."""
    whole = job.seconds - job.course.settle
    return min(1.0, max(0.0, episode.metrics["active_s"] - job.course.settle) / whole)


def _down(episode: Episode) -> bool:
    return episode.fell or bool(episode.trips)


def _row(entry: dict[str, Any], kind: str = "mean_abs_error") -> list[str]:
    return [*(f"{entry[kind][axis]:.3f}" for axis in AXES), str(entry["falls"])]


def _means(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {axis: sum(error[axis] for error in errors) / len(errors) for axis in AXES}
