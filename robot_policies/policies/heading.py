"""A heading to follow, made of the yaw rates that an operator commands."""

from __future__ import annotations

import math

from robot_policies.types import Array, VelocityCommand


class HeadingCommand:
    """The heading at activation plus the integral of the commanded yaw rate.

    A command that leads farther away than ``limit`` is not counted while the robot cannot follow: else the heading
    would run ahead of it, and come from the other side in the end. A robot that is pushed aside still turns back.
    """

    def __init__(self, limit: float, period: int, control_dt: float) -> None:
        """Set how the error is given.

        Args:
            limit: largest error [rad].
            period: ticks for which an error is held.
            control_dt: of the policy [s].
        """
        self._limit, self._period, self._control_dt = limit, period, control_dt
        self.reset()

    def reset(self) -> None:
        """Take the heading of the next tick."""
        self._heading: float | None = None
        self._error = 0.0

    def __call__(self, quat_wxyz: Array, command: VelocityCommand | None, tick: int) -> float:
        """Return the error, heading minus yaw, [rad], positive to the left, within +-``limit``.

        Args:
            quat_wxyz: (4,) rotates base to world.
            command: of this tick; None turns no more.
            tick: 0 at activation.
        """
        yaw = yaw_of(quat_wxyz)
        if self._heading is None:
            self._heading = yaw
        else:
            turn = 0.0 if command is None else command.ang_vel_z * self._control_dt
            if abs(wrapped(self._heading - yaw)) <= self._limit or turn * wrapped(self._heading - yaw) < 0.0:
                self._heading += turn
        if tick % self._period == 0:
            self._error = max(-self._limit, min(self._limit, wrapped(self._heading - yaw)))
        return self._error


def yaw_of(quat_wxyz: Array) -> float:
    """Return the yaw of base-to-world, of the order yaw, pitch, roll [rad]."""
    w, x, y, z = quat_wxyz.tolist()
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def wrapped(angle: float) -> float:
    """Return ``angle`` [rad] in -pi to pi."""
    return math.atan2(math.sin(angle), math.cos(angle))
