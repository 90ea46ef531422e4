"""The score card: what the cells say of the episodes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sim2real.evaluation.card import card, table
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.plan import Cell, Policy
from sim2real.evaluation.strip import COLUMNS, ROWS, even_moments, strip_moments
from sim2real.evaluation.wilson import wilson

JOB = Job("bundles/x", "go2", load_course("flat", 0.0), 0.0, 0, 10.0, (0.8, 0.0, 0.0))


def cell_of(name: str, **changes: object) -> Cell:
    return Cell(Policy("bundles/x", name), (replace(JOB, **changes),))  # type: ignore[arg-type]


GOOD = Episode(
    seed=0,
    success=True,
    failures=(),
    fell=False,
    metrics={
        "speed_mps": 0.8,
        "distance_m": 8.0,
        "torque_peak_nm": 20.0,
        "tilt_max_rad": 0.1,
        "real_time_factor": 20.0,
    },
    modes=((0.005, "disarmed"), (1.3, "active")),
    trips=(),
    refusals=(),
)
FALLEN = replace(
    GOOD, seed=1, success=False, failures=("fell at 3.00 s", "tilt trip at 3.10 s: 1.3 rad"), fell=True,
    metrics={**GOOD.metrics, "speed_mps": 0.4, "torque_peak_nm": 40.0, "tilt_max_rad": 1.3},
    trips=((3.1, "tilt", "1.3 rad"),), refusals=((3.0, "joint_command", "old"),),
)  # fmt: skip


def test_a_cell_has_the_documented_keys_and_is_plain_json() -> None:
    made = card(cell_of("x"), [GOOD, FALLEN])
    assert list(made)[:3] == ["course", "difficulty", "policy"]
    assert {"course", "difficulty", "policy", "seeds", "successes", "rate", "ci95", "metrics"} <= set(made)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_rates_and_metrics() -> None:
    made = card(cell_of("x"), [GOOD, FALLEN, GOOD, GOOD])
    assert (made["seeds"], made["successes"], made["rate"]) == (4, 3, 0.75)
    assert made["ci95"] == list(wilson(3, 4))
    metrics = made["metrics"]
    assert metrics["speed_mps"] == pytest.approx(0.7)
    assert (metrics["speed_mps_min"], metrics["speed_mps_max"]) == (0.4, 0.8)
    assert (metrics["torque_peak_nm"], metrics["tilt_max_rad"]) == (40.0, 1.3)
    assert (metrics["falls"], metrics["trips"]) == (1.0, 1.0)


def test_every_episode_tells_why_it_failed_and_when() -> None:
    fallen = card(cell_of("x"), [GOOD, FALLEN])["episodes"][1]
    assert fallen["seed"] == 1 and fallen["failures"][0] == "fell at 3.00 s"
    assert fallen["trips"] == [{"t": 3.1, "name": "tilt", "detail": "1.3 rad"}]
    assert fallen["modes"][1] == {"t": 1.3, "mode": "active"}
    assert fallen["refusals"] == [{"t": 3.0, "asked": "joint_command", "why": "old"}]


def test_the_table_is_aligned_and_complete() -> None:
    lines = table([card(cell_of("a_policy_with_a_long_name"), [GOOD]), card(cell_of("x"), [FALLEN])]).splitlines()
    assert len(lines) == 3
    start = lines[0].index("rate")
    assert [line[start : start + 3] for line in lines] == ["rat", "1/1", "0/1"]
    assert "0.400 (0.400-0.400)" in lines[2]


@pytest.mark.parametrize("cycles", [1, 5, 100, 181, 4000])
def test_the_strip_shows_the_whole_episode_and_a_piece_of_gait(cycles: int) -> None:
    moments = strip_moments(cycles, step=10)
    assert len(moments) <= COLUMNS * ROWS
    assert moments[0] == 0 and moments[COLUMNS - 1] == cycles - 1
    gait = moments[COLUMNS:]
    assert all(0 <= moment < cycles for moment in moments)
    assert {later - earlier for earlier, later in zip(gait[:-1], gait[1:], strict=True)} <= {10}
    if cycles > 180:
        assert len(moments) == COLUMNS * ROWS


def test_no_strip_without_pictures() -> None:
    assert strip_moments(0, 10) == []


def test_the_table_shows_plant_push_and_progress_where_there_are_some() -> None:
    plain = table([card(cell_of("x"), [GOOD])]).splitlines()[0]
    assert not any(word in plain for word in ("plant", "push", "progress"))
    varied = card(cell_of("x", plant="randomized"), [GOOD])
    pushed = card(replace(cell_of("x"), push=0.5), [GOOD])
    crossed = card(cell_of("x"), [replace(GOOD, metrics={**GOOD.metrics, "progress": 0.4})])
    lines = table([varied, pushed, crossed]).splitlines()
    assert all(word in lines[0] for word in ("plant", "push", "progress"))
    assert "randomized" in lines[1] and "0.5 m/s walking" in lines[2] and "0.40" in lines[3]


@pytest.mark.parametrize("cycles", [1, 5, 100, 4000])
def test_the_strip_of_a_lane_shows_it_from_end_to_end(cycles: int) -> None:
    moments = even_moments(cycles)
    assert moments[0] == 0 and moments[-1] == cycles - 1 and len(moments) == min(cycles, COLUMNS * ROWS)
    assert moments == sorted(moments)
    assert even_moments(0) == []
