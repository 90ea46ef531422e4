"""The actor's and the critic's observation for all robots at once.

The tests hold the actor's to ``robot_policies.observation``, robot by robot: what is trained is what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from robot_policies.types import Array, Array32
from sim2real.training.motion import Bools, Gait, Motion
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

# Where the critic sees the ground, in the frame of the robot's heading [m]
SCAN_X = (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6)
SCAN_Y = (-0.4, -0.2, 0.0, 0.2, 0.4)
SCAN_POINTS = np.array([(x, y) for x in SCAN_X for y in SCAN_Y])

# Scales that bring the critic's extra values near 1: forces no, velocities 2 (legged_gym), heights 10.
_LIN_VEL_SCALE = 2.0
_HEIGHT_SCALE = 10.0
_SCAN_SCALE = 5.0


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


class Past:
    """The frames of all robots at the ages that a task lists; a robot that starts anew has only its first frame."""

    def __init__(self, ages: Sequence[int], robots: int, size: int) -> None:
        """Keep what the oldest of ``ages`` [control steps] needs."""
        self._ages = tuple(ages)
        self._frames = np.zeros((max(ages) + 1, robots, size), dtype=np.float32)  # newest first

    def push(self, frame: Array32, first: Bools) -> Array32:
        """Add the newest frame (N, size) and return those of all ages, (N, ages * size).

        Args:
            frame: the present.
            first: (N,) robots that have just started.
        """
        self._frames = np.roll(self._frames, 1, axis=0)
        self._frames[0] = frame
        self._frames[:, first] = frame[first]
        return np.concatenate([self._frames[age] for age in self._ages], axis=1)


def critic_extras(motion: Motion, hidden: Array) -> Array32:
    """Return what only the critic sees, (N, 3 + f + f + 1 + hidden + points).

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
        _SCAN_SCALE * motion.scan,
    )
    return np.concatenate(parts, axis=1).astype(np.float32)
