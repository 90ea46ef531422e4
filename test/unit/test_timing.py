from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_policies.control.timing import Percentiles


def recorded(values: list[int]) -> Percentiles:
    percentiles = Percentiles()
    for value in values:
        percentiles.add(value)
    return percentiles


def test_empty_is_zero() -> None:
    assert recorded([]).summary_ms() == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    assert recorded([]).count == 0


@settings(deadline=None)
@given(st.lists(st.integers(100, 10**11), min_size=1, max_size=200), st.sampled_from([1, 50, 95, 99, 100]))
def test_within_one_percent_of_the_truth(values: list[int], p: int) -> None:
    truth = float(np.percentile(values, p, method="inverted_cdf"))
    assert recorded(values).percentile(p) == pytest.approx(truth, rel=0.0101)


def test_count_and_max_are_exact() -> None:
    percentiles = recorded([5_000, 123_456_789, 7])
    assert (percentiles.count, percentiles.max_ns) == (3, 123_456_789)
    assert percentiles.summary_ms()["max"] == 123.456789


def test_no_percentile_exceeds_the_maximum() -> None:
    for value in (100, 101, 999, 10**6 + 1):
        assert recorded([value]).percentile(99) <= value


def test_the_ends_of_the_range() -> None:
    percentiles = recorded([-50, 0, 1])
    assert percentiles.percentile(50) <= 1
    assert recorded([10**15]).percentile(50) > 2e11  # longer than the last bin: shares it
    assert recorded([10**15]).max_ns == 10**15


def test_summary_orders_the_percentiles() -> None:
    summary = recorded(list(range(1_000, 1_001_000, 1_000))).summary_ms()
    assert summary["p50"] == pytest.approx(0.5, rel=0.02)
    assert summary["p95"] == pytest.approx(0.95, rel=0.02)
    assert summary["p99"] == pytest.approx(0.99, rel=0.02)
    assert summary["max"] == 1.0


def test_merging_is_recording_both() -> None:
    one, other = recorded([1_000] * 10), recorded([2_000_000] * 30)
    one.merge(other)
    both = recorded([1_000] * 10 + [2_000_000] * 30)
    assert one.summary_ms() == both.summary_ms()
    assert one.count == 40


def test_reset_forgets() -> None:
    percentiles = recorded([5, 10**9])
    percentiles.reset()
    assert percentiles.summary_ms() == recorded([]).summary_ms()
    percentiles.add(300)
    assert (percentiles.count, percentiles.max_ns) == (1, 300)


def test_memory_does_not_grow() -> None:
    percentiles = Percentiles()
    size = len(percentiles._bins)
    for value in range(0, 10**7, 997):
        percentiles.add(value)
    assert len(percentiles._bins) == size
