"""Copies of a model that differ in friction, trunk mass and centre of mass."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from robot_policies.types import Array
from sim2real.randomization.ranges import Randomization


@dataclass(frozen=True)
class Bodies:
    """What was drawn, one row per body."""

    friction: Array  # (bodies,)
    added_mass: Array  # (bodies,) [kg]
    com_shift: Array  # (bodies, 3) [m], in the trunk's frame

    def rows(self, index: npt.NDArray[np.int64]) -> Bodies:
        """Return the bodies of ``index``."""
        return Bodies(self.friction[index], self.added_mass[index], self.com_shift[index])


def join_bodies(parts: Sequence[Bodies]) -> Bodies:
    """Return the rows of all parts, in order."""
    return Bodies(
        np.concatenate([part.friction for part in parts]),
        np.concatenate([part.added_mass for part in parts]),
        np.concatenate([part.com_shift for part in parts]),
    )


def draw_bodies(ranges: Randomization, count: int, rng: np.random.Generator) -> Bodies:
    """Draw ``count`` bodies."""
    shift = np.asarray(ranges.base_com)
    return Bodies(
        friction=rng.uniform(*ranges.friction, count),
        added_mass=rng.uniform(*ranges.base_mass, count),
        com_shift=rng.uniform(-shift, shift, (count, 3)),
    )


def vary(model: mujoco.MjModel, trunk: str, friction: float, added_mass: float, com_shift: Array) -> mujoco.MjModel:
    """Return a copy of ``model`` with other physics.

    The added mass sits at the trunk's centre of mass with its shape: the rotational inertia grows in proportion.
    The friction replaces that of every geom, so that it is also the friction of every contact.

    Args:
        model: the nominal model.
        trunk: name of the body that carries the mass.
        friction: sliding friction of every geom.
        added_mass: [kg].
        com_shift: (3,) [m], in the trunk's frame.
    """
    varied = copy.copy(model)
    body = varied.body(trunk).id
    mass = float(varied.body_mass[body])
    varied.body_mass[body] = mass + added_mass
    varied.body_inertia[body] *= (mass + added_mass) / mass
    varied.body_ipos[body] += com_shift
    varied.geom_friction[:, 0] = friction
    mujoco.mj_setConst(varied, mujoco.MjData(varied))
    return varied


def varied_models(model: mujoco.MjModel, trunk: str, bodies: Bodies) -> list[mujoco.MjModel]:
    """Return one copy of ``model`` per row of ``bodies``."""
    rows = zip(bodies.friction, bodies.added_mass, bodies.com_shift, strict=True)
    return [vary(model, trunk, float(friction), float(mass), shift) for friction, mass, shift in rows]
