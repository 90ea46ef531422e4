"""Faults of the simulated depth camera: their statistics, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import InputError
from robot_policies.types import Array32
from sim2real.mujoco.depth_faults import DepthFaults, apply, edges, left_band, with_holes, with_noise, within

FAR = 10.0


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def wall(depth: float, shape: tuple[int, int] = (240, 424)) -> Array32:
    return np.full(shape, depth, np.float32)


def step_image() -> Array32:
    """A box at 1 m before a wall at 3 m; columns 40 to 59, rows 10 to 29."""
    image = wall(3.0, (60, 106))
    image[10:30, 40:60] = 1.0
    return image


@pytest.mark.parametrize("depth", [0.5, 1.0, 2.0, 4.0])
def test_noise_grows_with_the_distance_squared(depth: float) -> None:
    noisy = with_noise(wall(depth), 0.004, rng())
    assert noisy.std() == pytest.approx(0.004 * depth**2, rel=0.02)
    assert noisy.mean() == pytest.approx(depth, abs=4 * 0.004 * depth**2 / np.sqrt(noisy.size))


def test_noise_neither_fills_holes_nor_makes_them() -> None:
    image = wall(3.0)
    image[:, :50] = 0.0
    noisy = with_noise(image, 0.5, rng())  # absurdly noisy: some values would turn negative
    assert (noisy[:, :50] == 0.0).all()
    assert (noisy[:, 50:] > 0.0).all()


def test_random_holes_have_the_given_share() -> None:
    for share in (0.0, 0.01, 0.3, 1.0):
        lost = (with_holes(wall(2.0), 0.0, share, rng()) == 0.0).mean()
        assert lost == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / wall(2.0).size))


def test_edges_are_the_two_pixels_beside_a_step_and_nothing_else() -> None:
    expected = np.zeros((60, 106), bool)
    expected[10:30, [39, 40, 59, 60]] = True
    expected[[9, 10, 29, 30], 40:60] = True
    assert np.array_equal(edges(step_image()), expected)


def test_a_slanted_floor_is_no_edge() -> None:
    # Seen from 0.385 m above, 22.5 deg down, 106 x 60. Far away, a row is much deeper than the one below it.
    rows = (np.arange(60) - 29.5) / 55.85
    down = np.sin(0.3927) + rows * np.cos(0.3927)
    floor = np.repeat(np.where(down > 0.004, 0.385 / np.maximum(down, 0.004), 0.0)[:, None], 106, axis=1)
    floor = floor.astype(np.float32)
    seen = floor[floor[:, 0] > 0.0, 0]
    assert (-np.diff(seen) / seen[1:]).max() > 0.3
    assert not edges(floor).any()


def test_edge_holes_stay_at_edges_and_add_to_random_ones() -> None:
    image = np.tile(step_image(), (8, 4))
    only = with_holes(image, 0.5, 0.0, rng())
    assert not (only == 0.0)[~edges(image)].any()
    assert (only == 0.0)[edges(image)].mean() == pytest.approx(0.5, abs=0.03)
    both = with_holes(image, 0.5, 0.2, rng())
    assert (both == 0.0)[~edges(image)].mean() == pytest.approx(0.2, abs=0.01)
    assert (both == 0.0)[edges(image)].mean() == pytest.approx(1 - 0.5 * 0.8, abs=0.03)


def test_left_band_is_as_wide_as_the_disparity() -> None:
    # 56 px focal length, 50 mm baseline: 2.8 px at 1 m, 14 px at 0.2 m, under 1 px at 3 m.
    widths = {depth: int(left_band(wall(depth, (4, 106)), 56.0 * 0.05)[0].sum()) for depth in (0.2, 1.0, 3.0)}
    assert widths == {0.2: 14, 1.0: 3, 3.0: 1}
    assert int(left_band(wall(1.0, (4, 106)), 2.0)[0].sum()) == 2


def test_range_cuts_both_ends() -> None:
    image = np.array([[0.0, 0.1, 0.28, 1.0, 10.0, 10.1]], np.float32)
    cut = within(image, 0.28, FAR)
    assert cut.tolist() == [[0.0, 0.0, np.float32(0.28), 1.0, 10.0, 0.0]]


def test_a_perfect_camera_changes_nothing_within_its_range() -> None:
    image = step_image()
    assert np.array_equal(apply(image, DepthFaults(), FAR, rng()), image)


def test_every_fault_takes_part_in_the_whole() -> None:
    image = step_image()
    image[:, :50] = 0.2
    for name, value in (
        ("noise", 0.01),
        ("hole_edges", 0.5),
        ("hole_random", 0.1),
        ("blind_band", 0.28),
        ("left_band", 2.8),
    ):
        assert not np.array_equal(apply(image, DepthFaults(**{name: value}), FAR, rng()), image), name
    assert (apply(image, DepthFaults(blind_band=0.28), FAR, rng())[:, :50] == 0.0).all()


def test_the_seed_alone_decides() -> None:
    faults = DepthFaults(noise=0.01, hole_edges=0.5, hole_random=0.1)
    one, same, other = (apply(step_image(), faults, FAR, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.dtype == np.float32


@given(st.floats(0, 5), st.floats(0, 1), st.floats(0, 1), st.floats(0, 2), st.integers(0, 100))
def test_every_pixel_is_0_or_within_the_range(noise: float, e: float, r: float, blind: float, seed: int) -> None:
    image = step_image()
    image[:5] = 0.0
    image[5:8] = 40.0
    result = apply(image, DepthFaults(noise, e, r, blind), FAR, rng(seed))
    assert np.isfinite(result).all()
    assert ((result == 0.0) | ((result >= np.float32(blind)) & (result <= FAR))).all()
    assert (result[:5] == 0.0).all(), "no return stays no return"


@pytest.mark.parametrize(
    ("name", "value"), [("noise", -0.1), ("hole_random", 1.1), ("blind_band", float("nan")), ("noise", float("inf"))]
)
def test_senseless_faults_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name}; found {value}; valid: 0 to"):
        DepthFaults(**{name: value})
