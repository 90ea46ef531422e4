"""Which images a policy may see, each fault alone, and when it has seen nothing good for too long."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from helpers.images import SHAPE, floor
from helpers.seeing_walk import MAX_AGE, contract
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.contract import Contract
from robot_policies.control.sight import PINHOLE_TOLERANCE, Sight, image_fault, pinhole_fault
from robot_policies.schema import parse
from robot_policies.types import DepthImage, owned

CONTRACT: Contract = parse(Contract, {"format": 1, "files": {}, **contract("companion")}, "test")
DEPTH = CONTRACT.depth["front"]
PINHOLE = (55.85, 55.85, 52.5, 29.5)
AGE = int(MAX_AGE * 1e9)
MS = 1_000_000


def bent(image: DepthImage, depth: np.ndarray | None = None, **changes: object) -> DepthImage:
    fields = {"stamp_ns": image.stamp_ns, "depth": image.depth if depth is None else owned(depth, depth.dtype)}
    return DepthImage(**{**fields, **changes})  # type: ignore[arg-type]


def holes(share: float) -> np.ndarray:
    """Return a picture of which that share has no return: zeros, NaN and negative ones."""
    flat = floor(0).depth.ravel().copy()
    flat[: round(share * flat.size)] = 0.0
    flat[:10:3], flat[1:10:3] = np.nan, -1.0
    return flat.reshape(SHAPE)


def test_a_good_image_is_good_with_and_without_a_pinhole() -> None:
    assert image_fault(DEPTH, floor(0), None, 0) is None
    assert image_fault(DEPTH, bent(floor(0), pinhole=PINHOLE), floor(-1), 0) is None


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (
            bent(floor(0), np.zeros((120, 212), np.float32)),
            r"\(120, 212\) instead of float32 of \(60, 106\)",
        ),
        (bent(floor(0), np.zeros(SHAPE)), "float64"),
        (bent(floor(0), stamp_ns=1), "a stamp 0.000 s after the state's"),
        (bent(floor(0), stamp_ns=-50 * MS), "a stamp 0.049 s before the last one's"),
        (bent(floor(0), pinhole=(61.4, 61.4, 52.5, 29.5)), "fx, fy, cx, cy of 61.4, 61.4, 52.5, 29.5 in camera_info"),
        (bent(floor(0), np.zeros(SHAPE, np.float32)), "100.0% of its pixels without a return, over 99.0%"),
        (bent(floor(0), np.full(SHAPE, np.nan, np.float32)), "100.0%"),
        (bent(floor(0), holes(0.995)), "99.5%"),
        (bent(floor(-1 * MS), stamp_ns=0), "the same picture as before"),
    ],
)
def test_each_fault_is_told_by_what_was_found(image: DepthImage, says: str) -> None:
    before = floor(-1 * MS)
    found = image_fault(DEPTH, image, before, 0)
    assert found is not None
    assert re.search(says, found), found


def test_many_holes_are_still_an_image_and_the_bundle_says_how_many() -> None:
    assert image_fault(DEPTH, bent(floor(0), holes(0.98)), None, 0) is None
    strict = dataclasses.replace(DEPTH, max_holes=0.5)
    assert image_fault(strict, bent(floor(0), holes(0.49)), None, 0) is None
    assert image_fault(strict, bent(floor(0), holes(0.51)), None, 0) is not None


def test_a_picture_of_nan_and_numbers_is_the_same_picture_again() -> None:
    picture = holes(0.3)
    one, other = bent(floor(0), picture), bent(floor(0), picture, stamp_ns=MS)
    assert "same picture" in str(image_fault(DEPTH, other, one, MS))


@given(st.floats(-0.2, 0.2), st.sampled_from(range(4)))
def test_a_pinhole_counts_within_its_tolerance(share: float, place: int) -> None:
    sizes = (PINHOLE[0], PINHOLE[1], 106, 60)
    found = [value + (share * sizes[i] if i == place else 0.0) for i, value in enumerate(PINHOLE)]
    fault = pinhole_fault(DEPTH.intrinsics, (found[0], found[1], found[2], found[3]))
    if abs(abs(share) - PINHOLE_TOLERANCE) > 1e-9:
        assert (fault is None) == (abs(share) < PINHOLE_TOLERANCE)


def test_a_pinhole_that_is_not_finite_is_none() -> None:
    assert pinhole_fault(DEPTH.intrinsics, (float("nan"), 55.85, 52.5, 29.5)) is not None


def test_it_is_lost_when_the_newest_good_image_is_too_old_and_not_before() -> None:
    sight = Sight(CONTRACT)
    assert sight({}, 0) == {} and "none, and no newer one has come" in str(sight.lost)
    image = floor(0)
    for stamp, lost in ((60 * MS, False), (AGE, False), (AGE + 1, True)):
        assert sight({"front": image}, stamp)["front"] is image
        assert (sight.lost is not None) is lost
    assert "the newest 0.200 s old, and no newer one has come; valid: one at most 0.2 s old" in str(sight.lost)


def test_what_is_refused_leaves_the_image_before_it_which_grows_older() -> None:
    sight, good = Sight(CONTRACT), floor(0)
    sight({"front": good}, 60 * MS)
    bad = bent(floor(MS), np.zeros(SHAPE, np.float32), stamp_ns=100 * MS)
    assert sight({"front": bad}, 160 * MS)["front"] is good and sight.lost is None
    sight({"front": bad}, AGE + MS)
    assert "and then 100.0% of its pixels without a return" in str(sight.lost)
    again = floor(AGE)
    assert sight({"front": again}, AGE + 60 * MS)["front"] is again and sight.lost is None
    sight({}, AGE + AGE + MS)
    assert "no newer one" in str(sight.lost), "what was refused before a good image counts no more"


def test_the_same_picture_under_new_stamps_is_as_old_as_the_first() -> None:
    sight, picture = Sight(CONTRACT), floor(0).depth
    lost = []
    for tick in range(12):
        capture = tick * 20 * MS
        sight({"front": DepthImage(capture, owned(picture, np.float32))}, capture + 60 * MS)
        lost.append(sight.lost is not None)
    assert lost == [60 + 20 * tick > 200 for tick in range(12)]


def test_a_reset_forgets_every_image() -> None:
    sight = Sight(CONTRACT)
    sight({"front": floor(0)}, 60 * MS)
    sight.reset()
    assert sight({}, 61 * MS) == {} and sight.lost is not None
    assert sight({"front": floor(0)}, 62 * MS) and sight.lost is None, "the same one is new again"


def climbing(pitch: float) -> np.ndarray:
    """Return base to world (wxyz) of a robot that points up by ``pitch`` [rad]."""
    return np.array([np.cos(pitch / 2), 0.0, -np.sin(pitch / 2), 0.0])


@pytest.mark.parametrize(("pitch", "good"), [(0.0, False), (0.5, False), (0.7, False), (0.9, True), (1.2, True)])
def test_a_robot_that_climbs_may_see_nothing_but_sky(pitch: float, good: bool) -> None:
    """The lowest ray of this camera points 0.88 rad down: 22.5 deg, and half of the field of view."""
    sight = Sight(CONTRACT)
    sight({"front": floor(0)}, 60 * MS)
    for tick in range(5):
        sight.lean((100 + 20 * tick) * MS, climbing(pitch))
    for stamp in (100 * MS, 133 * MS):  # the second is the same picture, of nothing
        sky = bent(floor(0), np.zeros(SHAPE, np.float32), stamp_ns=stamp)
        seen = sight({"front": sky}, stamp + 100 * MS)["front"]
        assert (seen is sky) is good


def test_sky_is_what_was_seen_when_the_image_was_captured_not_when_it_comes() -> None:
    sight = Sight(CONTRACT)
    sight.lean(100 * MS, climbing(1.2))
    for tick in range(4):
        sight.lean((120 + 20 * tick) * MS, climbing(0.0))
    late = bent(floor(0), np.zeros(SHAPE, np.float32), stamp_ns=160 * MS)
    assert "front" not in sight({"front": late}, 180 * MS)
    early = bent(floor(0), np.zeros(SHAPE, np.float32), stamp_ns=95 * MS)
    assert sight({"front": early}, 180 * MS)["front"] is early
    sight.reset()
    assert "front" not in sight({"front": early}, 180 * MS)


def test_a_climbing_robot_whose_camera_freezes_is_told_so() -> None:
    sight = Sight(CONTRACT)
    sight.lean(0, climbing(1.2))
    sight({"front": floor(0)}, 10 * MS)
    again = bent(floor(0), stamp_ns=20 * MS)
    sight({"front": again}, AGE + MS)
    assert "the same picture" in str(sight.lost)
