"""Cells one after the other, written as they are done, so that a long run can be ended and continued."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot_policies.exceptions import InputError, expected
from robot_policies.resources import find
from sim2real.evaluation.card import card
from sim2real.evaluation.episode import Episode
from sim2real.evaluation.plan import Cell
from sim2real.evaluation.pool import collect

KEYS = ("course", "difficulty", "policy", "robot", "plant", "push_mps", "command", "seconds", "seeds", "digest")


def digest(cell: Cell) -> str:
    """Return 12 hex digits of what decides the outcome beside a cell's own numbers: bundle, course and terrain.

    ``policy.yaml`` has the SHA-256 of every other file of the bundle. A companion counts as the bundle does.
    """
    bundles = filter(None, (cell.policy.bundle, cell.job.companion))
    bundle = b"".join((find("bundles", name) / "policy.yaml").read_bytes() for name in bundles)
    terrain = find("terrains", cell.job.course.terrain).read_bytes()
    return hashlib.sha256(bundle + repr(cell.job.course).encode() + terrain).hexdigest()[:12]


def described(cell: Cell) -> dict[str, Any]:
    """Return what a card of ``cell`` says of it before it is run: ``KEYS``."""
    job = cell.job
    values = (job.course.name, job.difficulty, cell.policy.label, job.robot, job.plant, cell.push, list(job.command))
    return dict(zip(KEYS, (*values, job.seconds, len(cell.jobs), digest(cell)), strict=True))


def known_cards(path: Path | None, cells: Sequence[Cell]) -> dict[int, dict[str, Any]]:
    """Return the cards of ``cells`` that the file has already, by place.

    Raises:
        InputError: the file is there and is no list of cards.
    """
    if path is None or not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(expected(f"--json {path}: cells to continue", str(error), "another file, or none")) from error
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InputError(expected(f"--json {path}: cells to continue", "something else", "another file, or none"))
    wanted = [described(cell) for cell in cells]
    return {
        place: entry
        for place, asked in enumerate(wanted)
        for entry in found
        if all(entry.get(key) == value for key, value in asked.items())
    }


def run_cells(
    cells: Sequence[Cell], processes: int, path: Path | None, known: dict[int, dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Run the cells that are not ``known``; return the cards of all, in order.

    Args:
        cells: what to run.
        processes: to run it in.
        path: where to write the cards, whole, each time that one is added; None for nowhere.
        known: cards that need not be run again, by place.

    Raises:
        RobotPoliciesError: as ``pool.run_jobs``.
    """
    cards = dict(known or {})
    todo = [place for place in range(len(cells)) if place not in cards]
    owners = [place for place in todo for _ in cells[place].jobs]
    ended: dict[int, list[tuple[int, Episode]]] = {place: [] for place in todo}

    def take(number: int, episode: Episode) -> None:
        place = owners[number]
        ended[place].append((number, episode))
        if len(ended[place]) == len(cells[place].jobs):
            episodes = [each for _, each in sorted(ended.pop(place), key=lambda pair: pair[0])]
            cards[place] = {**card(cells[place], episodes), "digest": digest(cells[place])}
            _write(path, [cards[done] for done in sorted(cards)])

    jobs = [job for place in todo for job in cells[place].jobs]
    if jobs:
        collect(jobs, min(processes, len(jobs)), take)
    _write(path, [cards[place] for place in sorted(cards)])
    return [cards[place] for place in range(len(cells))]


def _write(path: Path | None, cards: Sequence[dict[str, Any]]) -> None:
    """Replace the file whole, so that it can be read at every moment."""
    if path is None:
        return
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(cards, indent=2) + "\n", encoding="utf-8")
    os.replace(draft, path)
