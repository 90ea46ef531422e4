"""What a stereo depth camera does to perfect depth images, as pure functions of the images and a seeded generator.

Images are the last two axes, (..., h, w): one, or those of many cameras at once.

A pixel without return is 0, as on the wire. Figures for a D435 come from Intel's "Tuning depth cameras for best
performance": depth error (RMS) = distance^2 x subpixel / (focal length in px x baseline).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import InputError, expected
from robot_policies.types import Array32

NO_RETURN = np.float32(0.0)
# A plane's inverse depth is linear over the image, so its second difference is 0 and shows steps alone. 0.1 1/m is a
# step from 1 m to 1.11 m, or from 2 m to 2.5 m; the crease between floor and wall stays below it (0.05 at 106 x 60).
EDGE_STEP = 0.1  # [1/m]


@dataclass(frozen=True, slots=True)
class DepthFaults:
    """How much of each fault; all zero is a perfect camera."""

    noise: float = 0.0  # standard deviation at 1 m [m]; grows with the distance squared
    hole_edges: float = 0.0  # probability that a pixel at a depth edge has no return (stereo shadow)
    hole_random: float = 0.0  # probability that any pixel has no return
    blind_band: float = 0.0  # nearer than this [m] nothing is matched
    left_band: float = 0.0  # focal length x baseline [px m]: columns on the left that only one imager sees, times depth

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            top = 1.0 if field.name.startswith("hole_") else math.inf
            if not (math.isfinite(value) and 0.0 <= value <= top):
                raise InputError(expected(f"depth camera: {field.name}", value, f"0 to {top}"))


def with_noise(depth: Array32, deviation_at_1m: float, rng: np.random.Generator) -> Array32:
    """Return ``depth`` (..., h, w) [m] with independent Gaussian noise of ``deviation_at_1m * depth^2`` per pixel."""
    noise = rng.standard_normal(depth.shape, np.float32) * (np.float32(deviation_at_1m) * depth * depth)
    return np.where(depth > 0.0, np.maximum(depth + noise, np.float32(1e-6)), NO_RETURN)


def edges(depth: Array32, step: float = EDGE_STEP) -> npt.NDArray[np.bool_]:
    """Return (..., h, w) booleans: the pixels on both sides of a step in inverse depth of more than ``step`` [1/m].

    A pixel without return counts as infinitely far. Pixels on the border of the image have one neighbour only and
    never count along that axis.
    """
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=depth > 0.0)
    result = np.zeros(depth.shape, np.bool_)
    result[..., 1:-1] |= np.abs(np.diff(inverse, 2, axis=-1)) > step
    result[..., 1:-1, :] |= np.abs(np.diff(inverse, 2, axis=-2)) > step
    return result


def with_holes(depth: Array32, at_edges: float, anywhere: float, rng: np.random.Generator) -> Array32:
    """Return ``depth`` (..., h, w) with holes: of ``at_edges`` of the edge pixels and of ``anywhere`` of all pixels."""
    draw = rng.random(depth.shape, np.float32)
    lost = draw < anywhere
    if at_edges > 0.0:
        # Independent causes: a pixel survives only if neither takes it.
        lost |= edges(depth) & (draw < 1.0 - (1.0 - at_edges) * (1.0 - anywhere))
    return np.where(lost, NO_RETURN, depth)


def left_band(depth: Array32, focal_baseline: float, columns: Array32 | None = None) -> npt.NDArray[np.bool_]:
    """Return (..., h, w) booleans: pixels that only the left imager sees, in columns below ``focal_baseline / depth``.

    ``columns`` (w,) are the sensor's columns that the image has; None is all of them.
    """
    # Multiplied out: where nothing returned there is no depth to divide by.
    known = np.arange(depth.shape[-1]) if columns is None else columns
    return np.asarray(known * depth < np.float32(focal_baseline))


def within(depth: Array32, near: float, far: float) -> Array32:
    """Return ``depth`` with no return where it is nearer than ``near`` or farther than ``far`` [m]."""
    return np.where((depth >= near) & (depth <= far), depth, NO_RETURN)


def apply(
    depth: Array32, faults: DepthFaults, far: float, rng: np.random.Generator, columns: Array32 | None = None
) -> Array32:
    """Return the images that the camera gives for the perfect ``depth`` (..., h, w) [m].

    Args:
        depth: perfect.
        faults: how much of each.
        far: [m], range of the camera.
        rng: draws noise and holes.
        columns: (w,) the sensor's columns that the image has; None is all of them.
    """
    # Range comes after the noise, as the camera itself cuts what it measured; holes need the true edges.
    result = with_holes(depth, faults.hole_edges, faults.hole_random, rng)
    if faults.left_band > 0.0:
        result = np.where(left_band(depth, faults.left_band, columns), NO_RETURN, result)
    if faults.noise > 0.0:
        result = with_noise(result, faults.noise, rng)
    return within(result, faults.blind_band, far).astype(np.float32, copy=False)
