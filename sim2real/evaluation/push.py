"""Pushes: sudden changes of the base's velocity, as training has them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Velocity = tuple[float, float, float]


@dataclass(frozen=True)
class Push:
    """A sudden change of velocity. The linear part is in the world, as horizontal as it is given."""

    at_s: float  # [s] after activation
    linear: Velocity  # [m/s] in the world
    angular: Velocity = (0.0, 0.0, 0.0)  # [rad/s] in the base frame


def push_round(speed: float, seed: int, seeds: int, earliest: float, window: float) -> Push:
    """Return the push of one of ``seeds`` episodes: their directions are spread evenly over the circle.

    Args:
        speed: of the push [m/s].
        seed: of the episode, from 0 to seeds - 1.
        seeds: how many there are.
        earliest: [s] after activation.
        window: [s] after that, within which the seed draws the moment: more than a gait cycle.
    """
    angle = 2.0 * math.pi * seed / seeds
    at_s = earliest + float(np.random.default_rng((seed, 3)).uniform(0.0, window))
    return Push(at_s, (speed * math.cos(angle), speed * math.sin(angle), 0.0))
