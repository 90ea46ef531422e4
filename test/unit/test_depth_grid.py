"""From a device's pixels to the profile's grid: on the rays, without mixing depths."""

from __future__ import annotations

import numpy as np
import pytest

from robot_policies.cameras.camera import intrinsics
from robot_policies.cameras.depth_grid import DepthGrid
from robot_policies.contract import DepthIntrinsics
from robot_policies.sensor_spec import load_depth_sensor

D435 = intrinsics(load_depth_sensor("d435"))
NOMINAL = DepthIntrinsics(width=848, height=480, fx=8 * D435.fx, fy=8 * D435.fy, cx=423.5, cy=239.5)


def image(value: int = 0) -> np.ndarray:
    return np.full((480, 848), value, np.uint16)


def plane(k: DepthIntrinsics, slope_x: float, slope_y: float) -> np.ndarray:
    """Return the depth [mm] of the plane z = 2 + a x + b y that each pixel sees, to a tenth of a millimetre."""
    rays_x = (np.arange(k.width) - k.cx) / k.fx
    rays_y = (np.arange(k.height) - k.cy) / k.fy
    return 2000.0 / (1.0 - slope_x * rays_x[None, :] - slope_y * rays_y[:, None])


def test_a_pixel_is_the_centre_of_its_eight_by_eight_block() -> None:
    """Only the four pixels around the centre of a block count; any other of the 64 does not."""
    grid = DepthGrid(NOMINAL, D435)
    for row, column, seen in ((3, 3, True), (3, 4, True), (4, 3, True), (4, 4, True), (2, 3, False), (4, 5, False)):
        raw = image()
        raw[8 * 20 + row, 8 * 30 + column] = 1500
        depth = grid(raw, 0.001)
        assert depth[20, 30] == pytest.approx(1.5 if seen else 0.0)
        assert np.count_nonzero(depth) == int(seen)


def test_size_unit_and_dtype() -> None:
    depth = DepthGrid(NOMINAL, D435)(image(25_000), 0.0001)
    assert (depth.shape, depth.dtype) == ((60, 106), np.float32)
    np.testing.assert_allclose(depth, 2.5, rtol=1e-6)
    assert DepthGrid(NOMINAL, D435).outside == 0.0


@pytest.mark.parametrize(
    ("corners", "expected"),
    [((0, 0, 0, 0), 0), ((0, 0, 900, 0), 900), ((900, 0, 3000, 0), 900), ((900, 3000, 3000, 0), 3000),
     ((900, 900, 3000, 3000), 900), ((900, 1000, 1100, 3000), 1000), ((65535, 0, 0, 0), 65535)],
)  # fmt: skip
def test_the_lower_median_of_those_with_a_return(corners: tuple[int, ...], expected: int) -> None:
    raw = image()
    raw[163:165, 243:245] = np.reshape(corners, (2, 2))
    assert DepthGrid(NOMINAL, D435)(raw, 0.001)[20, 30] == pytest.approx(expected / 1000.0)


def test_no_depth_is_made_up_at_an_edge() -> None:
    raw = image(1000)
    raw[:, 400:] = 4000
    assert set(np.unique(np.round(DepthGrid(NOMINAL, D435)(raw, 0.001), 3)).tolist()) == {1.0, 4.0}


@pytest.mark.parametrize(
    "device",
    [
        NOMINAL,
        DepthIntrinsics(width=848, height=480, fx=421.3, fy=420.8, cx=427.9, cy=237.2),  # of one real device
        DepthIntrinsics(width=640, height=480, fx=382.0, fy=382.0, cx=319.5, cy=239.5),
        DepthIntrinsics(width=424, height=240, fx=223.4, fy=223.4, cx=211.5, cy=119.5),  # NOMINAL, decimated by 2
    ],
)
def test_any_pinhole_sees_a_slanted_plane_as_the_profile_would(device: DepthIntrinsics) -> None:
    grid = DepthGrid(device, D435)
    truth = plane(D435, 0.3, -0.5) / 1000.0
    seen = grid(np.round(plane(device, 0.3, -0.5)).astype(np.uint16), 0.001)
    inside = seen > 0
    assert inside.mean() == pytest.approx(1.0 - grid.outside)
    # Half a pixel of the device at most, and half a millimetre.
    assert np.abs(seen - truth)[inside].max() < 0.02
    assert np.abs((seen - truth)[inside].mean()) < 0.003


def test_what_the_device_does_not_see_has_no_return() -> None:
    narrow = DepthIntrinsics(width=848, height=480, fx=600.0, fy=446.8, cx=423.5, cy=239.5)
    grid = DepthGrid(narrow, D435)
    depth = grid(image(1000), 0.001)
    assert grid.outside == pytest.approx(1.0 - 78 / 106)
    assert np.flatnonzero(depth[0]).tolist() == list(range(14, 92))
