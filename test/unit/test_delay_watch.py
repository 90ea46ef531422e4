"""The delay of images from capture to use, against what a bundle was trained for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from helpers.broken import DEPTH
from helpers.bundles import contract_of, standing

from robot_policies.contract import Contract, Depth
from robot_policies.control.delay_watch import ENOUGH, WINDOW, DelayWatch
from robot_policies.control.sight import Sight
from robot_policies.robot_spec import load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import DepthImage, owned

MS = 1_000_000
SPEC = load_robot_spec("go2")


def watch(least: float = 0.08, most: float = 0.142) -> DelayWatch:
    return DelayWatch("front", parse(Depth, {**DEPTH, "delay": [least, most]}, "test"), 0.02)


def seen(delays_ms: Iterable[float], found: DelayWatch | None = None, period_ms: float = 1000 / 30) -> DelayWatch:
    """Images every 33 ms, seen at the first tick of 20 ms at which they have come."""
    found = found or watch()
    for number, delay in enumerate(delays_ms):
        captured = round(number * period_ms * MS)
        tick = -(-(captured + round(delay * MS)) // (20 * MS)) * 20 * MS
        found.see(captured, tick)
    return found


def test_delays_as_trained_are_accepted_wherever_the_ticks_fall() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert seen(rng.uniform(80, 142, 200)).fault is None
    for constant in (80.0, 100.0, 142.0):
        assert seen([constant] * 100).fault is None


@pytest.mark.parametrize("delay", [0.0, 40.0, 70.0, 72.0, 152.0, 160.0, 250.0])
def test_less_delay_than_trained_is_a_mismatch_as_much_as_more(delay: float) -> None:
    fault = seen([delay] * 100).fault
    assert fault is not None
    assert fault.startswith("depth front: a delay from capture to use as trained; found ")
    assert "of 60 images); valid: 80 to 142 ms as trained" in fault


def test_the_numbers_are_those_that_were_measured() -> None:
    found = watch()
    for number, age in enumerate([*range(151, 181)]):
        found.see(number * 40 * MS, (number * 40 + age) * MS)
    assert found.fault is not None and "found 152 to 179 ms (5 % and 95 % of 30 images)" in found.fault
    told = {"n": 30, "p5": 152.0, "p50": 166.0, "p95": 179.0, "trained": [80.0, 142.0], "as_trained": False}
    assert found.values() == told
    assert seen([100.0] * 30).values()["as_trained"]


@pytest.mark.parametrize("count", range(1, 3))
def test_a_few_late_images_are_no_mismatch(count: int) -> None:
    late = [100.0] * 100
    for place in range(70, 70 + count):
        late[place] = 400.0
    assert seen(late).fault is None


def test_one_late_image_is_none_among_the_first_ones_either() -> None:
    assert seen([400.0, *[100.0] * (ENOUGH - 1)]).fault is None
    assert seen([400.0, 400.0, *[100.0] * (ENOUGH - 2)]).fault is not None


def test_there_is_no_judgement_before_enough_images() -> None:
    few = seen([0.0] * (ENOUGH - 1))
    assert not few.ready and few.fault is None
    few.see(10**12, 10**12)
    assert few.ready and few.fault is not None


def test_it_recovers_when_the_window_has_passed() -> None:
    found = seen([300.0] * 20)
    assert found.fault is not None
    for number in range(WINDOW):
        found.see((2000 + 40 * number) * MS, (2100 + 40 * number) * MS)
    assert found.fault is None


def test_an_image_counts_once_and_not_from_the_future() -> None:
    found = watch()
    for tick in range(5):
        found.see(0, (100 + 20 * tick) * MS)
    found.see(900 * MS, 800 * MS)
    assert found.values()["n"] == 1 and found.values()["p50"] == 100.0
    assert watch().values() == {"n": 0, "as_trained": False}


def test_a_clock_that_is_set_back_begins_anew() -> None:
    found = seen([300.0] * 20)
    found.see(-(10**9), -900 * MS)
    assert found.fault is None and found.values()["n"] == 1


def contract(lost: str = "landing") -> Contract:
    data: dict[str, Any] = contract_of(SPEC)
    data["format"], data["files"] = 1, {}
    data["limits"]["inputs"]["depth"] = {"max_age": 0.5, "lost": lost}
    data["depth"] = {"front": {**DEPTH, "delay": [0.08, 0.142]}}
    return parse(Contract, data, "test")


def test_what_sees_with_a_wrong_delay_is_blind_and_says_why() -> None:
    sight, rng = Sight(contract()), np.random.default_rng(0)
    height, width = DEPTH["intrinsics"]["height"], DEPTH["intrinsics"]["width"]
    images = {}
    for number in range(2 * ENOUGH):
        stamp = standing(SPEC, (40 * number) * MS).stamp_ns
        images = {"front": DepthImage(stamp, owned(rng.uniform(1, 2, (height, width)), np.float32))}
        given = sight(images, stamp + 40 * MS)
        late = number + 1 >= ENOUGH
        assert (given == {}) == late
        assert (sight.lost is not None) == late
    assert sight.lost is not None and "found 40 to 40 ms" in sight.lost
    sight.reset()
    assert sight.delays["front"].fault is not None, "an activation does not change the camera"
    sight(images, 10**9 * 2)
    assert sight.lost is not None
