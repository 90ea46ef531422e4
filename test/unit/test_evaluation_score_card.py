"""Score cards as files: what the shipped ones ask for, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.offline import SPEC, constant_bundle

from robot_policies.cli.main import main
from robot_policies.exceptions import InputError, ResourceError, SchemaError
from robot_policies.resources import find, listing
from sim2real.evaluation import pool
from sim2real.evaluation.course import Crossing, load_course
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.plan import Cell, Policy
from sim2real.evaluation.resume import digest, known_cards, run_cells
from sim2real.evaluation.score_card import load_score_card

METRICS = {"torque_peak_nm": 1.0, "tilt_max_rad": 0.1, "speed_mps": 0.5, "distance_m": 1.0, "real_time_factor": 9.0}


def written(folder: Path, **changes: Any) -> Path:
    data = yaml.safe_load(find("cards", "parkour").read_text(encoding="utf-8")) | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_the_parkour_card_asks_for_these_obstacles() -> None:
    card = load_score_card("parkour")
    places = {course.name: (course, difficulty) for course, difficulty in card.places()}
    asked = {name: difficulty for name, (_, difficulty) in places.items()}
    slope = math.radians(30.0)
    wanted = {"step": 0.45, "gap": 0.6, "hurdle": 0.4, "stairs": 0.2, "ramp": slope, "tilt": slope, "mixed": 1.0}
    assert asked == pytest.approx(wanted, abs=1e-4)
    assert (card.plant, card.seeds) == ("randomized", 100)
    for name, (course, difficulty) in places.items():
        lane = course.place(difficulty, 7).lane
        assert lane is not None and lane.first_edge <= 1.5, name  # the run-up
        assert isinstance(course.success, Crossing)
        assert (course.success.beyond, course.success.upright) == (1.0, 1.0)
        assert (course.steer > 0.0) == (name in ("mixed", "ramp", "tilt"))  # elsewhere the command is constant
        assert course.command[0] > 0.0 and course.command[1:] == (0.0, 0.0)
    assert places["gap"][0].place(0.6, 0).ground.floor == -1.0


def test_the_curve_reaches_as_far_as_it_is_published() -> None:
    farthest: dict[str, float] = {}
    for course, difficulty in load_score_card("parkour_curve").places():
        farthest[course.name] = max(difficulty, farthest.get(course.name, 0.0))
    assert farthest == {"step": 0.65, "gap": 1.0, "hurdle": 0.55, "mixed": 1.0}


@pytest.mark.parametrize("name", [name for name, _ in listing("cards")])
def test_every_shipped_card_can_be_run(name: str) -> None:
    card = load_score_card(name)
    assert card.name == name and len(list(card.places())) >= 3


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"cells": [{"course": "step", "difficulty": [0.9]}]}, ResourceError, "course step: difficulty; found 0.9"),
        ({"cells": [{"course": "moon", "difficulty": [0.1]}]}, ResourceError, "moon"),
        ({"cells": []}, SchemaError, "cells"),
        ({"cells": [{"course": "step", "difficulty": []}]}, SchemaError, "difficulty"),
        ({"cells": [{"course": "step", "difficulty": [0.1, 0.1]}]}, SchemaError, "step 0.1 twice"),
        ({"plant": "mars"}, SchemaError, "plant"),
        ({"seeds": 0}, SchemaError, "seeds"),
        ({"colour": "red"}, SchemaError, "colour"),
    ],
)
def test_what_is_no_card_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        load_score_card(str(written(tmp_path, **changes)))


@pytest.fixture
def stands(tmp_path: Path) -> Path:
    return constant_bundle(tmp_path / "stands", SPEC.poses["stand"]).folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Return the jobs that were run, each without a simulation: even seeds succeed."""
    jobs: list[Job] = []

    def fake(job: Job) -> Episode:
        jobs.append(job)
        good = job.seed % 2 == 0
        return Episode(job.seed, good, () if good else ("fell",), not good, METRICS, (), (), ())

    monkeypatch.setattr(pool, "run_episode", fake)
    return jobs


