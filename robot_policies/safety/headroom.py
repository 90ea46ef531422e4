"""Whether a command is within every limit already: the usual case, told without clamping anything.

The filter asks this first and clamps only where the answer is no. It is the same arithmetic in the same order, so the
answer is yes exactly where clamping would change no bit, in half of the time: a call of numpy costs 0.25 us for a
contiguous row of any length up to a few hundred, and three times that for anything else, so all is laid out in rows.
Both sides of a limit are one: ``x`` above ``high`` is ``-x`` below ``-high``, and a change of sign does not round.
"""

from __future__ import annotations

import numpy as np

from robot_policies.safety.limits import SafetyLimits
from robot_policies.types import Array, JointCommand, RobotState


class Headroom:
    """Compares targets, rates and torques with the limits of one robot. Keeps nothing but room to compute in."""

    def __init__(self, limits: SafetyLimits, rounding: float) -> None:
        """Lay out the bounds; ``rounding`` [N m] is the torque over the limit that is arithmetic."""
        n = len(limits.joint_names)
        self._torque = limits.torque + rounding
        # velocity, effort, target, target, base, measured; and once more with the other sign, measured first
        self._values = np.zeros(12 * n)
        self._other = self._values[6 * n :]
        self._measured, self._base = self._values[5 * n : 7 * n], (self._at(4), self._at(11))
        self._least = np.full(12 * n, -np.inf)
        for side in (0, 7):
            self._least[side * n : (side + 2) * n] = np.concatenate([-limits.target_vel, -limits.torque])
        self._least_rate = (self._least[2 * n : 3 * n], self._least[9 * n : 10 * n])
        self._least_pos = (self._least[3 * n : 4 * n], self._least[10 * n : 11 * n])
        self._limits = np.concatenate([limits.lower, -limits.upper])
        self._slope = np.tile(limits.target_beyond / limits.target_soft, 2)
        self._beyond, self._none, self._room = np.tile(limits.target_beyond, 2), np.zeros(2 * n), np.zeros(2 * n)
        self._sides = tuple(zip(self._halves(self._limits), self._halves(self._room), self._least_pos, strict=True))
        self._below = np.zeros(12 * n, dtype=np.bool_)

    def __call__(self, command: JointCommand, state: RobotState, base: Array | None, step: Array | None) -> bool:
        """Return whether nothing is to be clamped; arguments as of ``SafetyFilter``."""
        vel, effort, pos, measured = command.joint_vel, command.joint_effort, command.joint_pos, state.joint_pos
        start = pos if base is None else base
        one, other = (vel, effort, pos, pos, start, measured), (measured, vel, effort, pos, pos, start)
        np.concatenate(one + other, out=self._values)
        np.negative(self._other, out=self._other)
        for place, least in zip(self._base, self._least_rate, strict=True):
            if base is None or step is None:
                least.fill(-np.inf)
            else:
                np.subtract(place, step, out=least)
        self._least_position()
        np.less(self._values, self._least, out=self._below)
        return not np.count_nonzero(self._below) and self._within_torque(command, state)

    def _least_position(self) -> None:
        """Set the lowest target, and minus the highest, that the measured position leaves room for."""
        room = self._room
        np.subtract(self._measured, self._limits, out=room)
        np.multiply(room, self._slope, out=room)
        np.maximum(room, self._none, out=room)
        np.minimum(room, self._beyond, out=room)
        for limit, beyond, least in self._sides:
            np.subtract(limit, beyond, out=least)

    def _within_torque(self, command: JointCommand, state: RobotState) -> bool:
        torque = command.joint_vel - state.joint_vel
        torque *= command.damping
        torque += command.joint_effort
        of_stiffness = command.joint_pos - state.joint_pos
        of_stiffness *= command.stiffness
        torque += of_stiffness
        return not np.count_nonzero(np.abs(torque) > self._torque)

    def _at(self, place: int) -> Array:
        n = self._values.size // 12
        return self._values[place * n : (place + 1) * n]

    @staticmethod
    def _halves(values: Array) -> tuple[Array, Array]:
        half = values.size // 2
        return values[:half], values[half:]
