"""The robot seen in a mirror: left and right exchanged. PPO learns from both, which makes the gait symmetric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import RobotError, expected
from robot_policies.types import Array
from sim2real.training.observation import SCAN_X, SCAN_Y
from sim2real.training.task import ObservationTerm

_AXIAL = (-1.0, 1.0, -1.0)  # of a rotation vector under y -> -y
_POLAR = (1.0, -1.0, 1.0)  # of a position or velocity under y -> -y
_PLANAR = (1.0, -1.0, -1.0)  # of a velocity command: vx, vy, wz


@dataclass(frozen=True)
class Mirror:
    """``mirrored = values[..., index] * sign``."""

    index: npt.NDArray[np.int64]
    sign: Array

    def __call__(self, values: Array) -> Array:
        """Return the mirrored values (..., size)."""
        return np.asarray(values[..., self.index] * self.sign)


def join(*mirrors: Mirror) -> Mirror:
    """Return the mirror of the concatenated values."""
    starts = np.cumsum([0, *(len(mirror.index) for mirror in mirrors[:-1])])
    index = np.concatenate([start + mirror.index for start, mirror in zip(starts, mirrors, strict=True)])
    return Mirror(index, np.concatenate([mirror.sign for mirror in mirrors]))


def named(names: Sequence[str], signs: Sequence[float]) -> Mirror:
    """Return the mirror of one value per name; the second letter of a name, L or R, is its side.

    Raises:
        RobotError: a name has no partner on the other side.
    """
    other = {"L": "R", "R": "L"}
    partners = [name[0] + other.get(name[1], name[1]) + name[2:] for name in names]
    lost = [name for name, partner in zip(names, partners, strict=True) if partner not in names or partner == name]
    if lost:
        raise RobotError(expected("mirror: names in pairs such as FL_, FR_", ", ".join(lost), list(names)))
    return Mirror(np.array([list(names).index(partner) for partner in partners]), np.asarray(signs, dtype=float))


def plain(signs: Sequence[float]) -> Mirror:
    """Return the mirror that exchanges nothing."""
    return Mirror(np.arange(len(signs)), np.asarray(signs, dtype=float))


def joint_mirror(joint_names: Sequence[str]) -> Mirror:
    """Return the mirror of one value per joint: hips (about x) change sign, thighs and calves (about y) do not."""
    return named(joint_names, [-1.0 if "hip" in name else 1.0 for name in joint_names])


def frame_mirror(terms: Sequence[ObservationTerm], joint_names: Sequence[str]) -> Mirror:
    """Return the mirror of one frame of the actor's observation."""
    joints = joint_mirror(joint_names)
    parts = {
        "base_ang_vel": plain(_AXIAL),
        "projected_gravity": plain(_POLAR),
        "velocity_command": plain(_PLANAR),
        "joint_pos_rel": joints,
        "joint_vel": joints,
        "last_action": joints,
    }
    return join(*(parts[term.term] for term in terms))


def actor_mirror(frame: Mirror, ages: int) -> Mirror:
    """Return the mirror of the actor's observation: frame after frame."""
    return join(*[frame] * ages)


def scan_mirror() -> Mirror:
    """Return the mirror of the heights at ``SCAN_POINTS``: y becomes -y."""
    rows, columns = len(SCAN_X), len(SCAN_Y)
    index = np.arange(rows * columns).reshape(rows, columns)[:, ::-1].ravel()
    return Mirror(index, np.ones(len(index)))


def critic_mirror(frame: Mirror, feet: Sequence[str], hidden: int) -> Mirror:
    """Return the mirror of the critic's observation: a frame, then ``observation.critic_extras``."""
    sides = named(feet, [1.0] * len(feet))
    return join(frame, plain(_POLAR), sides, sides, plain([1.0] * (1 + hidden)), scan_mirror())
