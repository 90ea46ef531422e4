"""Depth images of a floor, as a Go2 that stands sees it, for offline runs: good ones at 30 Hz, with noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from robot_policies.types import DepthImage, RobotState, owned

PERIOD, DELAY = 35_000_000, 60_000_000  # [ns]: seven cycles of 5 ms; how old an image is as it comes out
SHAPE, FOCAL = (60, 106), 55.85
ABOVE, PITCH, FAR = 0.365, 0.3927, 2.5  # [m] of the lens above the floor, [rad] that it looks down, [m] of the sky


def floor(stamp_ns: int, seed: int = 0) -> DepthImage:
    """Return an image that no other stamp has."""
    down = np.sin(PITCH) + np.cos(PITCH) * (np.arange(SHAPE[0]) - SHAPE[0] / 2 + 0.5) / FOCAL
    rows = np.minimum(ABOVE / np.maximum(down, 0.01), FAR)[:, None] + np.zeros(SHAPE)
    noise = np.random.default_rng((seed, abs(stamp_ns))).normal(0.0, 0.003, SHAPE)
    return DepthImage(stamp_ns, owned(rows + noise, np.float32))


def camera(
    works: Callable[[int], bool] = lambda stamp_ns: True, name: str = "front", delay_ns: int = DELAY
) -> Callable[[RobotState], Mapping[str, DepthImage]]:
    """Return cameras of an offline run; nothing comes out while ``works`` (of the state's stamp) says no."""

    def images(state: RobotState) -> Mapping[str, DepthImage]:
        due = state.stamp_ns % PERIOD == 0 and works(state.stamp_ns)
        return {name: floor(state.stamp_ns - delay_ns)} if due else {}

    return images
