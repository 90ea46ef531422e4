"""A depth image in colours, and the scale that says which is how far. No ROS here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array

# From near to far; the lightness falls all the way, so that it can be read without colours too.
ANCHORS = ((255, 247, 188), (254, 196, 79), (236, 112, 20), (175, 50, 92), (98, 30, 122), (32, 18, 77))
NOTHING = (0, 0, 0)  # no return
STEPS = 256

Rgb = npt.NDArray[np.uint8]


def _table() -> Rgb:
    places = np.linspace(0.0, 1.0, len(ANCHORS))
    at = np.linspace(0.0, 1.0, STEPS)
    channels = [np.interp(at, places, [colour[i] for colour in ANCHORS]) for i in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


TABLE = _table()


def coloured(depth: npt.NDArray[np.float32] | Array, near: float, far: float) -> Rgb:
    """Return colours (h, w, 3) of distances (h, w) [m]; beyond ``far`` as at ``far``, black where nothing returns."""
    valid = np.isfinite(depth) & (depth > 0.0)
    share = np.clip((np.where(valid, depth, near) - near) / (far - near), 0.0, 1.0)
    picture: Rgb = TABLE[(share * (STEPS - 1)).round().astype(np.intp)]
    picture[~valid] = NOTHING
    return picture


def gradient() -> str:
    """Return the scale from near to far as a CSS gradient."""
    return "linear-gradient(to right," + ",".join(f"rgb({r},{g},{b})" for r, g, b in ANCHORS) + ")"
