"""What an operator may ask of the base: one range per axis, and how a stick or a key moves within it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from robot_policies.exceptions import InputError, expected


class Velocity(NamedTuple):
    """A velocity in the base frame."""

    lin_vel_x: float = 0.0  # [m/s]
    lin_vel_y: float = 0.0  # [m/s]
    ang_vel_z: float = 0.0  # [rad/s]


ZERO = Velocity()
# What the shipped policies take; the bundle clamps to its own ranges in any case. [m/s], [m/s], [rad/s]
RANGE_DEFAULTS = (
    ("lin_vel_x", [-0.5, 1.0]),
    ("lin_vel_y", [-0.5, 0.5]),
    ("ang_vel_z", [-1.0, 1.0]),
)


@dataclass(frozen=True, slots=True)
class VelocityRanges:
    """Lowest and highest value per axis; zero lies within each."""

    lin_vel_x: tuple[float, float]  # [m/s]
    lin_vel_y: tuple[float, float]  # [m/s]
    ang_vel_z: tuple[float, float]  # [rad/s]

    def clamp(self, velocity: Velocity) -> Velocity:
        """Return ``velocity`` with every axis moved into its range."""
        pairs = (self.lin_vel_x, self.lin_vel_y, self.ang_vel_z)
        return Velocity(*(min(max(value, low), high) for value, (low, high) in zip(velocity, pairs, strict=True)))

    def scaled(self, deflection: Velocity) -> Velocity:
        """Return the velocity for stick deflections from -1 (low end of the range) over 0 (zero) to 1 (high end)."""
        pairs = (self.lin_vel_x, self.lin_vel_y, self.ang_vel_z)
        values = (high * d if d > 0.0 else -low * d for d, (low, high) in zip(deflection, pairs, strict=True))
        return Velocity(*values)


def velocity_range(name: str, values: Sequence[float]) -> tuple[float, float]:
    """Return a parameter's two numbers as a range around zero.

    Raises:
        InputError: not two finite numbers with zero between them.
    """
    if len(values) != 2 or not all(math.isfinite(v) for v in values) or not values[0] <= 0.0 <= values[1]:
        found = ", ".join(str(v) for v in values) or "nothing"
        raise InputError(expected(f"{name}: lowest, highest", found, "two finite numbers around zero, as [-0.5, 1.0]"))
    return float(values[0]), float(values[1])
