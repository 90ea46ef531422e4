"""The CSV of a run, and the watch that tells a diverging one."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from sim2real.training.progress import ProgressFile, Watch


def test_rows_follow_one_header_over_two_runs(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    ProgressFile(path).write({"iteration": 1, "reward": 0.123456789})
    ProgressFile(path).write({"iteration": 2, "reward": 1e-12})
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"iteration": "1", "reward": "0.12346"},
            {"iteration": "2", "reward": "1e-12"},
        ]


@pytest.mark.parametrize(("reward", "losses", "named"), [
    (math.nan, {"value": 1.0}, "reward"),
    (1.0, {"value": math.inf, "surrogate": 0.0}, "value"),
])  # fmt: skip
def test_a_value_that_is_not_finite_is_named(reward: float, losses: dict[str, float], named: str) -> None:
    watch = Watch()
    assert watch.check(1.0, {"value": 1.0}) is None
    assert watch.check(reward, losses) == f"{named} not finite"


def test_a_reward_that_collapses_and_stays_down_is_told_after_the_patience() -> None:
    watch = Watch(share=0.3, patience=5, smoothing=0.0)
    assert [watch.check(reward, {}) for reward in (0.01, 0.05, 0.04)] == 3 * [None]
    assert watch.healthy
    told = [watch.check(0.01, {}) for _ in range(5)]
    assert told[:4] == 4 * [None] and "after a best of 0.0500, for 5 iterations" in told[4]
    assert not watch.healthy


def test_a_short_dip_is_forgiven() -> None:
    watch = Watch(share=0.3, patience=5, smoothing=0.0)
    for reward in (0.05, *4 * (0.01,), 0.04, *4 * (0.01,), 0.05):
        assert watch.check(reward, {}) is None
    assert watch.healthy


def test_a_slow_start_is_not_a_collapse() -> None:
    watch = Watch()
    assert all(watch.check(0.001 * step, {}) is None for step in range(200))
