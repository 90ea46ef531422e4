"""When the simulated camera captures and when its images come out, on the clock of the stamps alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import InputError
from robot_policies.types import DepthImage, owned
from sim2real.mujoco.camera_timing import NS, CaptureClock, DelayLine

MS = 1_000_000


def image(stamp_ns: int) -> DepthImage:
    return DepthImage(stamp_ns, owned(np.zeros((1, 1)), np.float32))


def captured(clock: CaptureClock, stamps: range) -> list[int]:
    return [stamp for stamp in stamps if clock.due(stamp)]


def test_captures_lie_on_the_grid_of_the_clock() -> None:
    assert captured(CaptureClock(10.0), range(0, 350 * MS, 5 * MS)) == [0, 100 * MS, 200 * MS, 300 * MS]


def test_the_grid_does_not_hang_on_when_the_camera_started() -> None:
    whole = captured(CaptureClock(10.0), range(0, 2 * NS, 5 * MS))
    for start in (1, 7, 19, 20):
        late = captured(CaptureClock(10.0), range(start * 5 * MS, 2 * NS, 5 * MS))
        assert late == [stamp for stamp in whole if stamp >= start * 5 * MS]


def test_a_rate_that_states_do_not_divide_takes_the_first_state_after() -> None:
    stamps = captured(CaptureClock(30.0), range(0, 200 * MS, 5 * MS))
    assert [stamp // MS for stamp in stamps] == [0, 35, 70, 100, 135, 170]


@pytest.mark.parametrize("rate", [10.0, 15.0, 30.0, 60.0, 90.0])
def test_the_mean_rate_is_the_rate(rate: float) -> None:
    assert len(captured(CaptureClock(rate), range(0, 20 * NS, 5 * MS))) == pytest.approx(20 * rate, abs=1)


def test_a_lost_state_delays_a_capture_but_loses_none() -> None:
    clock = CaptureClock(10.0)
    stamps = [stamp for stamp in range(0, 350 * MS, 5 * MS) if stamp != 100 * MS]
    assert [stamp // MS for stamp in stamps if clock.due(stamp)] == [0, 105, 200, 300]


def test_a_rate_above_that_of_the_states_takes_every_state_once() -> None:
    assert captured(CaptureClock(1000.0), range(0, 50 * MS, 5 * MS)) == list(range(0, 50 * MS, 5 * MS))


def test_a_clock_that_is_set_back_starts_anew() -> None:
    clock = CaptureClock(10.0)
    captured(clock, range(0, 500 * MS, 5 * MS))
    assert not clock.due(5 * MS), "within a slot of which the start was not seen"
    assert captured(clock, range(10 * MS, 250 * MS, 5 * MS)) == [100 * MS, 200 * MS]


def test_an_image_comes_out_when_the_delay_has_passed_and_only_once() -> None:
    line = DelayLine(0.06, 0.0, 0)
    line.put(image(0))
    line.put(image(33 * MS))
    assert line.take(59 * MS) == []
    assert [i.stamp_ns for i in line.take(60 * MS)] == [0]
    assert line.take(92 * MS) == []
    assert [i.stamp_ns for i in line.take(500 * MS)] == [33 * MS]
    assert line.take(500 * MS) == []


def test_without_delay_it_comes_out_at_once() -> None:
    line = DelayLine(0.0, 0.0, 0)
    line.put(image(7))
    assert [i.stamp_ns for i in line.take(7)] == [7]


def test_jitter_adds_between_nothing_and_all_of_itself() -> None:
    delays = []
    for stamp in range(0, 2000 * NS, NS):
        line = DelayLine(0.05, 0.02, seed=3)
        line.put(image(stamp))
        delays.append((line._held[0][0] - stamp) / NS)
    assert min(delays) >= 0.05
    assert max(delays) <= 0.07
    assert np.mean(delays) == pytest.approx(0.06, abs=0.001)
    assert np.std(delays) == pytest.approx(0.02 / np.sqrt(12), rel=0.05)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 1000))
def test_jitter_never_reorders_and_hangs_on_seed_and_stamp_only(gaps: list[int], seed: int) -> None:
    line, stamps = DelayLine(0.01, 0.2, seed), np.cumsum(gaps) * MS
    for stamp in stamps.tolist():
        line.put(image(stamp))
    dues = [due for due, _ in line._held]
    assert dues == sorted(dues)
    assert [i.stamp_ns for i in line.take(10 * NS)] == stamps.tolist()
    alone = DelayLine(0.01, 0.2, seed)
    alone.put(image(int(stamps[0])))
    assert alone._held[0][0] == dues[0]


def test_clear_forgets() -> None:
    line = DelayLine(0.1, 0.0, 0)
    line.put(image(0))
    line.clear()
    assert line.take(NS) == []


@pytest.mark.parametrize("rate", [0.0, -1.0, 1001.0, float("nan")])
def test_senseless_rates_are_refused(rate: float) -> None:
    with pytest.raises(InputError, match="rate"):
        CaptureClock(rate)


@pytest.mark.parametrize(("delay", "jitter"), [(-0.1, 0.0), (60.0, 0.0), (0.0, -0.1), (float("nan"), 0.0)])
def test_senseless_delays_are_refused(delay: float, jitter: float) -> None:
    with pytest.raises(InputError, match="delay|jitter"):
        DelayLine(delay, jitter, 0)
