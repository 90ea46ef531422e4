"""Draws of what lies between a command and the torque: gains, strength and delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array
from sim2real.randomization.ranges import Randomization


@dataclass
class Actuators:
    """One row per robot; rows are redrawn when an episode starts."""

    stiffness: Array  # (envs, n) factor
    damping: Array  # (envs, n) factor
    strength: Array  # (envs, n) factor
    delay: npt.NDArray[np.int64]  # (envs,) [robot cycles] from state to torque
    state_delay: npt.NDArray[np.int64]  # (envs,) [robot cycles], age of the state that is seen


def draw_actuators(ranges: Randomization, count: int, joints: int, rng: np.random.Generator) -> Actuators:
    """Draw ``count`` robots of ``joints`` joints."""
    nominal = rng.random(count) < ranges.delay_nominal
    return Actuators(
        stiffness=rng.uniform(*ranges.stiffness, (count, joints)),
        damping=rng.uniform(*ranges.damping, (count, joints)),
        strength=rng.uniform(*ranges.motor_strength, (count, joints)),
        delay=_cycles(ranges.delay_cycles, nominal, rng),
        state_delay=_cycles(ranges.state_delay_cycles, nominal, rng),
    )


def _cycles(limits: tuple[int, int], nominal: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return whole numbers between the limits, inclusive; the lower one where ``nominal``."""
    low, high = limits
    return np.asarray(np.where(nominal, low, rng.integers(low, high + 1, len(nominal))))


def redraw(actuators: Actuators, rows: npt.NDArray[np.bool_], ranges: Randomization, rng: np.random.Generator) -> None:
    """Replace the rows where ``rows`` is true by new draws, in place."""
    fresh = draw_actuators(ranges, int(rows.sum()), actuators.stiffness.shape[1], rng)
    actuators.stiffness[rows] = fresh.stiffness
    actuators.damping[rows] = fresh.damping
    actuators.strength[rows] = fresh.strength
    actuators.delay[rows] = fresh.delay
    actuators.state_delay[rows] = fresh.state_delay