def cells_of(bundle: Path, seeds: int = 3) -> list[Cell]:
    course = load_course("step")
    jobs = {
        at: tuple(Job(str(bundle), "go2", course, at, k, 5.0, (0.5, 0.0, 0.0)) for k in range(seeds))
        for at in (0.1, 0.2)
    }
    return [Cell(Policy(str(bundle), "stands"), each) for each in jobs.values()]


def test_cells_are_written_one_by_one_and_not_run_again(
    stands: Path, ran: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cells = tmp_path / "cells.json", cells_of(stands)
    with monkeypatch.context() as patch:
        real = pool.run_episode

        def dies(job: Job) -> Episode:
            if job.difficulty > 0.15:
                raise KeyboardInterrupt
            return real(job)

        patch.setattr(pool, "run_episode", dies)
        with pytest.raises(KeyboardInterrupt):
            run_cells(cells, 1, path)
    assert [entry["difficulty"] for entry in json.loads(path.read_text(encoding="utf-8"))] == [0.1]
    ran.clear()
    cards = run_cells(cells, 1, path, known_cards(path, cells))
    assert {job.difficulty for job in ran} == {0.2}
    assert [(card["difficulty"], card["successes"], card["seeds"]) for card in cards] == [(0.1, 2, 3), (0.2, 2, 3)]
    assert json.loads(path.read_text(encoding="utf-8")) == cards
    ran.clear()
    assert run_cells(cells, 1, path, known_cards(path, cells)) == cards and ran == []
    assert [entry.name for entry in tmp_path.iterdir() if "part" in entry.name] == []


def test_what_was_run_otherwise_is_run_again(stands: Path, ran: list[Job], tmp_path: Path) -> None:
    path, cells = tmp_path / "cells.json", cells_of(stands)
    run_cells(cells, 1, path)
    assert set(known_cards(path, cells)) == {0, 1}
    assert known_cards(path, cells_of(stands, seeds=4)) == {}
    slower = [replace(cell, jobs=tuple(replace(job, command=(0.4, 0.0, 0.0)) for job in cell.jobs)) for cell in cells]
    assert known_cards(path, slower) == {}
    stricter = load_course("step")
    stricter = replace(stricter, fall=replace(stricter.fall, tilt=0.7))
    other = [replace(cell, jobs=tuple(replace(job, course=stricter) for job in cell.jobs)) for cell in cells]
    assert known_cards(path, other) == {}
    before = digest(cells[0])
    (stands / "policy.yaml").write_text((stands / "policy.yaml").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert digest(cells[0]) != before and known_cards(path, cells) == {}


@pytest.mark.parametrize("content", ["{", "{}", "[1]"])
def test_a_file_of_something_else_is_not_overwritten(stands: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "cells.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="cells to continue"):
        known_cards(path, cells_of(stands))
    assert main(["eval", str(stands), "--card", "parkour", "--seeds", "1", "--json", str(path)]) == 2
    assert path.read_text(encoding="utf-8") == content


def test_a_card_from_the_command_line(
    stands: Path, ran: list[Job], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cells.json"
    line = ["eval", str(stands), "--card", "parkour", "--seeds", "2", "--jobs", "1", "--json", str(path)]
    assert main([*line, "--command", "0.8,0,0"]) == 0
    assert len(ran) == 14 and {job.plant for job in ran} == {"randomized"}
    assert {job.command for job in ran} == {(0.8, 0.0, 0.0)}
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 8 and all("1/2" in row and "0.09-0.91" in row for row in out[1:])


@pytest.mark.parametrize(
    ("extra", "word"),
    [(["--course", "step"], "--course"), (["--difficulty", "0.1"], "--difficulty")],
)
def test_a_card_has_its_own_courses(
    stands: Path, extra: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(stands), "--card", "parkour", *extra]) == 2
    assert word in capsys.readouterr().err
