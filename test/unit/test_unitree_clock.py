"""From ticks to stamps: never later than receipt, old where the way was long, bounded drift, wraps and jumps."""

from __future__ import annotations

import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from robot_policies.robots.unitree_wire.clock import JUMP_NS, WINDOW_NS, WRAP, TickClock

MS = 1_000_000
PERIOD = 2 * MS


def clock() -> TickClock:
    return TickClock(MS, PERIOD)


def test_the_fastest_state_is_stamped_on_receipt_and_the_others_by_their_ticks() -> None:
    it = clock()
    ways = [300_000, 900_000, 100_000, 5 * MS, 100_000]  # [ns]
    stamps = [it.stamp(2 * k, k * PERIOD + way) for k, way in enumerate(ways)]
    assert stamps[0] == ways[0]
    assert stamps[1] == PERIOD + 300_000  # 0.6 ms before it came
    assert stamps[2:] == [k * PERIOD + 100_000 for k in (2, 3, 4)]  # the way of the third is the shortest so far


@pytest.mark.parametrize("drift", [-50e-6, 0.0, 50e-6])
def test_jitter_goes_and_drift_stays_bounded(drift: float) -> None:
    """A minute of states with a way of 0.1 ms and a random rest, from a crystal that is 50 ppm off."""
    it, rng, last = clock(), np.random.default_rng(1), -1
    for k in range(30_000):
        true = round(k * PERIOD * (1.0 + drift))
        received = true + 100_000 + round(rng.exponential(200_000))
        stamp = it.stamp(2 * k, received)
        assert stamp is not None
        assert last < stamp <= received
        if k > 500:  # the first second looks for the shortest way
            assert abs(stamp - (true + 100_000)) < 130_000  # two windows at 50 ppm, and the shortest rest of one
        last = stamp
    assert (it.skipped, it.missed) == (0, 0)


def test_a_stream_that_lags_looks_old_until_it_is_the_only_one_known() -> None:
    it = clock()
    for k in range(500):
        it.stamp(2 * k, k * PERIOD)
    late = [(k, it.stamp(2 * k, k * PERIOD + 120 * MS)) for k in range(500, 3000)]
    first = [k * PERIOD + 120 * MS - (stamp or 0) for k, stamp in late[:200]]
    assert set(first) == {120 * MS}  # a limit on age sees it
    k, stamp = late[-1]
    assert stamp == k * PERIOD + 120 * MS  # after two windows
    assert 2999 * PERIOD > 2 * WINDOW_NS


def test_a_state_twice_or_out_of_order_is_none() -> None:
    it = clock()
    assert it.stamp(10, 0) is not None
    for tick in (10, 8, 0, WRAP - 5):
        assert it.stamp(tick, MS) is None
    assert it.skipped == 4
    assert it.stamp(12, PERIOD) == PERIOD


def test_missed_states_are_counted() -> None:
    it = clock()
    for tick in (0, 2, 4, 10, 12, 112):
        it.stamp(tick, tick * MS)
    assert it.missed == 2 + 49


def test_the_counter_wraps_without_a_step() -> None:
    it = clock()
    ticks = [(WRAP - 6 + 2 * k) % WRAP for k in range(8)]
    stamps = [it.stamp(tick, (k + 1) * PERIOD) for k, tick in enumerate(ticks)]
    assert stamps == [(k + 1) * PERIOD for k in range(8)]
    assert it.missed == 0


def test_ticks_that_run_ahead_are_an_error_and_then_a_new_start() -> None:
    it = clock()
    for k in range(100):
        it.stamp(2 * k, k * PERIOD)
    now = 100 * PERIOD
    with pytest.raises(
        RobotError, match=r"LowState.tick: with this machine's clock; found 0\.100 s ahead of it; valid: "
    ):
        it.stamp(200 + 100, now)
    assert it.stamp(302, now + PERIOD) == now + PERIOD
    limit = clock()
    limit.stamp(0, 0)
    assert limit.stamp(2 + JUMP_NS // MS, PERIOD) is not None  # exactly the limit is none


def test_stamps_rise_even_where_the_fastest_way_gets_shorter() -> None:
    it = clock()
    first = it.stamp(0, 10 * MS)
    second = it.stamp(2, 10 * MS + 1000)  # 2 ms of ticks within a microsecond
    assert first is not None
    assert second is not None
    assert first < second <= 10 * MS + 1000
