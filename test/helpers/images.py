"""Depth images of a floor for offline runs: good ones at 30 Hz, with noise, 60 ms old as they come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from robot_policies.types import DepthImage, RobotState, owned

PERIOD, DELAY = 35_000_000, 60_000_000  # [ns]: seven cycles of 5 ms
SHAPE = (60, 106)


def floor(stamp_ns: int, seed: int = 0) -> DepthImage:
    """Return an image that no other stamp has."""
    rows = np.linspace(1.8, 0.4, SHAPE[0])[:, None] + np.zeros(SHAPE)
    noise = np.random.default_rng((seed, abs(stamp_ns))).normal(0.0, 0.003, SHAPE)
    return DepthImage(stamp_ns, owned(rows + noise, np.float32))


def camera(works: Callable[[int], bool] = lambda stamp_ns: True) -> Callable[[RobotState], Mapping[str, DepthImage]]:
    """Return cameras of an offline run; nothing comes out while ``works`` (of the state's stamp) says no."""

    def images(state: RobotState) -> Mapping[str, DepthImage]:
        due = state.stamp_ns % PERIOD == 0 and works(state.stamp_ns)
        return {"front": floor(state.stamp_ns - DELAY)} if due else {}

    return images
