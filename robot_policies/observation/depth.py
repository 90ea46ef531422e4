"""The depth pipeline: a camera image becomes the network's image. Pure, and the same for training and robot.

The resize is separable, ``rows @ image @ columns.T``, with weights made once. Conventions are those of
``torch.nn.functional.interpolate``, with ``align_corners=False`` and no antialiasing: ``nearest`` takes pixel
floor(i * in / out); ``bilinear`` and ``bicubic`` (Keys' kernel, a = -0.75, as in OpenCV too) sample at
(i + 0.5) * in / out - 0.5 with the border repeated; ``area`` is the mean over floor(i * in / out) to
ceil((i + 1) * in / out), which is adaptive average pooling.
"""

from __future__ import annotations

import math

import numpy as np

from robot_policies.contract import Depth
from robot_policies.exceptions import InputError, expected
from robot_policies.types import Array, Array32, DepthImage, owned

_KEYS_A = -0.75  # torch's and OpenCV's choice for bicubic interpolation


def resize_weights(size_in: int, size_out: int, interpolation: str) -> Array:
    """Return the weights (size_out, size_in) of one axis; every row sums to 1.

    Args:
        size_in: pixels along the axis before.
        size_out: pixels along the axis after.
        interpolation: nearest, bilinear, bicubic or area.
    """
    weights = np.zeros((size_out, size_in))
    for row in range(size_out):
        for pixel, weight in _taps(row, size_in, size_out, interpolation):
            weights[row, min(max(pixel, 0), size_in - 1)] += weight
    return weights


def _taps(row: int, size_in: int, size_out: int, interpolation: str) -> list[tuple[int, float]]:
    if interpolation == "nearest":
        return [(row * size_in // size_out, 1.0)]
    if interpolation == "area":
        start, stop = row * size_in // size_out, -(-(row + 1) * size_in // size_out)
        return [(pixel, 1.0 / (stop - start)) for pixel in range(start, stop)]
    centre = (row + 0.5) * size_in / size_out - 0.5
    if interpolation == "bilinear":
        centre = max(centre, 0.0)
        first = math.floor(centre)
        return [(first, 1.0 - (centre - first)), (first + 1, centre - first)]
    first = math.floor(centre)
    return [(first + tap, _keys(centre - first - tap)) for tap in (-1, 0, 1, 2)]


def _keys(distance: float) -> float:
    """Return Keys' cubic convolution kernel."""
    x, a = abs(distance), _KEYS_A
    if x <= 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    return a * (((x - 5.0) * x + 8.0) * x - 4.0) if x < 2.0 else 0.0


class DepthPipeline:
    """Steps in order: size and dtype checked, pixels without return replaced, clip, crop, resize, normalise.

    A pixel without return is 0, negative or not finite. It becomes ``near`` or ``far``, or, with ``zero``, 0 m that
    the clip leaves alone.
    """

    def __init__(self, name: str, depth: Depth) -> None:
        """Make the weights of both axes.

        Args:
            name: of the bundle's depth input, for messages.
            depth: its description; sizes and crop already checked.
        """
        self._name = name
        self._depth = depth
        self._shape = (depth.intrinsics.height, depth.intrinsics.width)
        top, bottom, left, right = depth.crop
        self._crop = (slice(top, self._shape[0] - bottom), slice(left, self._shape[1] - right))
        cropped = (self._shape[0] - top - bottom, self._shape[1] - left - right)
        self._rows = resize_weights(cropped[0], depth.size[0], depth.interpolation)
        self._columns = resize_weights(cropped[1], depth.size[1], depth.interpolation).T.copy()
        nearest = np.ix_(self._rows.argmax(axis=1), self._columns.argmax(axis=0))
        self._taken = (slice(None), *nearest) if depth.interpolation == "nearest" else None
        self._without_return = {"near": depth.near, "far": depth.far, "zero": 0.0}[depth.invalid]

    def __call__(self, image: DepthImage) -> Array32:
        """Return the network's image, flattened row by row, (height * width,).

        Raises:
            InputError: the image has another size or dtype than the bundle was made for.
        """
        raw = image.depth
        if raw.shape != self._shape or raw.dtype != np.float32:
            raise InputError(
                expected(
                    f"depth {self._name}: a float32 image of {self._shape} (height, width)",
                    f"{raw.dtype} of {raw.shape}",
                    "the camera that the bundle names, with its intrinsics",
                )
            )
        return owned(self.many(raw[None])[0], np.float32)

    def many(self, images: Array32) -> Array32:
        """Return the network's images (N, height * width) of the camera's images (N, h, w), all of the right size."""
        # Crop first: it commutes with the pixel-wise steps.
        pixels = images[(slice(None), *self._crop)].astype(np.float64)
        missing = ~(np.isfinite(pixels) & (pixels > 0.0))
        pixels[missing] = self._depth.near
        np.clip(pixels, self._depth.near, self._depth.far, out=pixels)
        pixels[missing] = self._without_return
        resized = self._resized(pixels)
        return np.asarray((self._depth.scale * resized + self._depth.offset).reshape(len(images), -1), np.float32)

    def _resized(self, pixels: Array) -> Array:
        if self._taken is not None:  # every weight 0 or 1: the same numbers, without the products
            return np.asarray(pixels[self._taken])
        return np.asarray(self._rows @ pixels @ self._columns)
