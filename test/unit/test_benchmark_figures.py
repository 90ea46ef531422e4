"""Percentiles, verdicts, table and JSON of a benchmark."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from sim2real.benchmark.budgets import BUDGETS
from sim2real.benchmark.figures import LEVELS, Report, Verdict, percentiles
from sim2real.benchmark.table import ABOUT, as_json, table

SAID: dict[str, Any] = {
    "cpu": "a cpu", "cores": 2, "kernel": "6", "python": "3", "versions": {"numpy": "2"}, "sched_fifo": False,
    "load_start": 0.1, "load_end": 1.5,
}  # fmt: skip


def test_percentiles_are_samples() -> None:
    found = percentiles([ns * 1000 for ns in range(1, 201)])
    assert found == {"n": 200, "p50_us": 100.0, "p95_us": 190.0, "p99_us": 198.0, "max_us": 200.0}
    assert percentiles([7_500]) == {"n": 1, **dict.fromkeys(LEVELS, 7.5)}
    assert percentiles([3_000, 1_000, 2_000])["p50_us"] == 2.0, "samples come in any order"


@pytest.mark.parametrize(
    ("limit", "found", "at_least", "met"),
    [(60, 60.0, False, True), (60, 60.1, False, False), (20, 20.0, True, True), (20, 19.9, True, False)],
)
def test_a_limit_is_met_up_to_itself(limit: float, found: float, at_least: bool, met: bool) -> None:
    verdict = Verdict("p50_us", limit, found, at_least)
    assert verdict.met is met
    assert ("MISSED" in verdict.text()) is not met


def test_what_is_no_number_meets_nothing() -> None:
    assert not Verdict("p50_us", 1.0, math.nan).met
    assert not Verdict("value", 1.0, math.nan, at_least=True).met


def test_a_verdict_says_by_how_much() -> None:
    assert Verdict("p99_us", 200.0, 250.0).text() == "p99 <= 200: MISSED by 50 (25 %)"
    assert Verdict("value", 20.0, 25.0, at_least=True).text() == "value >= 20: met by 5 (25 %)"


def filled() -> Report:
    report = Report(budgets={"tick": {"p50_us": 60.0, "p99_us": 200.0}, "factor": {"least_value": 20.0}})
    report.add("tick", [50_000] * 150 + [900_000] * 2)
    report.add("slow", [200_000] * 100)
    report.add_value("factor", 25.0, "x")
    report.ratio("slow / tick, p50", "slow", "tick")
    return report


def test_budgets_are_judged() -> None:
    report = filled()
    assert [verdict.met for verdict in report.verdicts["tick"]] == [True, False]
    assert report.missed == ["tick"]
    assert report.verdicts["factor"][0].met
    assert "slow" not in report.verdicts
    assert report.ratios == {"slow / tick, p50": 4.0}


def test_no_samples_are_a_failure_and_few_are_told() -> None:
    report = Report()
    report.add("nothing", [], "the robot fell")
    report.add("few", [1000] * 99)
    report.add("enough", [1000] * 100)
    assert report.failures == {"nothing": "the robot fell"}
    assert report.notes == {"few": "n = 99"}
    assert "nothing" not in report.durations


def test_a_ratio_needs_both() -> None:
    report = Report()
    report.add("one", [1000] * 100)
    report.ratio("one / other", "one", "other")
    assert report.ratios == {}


def test_the_table_shows_everything() -> None:
    report = filled()
    report.note("eager_tick", "not measured: PyTorch is not installed")
    report.failures["ros"] = "not measured: no node"
    text = table(report, SAID)
    line = next(line for line in text.splitlines() if line.startswith("tick "))
    assert line.split()[1:6] == ["152", "50.0", "50.0", "900.0", "900.0"]
    assert "p50 <= 60: met by 10" in line and "p99 <= 200: MISSED by 700 (350 %)" in line
    for words in ("a cpu", "not permitted", "load 0.1", "factor", "4.00 x", "eager_tick: not measured", "ros: not"):
        assert words in text, words
    assert "budgets: 1 of 2 met; missed: tick" in text


def test_json_is_name_to_numbers_and_one_key_more() -> None:
    data = json.loads(json.dumps(as_json(filled(), SAID)))
    about = data.pop(ABOUT)
    assert list(data) == ["tick", "slow"]
    assert all(set(numbers) == {"n", "p50_us", "p95_us", "p99_us", "max_us"} for numbers in data.values())
    assert about["values"]["factor"] == {"value": 25.0, "unit": "x"}
    assert about["missed"] == ["tick"] and about["load_start"] == 0.1
    assert about["budgets"]["tick"][1] == {"what": "p99_us", "limit": 200.0, "found": 900.0, "met": False}


def test_budgets_name_what_a_report_has() -> None:
    for name, limits in BUDGETS.items():
        assert set(limits) <= {*LEVELS, "value", "least_value"}, name
        assert all(limit > 0 for limit in limits.values())
