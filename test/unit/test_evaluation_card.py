"""The score card: what the cells say of the episodes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sim2real.evaluation.card import cell, table
from sim2real.evaluation.command import STRIP_COLUMNS, STRIP_ROWS, strip_moments
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Episode, Job
from sim2real.evaluation.wilson import wilson

JOB = Job("bundles/x", "go2", load_course("flat", 0.0), 0.0, 0, 10.0, (0.8, 0.0, 0.0))
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
    made = cell(JOB, "x", [GOOD, FALLEN])
    assert list(made)[:3] == ["course", "difficulty", "policy"]
    assert {"course", "difficulty", "policy", "seeds", "successes", "rate", "ci95", "metrics"} <= set(made)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_rates_and_metrics() -> None:
    made = cell(JOB, "x", [GOOD, FALLEN, GOOD, GOOD])
    assert (made["seeds"], made["successes"], made["rate"]) == (4, 3, 0.75)
    assert made["ci95"] == list(wilson(3, 4))
    metrics = made["metrics"]
    assert metrics["speed_mps"] == pytest.approx(0.7)
    assert (metrics["speed_mps_min"], metrics["speed_mps_max"]) == (0.4, 0.8)
    assert (metrics["torque_peak_nm"], metrics["tilt_max_rad"]) == (40.0, 1.3)
    assert (metrics["falls"], metrics["trips"]) == (1.0, 1.0)


def test_every_episode_tells_why_it_failed_and_when() -> None:
    fallen = cell(JOB, "x", [GOOD, FALLEN])["episodes"][1]
    assert fallen["seed"] == 1 and fallen["failures"][0] == "fell at 3.00 s"
    assert fallen["trips"] == [{"t": 3.1, "name": "tilt", "detail": "1.3 rad"}]
    assert fallen["modes"][1] == {"t": 1.3, "mode": "active"}
    assert fallen["refusals"] == [{"t": 3.0, "asked": "joint_command", "why": "old"}]


def test_the_table_is_aligned_and_complete() -> None:
    lines = table([cell(JOB, "a_policy_with_a_long_name", [GOOD]), cell(JOB, "x", [FALLEN])]).splitlines()
    assert len(lines) == 3
    start = lines[0].index("rate")
    assert [line[start : start + 3] for line in lines] == ["rat", "1/1", "0/1"]
    assert "0.400 (0.400-0.400)" in lines[2]


@pytest.mark.parametrize("cycles", [1, 5, 100, 181, 4000])
def test_the_strip_shows_the_whole_episode_and_a_piece_of_gait(cycles: int) -> None:
    moments = strip_moments(cycles, step=10)
    assert len(moments) <= STRIP_COLUMNS * STRIP_ROWS
    assert moments[0] == 0 and moments[STRIP_COLUMNS - 1] == cycles - 1
    gait = moments[STRIP_COLUMNS:]
    assert all(0 <= moment < cycles for moment in moments)
    assert {later - earlier for earlier, later in zip(gait[:-1], gait[1:], strict=True)} <= {10}
    if cycles > 180:
        assert len(moments) == STRIP_COLUMNS * STRIP_ROWS


def test_no_strip_without_pictures() -> None:
    assert strip_moments(0, 10) == []
