"""Clamps a well-formed command to what the robot may be asked for, and says what it changed.

In order: target velocity, feed-forward effort, rate of the target, position of the target, torque.

Position: to a joint PD a target beyond a joint's limit asks for a torque, and policies trained without such a clamp do
ask so in every stride. So a target may lie ``beyond`` a limit while the measured joint is ``soft`` or more away from
it; from there on the allowance shrinks, and at the limit nothing pushes further out.

Torque: one over its limit is first answered by moving the target towards the measured position until the torque fits;
what the position limits (or a stiffness of zero) leave over is taken off the feed-forward effort. So the command that
comes out never predicts more torque than the limit at the state it was checked against, whatever its gains.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import numpy.typing as npt

from robot_policies.safety.headroom import Headroom
from robot_policies.safety.limits import SafetyLimits
from robot_policies.types import Array, JointCommand, RobotState, owned

Mask = npt.NDArray[np.bool_]

KINDS = ("joint_vel", "joint_effort", "target_rate", "joint_pos", "torque")
ROUNDING = 1e-9  # [N m], below which a torque over the limit is arithmetic


class SafetyFilter:
    """The filter of one robot. Keeps only counters."""

    def __init__(self, limits: SafetyLimits) -> None:
        """Take the limits of the robot."""
        self._limits = limits
        self._slope = limits.target_beyond / limits.target_soft
        self._untouched = Headroom(limits, ROUNDING)
        self._names = {kind: [f"{kind} {name}" for name in limits.joint_names] for kind in KINDS}
        self._run = np.zeros(len(limits.joint_names), dtype=np.int64)  # cycles on end in which each joint was clamped
        self._running = False
        self.counts: Counter[str] = Counter()  # what was clamped, over all cycles

    def __call__(
        self, command: JointCommand, state: RobotState, base: Array | None = None, step: Array | None = None
    ) -> tuple[JointCommand, tuple[str, ...]]:
        """Return the safe command and what was clamped; ``command`` itself where nothing was.

        Args:
            command: finite and of the robot's size (``command_check``).
            state: the newest state, finite.
            base: target before this command, (n,) [rad], that the rate is measured from; None for no rate limit.
            step: largest change from ``base``, (n,) [rad].
        """
        if self._untouched(command, state, base, step):
            self._clear()
            return command, ()
        return self._clamped(command, state, base, step)

    def _clamped(
        self, command: JointCommand, state: RobotState, base: Array | None, step: Array | None
    ) -> tuple[JointCommand, tuple[str, ...]]:
        """Clamp; arguments and result as of the call."""
        limits = self._limits
        pos, vel, effort = command.joint_pos, command.joint_vel, command.joint_effort
        safe_vel = np.minimum(np.maximum(vel, -limits.target_vel), limits.target_vel)
        safe_effort = np.minimum(np.maximum(effort, -limits.torque), limits.torque)
        near = pos
        if base is not None and step is not None:
            near = np.minimum(np.maximum(pos, base - step), base + step)
        lower, upper = self._room(state.joint_pos)
        safe_pos = np.minimum(np.maximum(near, lower), upper)
        rest = command.damping * (safe_vel - state.joint_vel) + safe_effort
        torque = command.stiffness * (safe_pos - state.joint_pos) + rest
        over = np.abs(torque) > limits.torque + ROUNDING
        changed = (safe_vel != vel, safe_effort != effort, near != pos, safe_pos != near, over)
        if over.any():
            safe_pos, safe_effort = self._fit(command, state, safe_pos, safe_effort, rest, over)
        safe = dataclasses.replace(
            command, joint_pos=owned(safe_pos), joint_vel=owned(safe_vel), joint_effort=owned(safe_effort)
        )
        return safe, self._count(changed)

    def clamped_for_long(self) -> str | None:
        """Name the joints that were clamped in each of the last ``clamp_cycles`` cycles, if any."""
        if not self._running:
            return None
        long = self._run >= self._limits.clamp_cycles
        if not long.any():
            return None
        joints = ", ".join(self._limits.joint_names[i] for i in np.flatnonzero(long))
        return f"{joints} clamped for {self._limits.clamp_cycles} cycles on end"

    def reset(self) -> None:
        """Forget how long joints have been clamped, as another mode begins. The counts stay."""
        self._clear()

    def _room(self, joint_pos: Array) -> tuple[Array, Array]:
        """Return the lowest and highest target, (n,) [rad], that the measured ``joint_pos`` leaves room for."""
        limits = self._limits
        below = np.minimum(np.maximum((joint_pos - limits.lower) * self._slope, 0.0), limits.target_beyond)
        above = np.minimum(np.maximum((limits.upper - joint_pos) * self._slope, 0.0), limits.target_beyond)
        return limits.lower - below, limits.upper + above

    def _clear(self) -> None:
        if self._running:
            self._run[:] = 0
            self._running = False

    def _fit(
        self, command: JointCommand, state: RobotState, pos: Array, effort: Array, rest: Array, over: Mask
    ) -> tuple[Array, Array]:
        """Return targets and efforts that bring the joints ``over`` their torque limit to it; the others stay."""
        limits = self._limits
        stiffness = command.stiffness
        torque = stiffness * (pos - state.joint_pos) + rest
        wanted = np.minimum(np.maximum(torque, -limits.torque), limits.torque)
        movable = over & (stiffness > 0.0)
        moved = pos.copy()
        with np.errstate(over="ignore"):  # a tiny stiffness asks for a target far away, which is clamped below
            reach = (wanted[movable] - rest[movable]) / stiffness[movable]
        moved[movable] = state.joint_pos[movable] + reach
        lower, upper = self._room(state.joint_pos)
        moved = np.minimum(np.maximum(moved, lower), upper)
        left = stiffness * (moved - state.joint_pos) + rest - wanted
        return moved, np.where(over & (np.abs(left) > ROUNDING), effort - left, effort)

    def _count(self, changed: tuple[Mask, ...]) -> tuple[str, ...]:
        names = tuple(
            self._names[kind][i] for kind, mask in zip(KINDS, changed, strict=True) for i in np.flatnonzero(mask)
        )
        clamped = np.logical_or.reduce(changed)
        self._run[clamped] += 1
        self._run[~clamped] = 0
        self._running = True
        self.counts.update(names)
        return names
