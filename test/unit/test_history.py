"""The ring of past frames against a reference that keeps everything."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_policies.contract import History
from robot_policies.observation.history import HistoryRing


def naive(frames: list[np.ndarray], history: History) -> np.ndarray:
    """Return what the definition says, at the last of ``frames``, from the list of all frames since the reset."""
    stored = []
    for frame in frames:
        kept = frame.astype(np.float32).copy()
        kept[list(history.mask)] = 0.0
        stored.append(kept)
    now = len(stored) - 1
    parts = []
    for age in history.ages:
        if age <= now:
            parts.append(stored[now - age])
        elif history.fill == "zeros" or (history.fill == "zeros_then_first_frame" and now == 0):
            parts.append(np.zeros_like(stored[0]))
        else:
            parts.append(stored[0])
    return np.concatenate(parts)


FILLS = ("first_frame", "zeros", "zeros_then_first_frame")


@st.composite
def histories(draw: Any) -> tuple[int, History]:
    size = draw(st.integers(1, 5))
    ages = draw(st.lists(st.integers(0, 12), min_size=1, max_size=8, unique=True))
    mask = draw(st.lists(st.integers(0, size - 1), max_size=size, unique=True))
    return size, History(ages=tuple(ages), fill=draw(st.sampled_from(FILLS)), mask=tuple(mask))


@settings(max_examples=200, deadline=None)
@given(histories(), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_the_ring_is_the_definition(given_history: tuple[int, History], ticks: int, seed: int) -> None:
    size, history = given_history
    ring, random = HistoryRing(size, history), np.random.default_rng(seed)
    for _ in range(2):  # the second time after a reset
        frames: list[np.ndarray] = []
        for _ in range(ticks):
            frames.append(random.standard_normal(size).astype(np.float32))
            np.testing.assert_array_equal(ring.push(frames[-1]), naive(frames, history))
        ring.reset()


def test_newest_first_and_oldest_first() -> None:
    newest = HistoryRing(1, History(ages=(0, 1, 2), fill="first_frame"))
    oldest = HistoryRing(1, History(ages=(2, 1, 0), fill="first_frame"))
    for number in (1.0, 2.0, 3.0):
        one, other = (ring.push(np.array([number], np.float32)).copy() for ring in (newest, oldest))
    np.testing.assert_array_equal(one, [3.0, 2.0, 1.0])
    np.testing.assert_array_equal(other, [1.0, 2.0, 3.0])


def test_extreme_parkour_reads_zeros_first_and_excludes_the_present() -> None:
    # Ten previous frames, oldest first; zeros at the first read, then ten copies of the first frame; 6 and 7 are 0.
    ring = HistoryRing(8, History(ages=tuple(range(10, 0, -1)), fill="zeros_then_first_frame", mask=(6, 7)))
    first, second = np.full(8, 1.0, np.float32), np.full(8, 2.0, np.float32)
    stored = np.array([1, 1, 1, 1, 1, 1, 0, 0], np.float32)
    np.testing.assert_array_equal(ring.push(first), np.zeros(80))
    np.testing.assert_array_equal(ring.push(second), np.tile(stored, 10))
    third = ring.push(second)
    np.testing.assert_array_equal(third[:72], np.tile(stored, 9))
    np.testing.assert_array_equal(third[72:], 2 * stored)


def test_the_frame_that_is_pushed_may_be_used_again() -> None:
    ring = HistoryRing(2, History(ages=(0, 1), fill="zeros"))
    buffer = np.array([1.0, 2.0], np.float32)
    ring.push(buffer)
    buffer[:] = 9.0
    np.testing.assert_array_equal(ring.push(buffer), [9.0, 9.0, 1.0, 2.0])


@pytest.mark.parametrize("fill", FILLS)
def test_nothing_is_allocated_after_construction(fill: str) -> None:
    ring = HistoryRing(45, History(ages=tuple(range(20)), fill=fill, mask=(1, 2)))  # type: ignore[arg-type]
    frame = np.ones(45, np.float32)
    for _ in range(50):
        ring.push(frame)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(2000):
        ring.push(frame)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2000, f"{grown} bytes after 2000 pushes of 3600 bytes each"
    assert ring.size == 900
