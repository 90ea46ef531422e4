"""The depth pipeline against Pillow, numpy written out, and (where it is installed) torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from robot_policies.contract import Depth
from robot_policies.exceptions import InputError
from robot_policies.observation.depth import DepthPipeline, resize_weights
from robot_policies.schema import parse
from robot_policies.types import DepthImage

WAYS = ("nearest", "bilinear", "bicubic", "area")
# Extreme Parkour's image (reference 1.5): 106 x 60, two rows off the bottom, four columns off each side, 58 x 87
PARKOUR: dict[str, Any] = {
    "sensor": "d435",
    "intrinsics": {"width": 106, "height": 60, "fx": 55.85, "fy": 55.85, "cx": 52.5, "cy": 29.5},
    "pose": {"position": [0.27, 0.0, 0.03], "pitch": 0.0},
    "crop": [0, 2, 4, 4],
    "size": [58, 87],
    "interpolation": "bicubic",
    "near": 0.0,
    "far": 2.0,
    "invalid": "far",
    "scale": 0.5,
    "offset": -0.5,
    "rate": 10.0,
    "delay": [0.08, 0.1],
}


def depth(**changes: Any) -> Depth:
    return parse(Depth, {**PARKOUR, **changes}, "test")


def pipeline(**changes: Any) -> DepthPipeline:
    return DepthPipeline("front", depth(**changes))


def small(height: int, width: int, **changes: Any) -> DepthPipeline:
    """A pipeline that only does what ``changes`` ask for."""
    intrinsics = {**PARKOUR["intrinsics"], "width": width, "height": height}
    plain = {"crop": [0, 0, 0, 0], "size": [height, width], "scale": 1.0, "offset": 0.0, "far": 100.0}
    return pipeline(intrinsics=intrinsics, **{**plain, **changes})


def image(values: Any) -> DepthImage:
    return DepthImage(0, np.asarray(values, dtype=np.float32))


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 3.0, (height, width)).astype(np.float32)


def pillow(values: np.ndarray, height: int, width: int, way: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((width, height), way))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("size_in", "size_out"), [(98, 87), (58, 58), (7, 20), (20, 7), (1, 3), (3, 1)])
def test_weights_sum_to_one(way: str, size_in: int, size_out: int) -> None:
    weights = resize_weights(size_in, size_out, way)
    assert weights.shape == (size_out, size_in)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_size_changes_nothing(way: str) -> None:
    np.testing.assert_allclose(resize_weights(9, 9, way), np.eye(9), atol=1e-12)


def test_bilinear_is_pillows_where_pixels_are_added() -> None:
    # Pillow smooths when it shrinks an image, the networks' training did not; enlarging is the same.
    values = scene(6, 9)
    made = small(6, 9, size=[17, 31], interpolation="bilinear")(image(values)).reshape(17, 31)
    np.testing.assert_allclose(made, pillow(values, 17, 31, Image.Resampling.BILINEAR), atol=1e-5)


def test_area_is_pillows_box_where_pixels_are_merged_whole() -> None:
    values = scene(12, 20)
    made = small(12, 20, size=[4, 5], interpolation="area")(image(values)).reshape(4, 5)
    np.testing.assert_allclose(made, pillow(values, 4, 5, Image.Resampling.BOX), atol=1e-5)


def test_nearest_takes_whole_pixels() -> None:
    values = scene(6, 10)
    made = small(6, 10, size=[3, 4], interpolation="nearest")(image(values)).reshape(3, 4)
    np.testing.assert_array_equal(made, values[np.ix_([0, 2, 4], [0, 2, 5, 7])])


def test_area_means_are_those_of_adaptive_pooling() -> None:
    values = scene(5, 7)
    made = small(5, 7, size=[2, 3], interpolation="area")(image(values)).reshape(2, 3)
    rows, columns = [(0, 3), (2, 5)], [(0, 3), (2, 5), (4, 7)]
    means = [[values[a:b, c:d].mean() for c, d in columns] for a, b in rows]
    np.testing.assert_allclose(made, means, rtol=1e-6)


def test_bicubic_follows_keys_kernel_with_a_repeated_border() -> None:
    def kernel(x: float, a: float = -0.75) -> float:
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    values = scene(1, 98)[0]
    made = small(1, 98, size=[1, 87], interpolation="bicubic")(image(values[None]))
    for i in range(87):
        centre = (i + 0.5) * 98 / 87 - 0.5
        taps = range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3)
        expected = sum(kernel(centre - tap) * values[min(max(tap, 0), 97)] for tap in taps)
        assert made[i] == pytest.approx(expected, abs=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize(("size_in", "size_out"), [((58, 98), (58, 87)), ((60, 106), (48, 64)), ((12, 9), (30, 31))])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_that_of_torch(way: str, size_in: tuple[int, int], size_out: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    values = scene(*size_in)
    more = {} if way in ("nearest", "area") else {"align_corners": False, "antialias": False}
    theirs = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], size_out, mode=way, **more)
    made = small(*size_in, size=list(size_out), interpolation=way)(image(values))
    np.testing.assert_allclose(made, theirs.numpy().reshape(-1), atol=1e-4)  # theirs is in single precision


def test_the_whole_of_extreme_parkours_steps() -> None:
    values = scene(60, 106)
    cropped = np.clip(values[:58, 4:102].astype(np.float64), 0.0, 2.0)
    resized = cropped @ resize_weights(98, 87, "bicubic").T
    made = pipeline()(image(values))
    np.testing.assert_allclose(made, (resized / 2.0 - 0.5).reshape(-1), atol=1e-6)
    assert made.dtype == np.float32
    assert made.shape == (58 * 87,)


def test_the_crop_is_top_bottom_left_right() -> None:
    values = np.arange(1.0, 31.0).reshape(5, 6)
    made = small(5, 6, crop=[1, 2, 3, 1], size=[2, 2])(image(values))
    np.testing.assert_allclose(made, values[1:3, 3:5].reshape(-1))


@pytest.mark.parametrize(("rule", "becomes"), [("far", 4.0), ("near", 0.3), ("zero", 0.0)])
@pytest.mark.parametrize("hole", [0.0, -1.0, float("nan"), float("inf"), -float("inf")])
def test_pixels_without_return_follow_the_rule(rule: str, becomes: float, hole: float) -> None:
    made = small(1, 3, near=0.3, far=4.0, invalid=rule)(image([[0.1, hole, 9.0]]))
    np.testing.assert_allclose(made, [0.3, becomes, 4.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.zeros((60, 105), np.float32), r"float32 of \(60, 105\)"),
        (np.zeros((106, 60), np.float32), r"float32 of \(106, 60\)"),
        (np.zeros((60, 106), np.float64), r"float64 of \(60, 106\)"),
        (np.zeros((60, 106), np.uint16), r"uint16 of \(60, 106\)"),
        (np.zeros((60, 106, 1), np.float32), r"float32 of \(60, 106, 1\)"),
    ],
)
def test_another_image_is_refused(values: np.ndarray, found: str) -> None:
    with pytest.raises(InputError, match=rf"depth front: a float32 image of \(60, 106\).*{found}"):
        pipeline()(DepthImage(0, values))


def test_the_image_is_left_alone_and_the_result_is_owned() -> None:
    values = scene(60, 106)
    values[0, 0] = np.nan
    before = values.copy()
    made = pipeline()(DepthImage(0, values))
    np.testing.assert_array_equal(values, before)
    kept = made.copy()
    values[:] = 1.0
    np.testing.assert_array_equal(made, kept)
    assert not made.flags.writeable
