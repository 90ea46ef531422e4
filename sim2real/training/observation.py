"""The actor's and the critic's observation for all robots at once.

The tests hold the actor's to ``robot_policies.observation``, robot by robot: what is trained is what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from robot_policies.types import Array, Array32
from sim2real.training.motion import Gait, Motion
from sim2real.training.task import ObservationTerm

_TERMS: Mapping[str, Callable[[Motion, Gait, Array], Array]] = MappingProxyType(
    {
        "base_ang_vel": lambda motion, gait, default: motion.base_ang_vel,
        "projected_gravity": lambda motion, gait, default: motion.gravity,
        "velocity_command": lambda motion, gait, default: gait.command,
        "joint_pos_rel": lambda motion, gait, default: motion.joint_pos - default,
        "joint_vel": lambda motion, gait, default: motion.joint_vel,
        "last_action": lambda motion, gait, default: gait.action,
    }
)

# Scales that bring the critic's extra values near 1: forces no, velocities 2 (legged_gym), heights 10.
_LIN_VEL_SCALE = 2.0
_HEIGHT_SCALE = 10.0


def actor_observation(
    terms: Sequence[ObservationTerm],
    motion: Motion,
    gait: Gait,
    default_joint_pos: Array,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Array32:
    """Return the scaled terms in order, (N, sum of sizes).

    Args:
        terms: the terms; joints are in robot order.
        motion: newest state.
        gait: command and last action.
        default_joint_pos: (n,) [rad].
        noise: factor on each term's uniform noise; 0 for none.
        rng: draws the noise; None for none.
    """
    parts = []
    for term in terms:
        values = _TERMS[term.term](motion, gait, default_joint_pos)
        if rng is not None and noise * term.noise > 0.0:
            values = values + rng.uniform(-noise * term.noise, noise * term.noise, values.shape)
        parts.append(term.scale * values)
    return np.concatenate(parts, axis=1).astype(np.float32)


def critic_extras(motion: Motion, hidden: Array) -> Array32:
    """Return what only the critic sees, (N, 3 + f + f + 1 + hidden).

    Args:
        motion: newest state.
        hidden: (N, h) what was randomised, each column near 1 in size and the same for a mirrored robot.
    """
    parts = (
        _LIN_VEL_SCALE * motion.base_lin_vel,
        motion.foot_contact.astype(float),
        _HEIGHT_SCALE * motion.foot_height,
        _HEIGHT_SCALE * (motion.height[:, None] - 0.3),
        hidden,
    )
    return np.concatenate(parts, axis=1).astype(np.float32)
