"""The motor boards: they hold the newest command, and brake when none comes any more."""

from __future__ import annotations

import numpy as np

from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array
from sim2real.firmware.readings import MotorCommand
from sim2real.mujoco.plant import motor_limits, motor_torque

# Of a motor that is not in servo mode, with its windings shorted. The vendor's headers call mode 0 BRAKE; how strong
# it is nobody publishes: an estimate, with which a Go2 sinks from its stand in about a second.
BRAKE = 1.0  # [N m s/rad]

# Without a command for this long, motors brake. That they stop is known from robots whose client died; the time is an
# assumption, and an option.
TIMEOUT = 0.1  # [s]


class MotorBoards:
    """Twelve motors of a robot, limited as ``plant`` says."""

    def __init__(self, spec: RobotSpec, timeout: float = TIMEOUT) -> None:
        """Brake until the first command; ``timeout`` [s]."""
        self._limits = motor_limits(spec)
        self._timeout = timeout
        self._command: MotorCommand | None = None
        self._age = 0.0

    def take(self, command: MotorCommand) -> None:
        """Hold ``command`` from now on."""
        self._command, self._age = command, 0.0

    def drop(self) -> None:
        """Forget the command: whoever sent it has gone."""
        self._command = None

    @property
    def command(self) -> MotorCommand | None:
        """What is held and not too old."""
        return self._command if self._age <= self._timeout else None

    def torque(self, pos: Array, vel: Array, seconds: float) -> Array:
        """Return what the motors give [N m] at ``pos`` [rad] and ``vel`` [rad/s], and let ``seconds`` pass."""
        command = self.command
        self._age += seconds
        if command is None:
            return motor_torque(pos, vel, 0.0, 0.0, 0.0, 0.0, BRAKE, self._limits)
        on = command.servo
        return motor_torque(
            pos,
            vel,
            command.pos,
            np.where(on, command.vel, 0.0),
            np.where(on, command.effort, 0.0),
            np.where(on, command.stiffness, 0.0),
            np.where(on, command.damping, BRAKE),
            self._limits,
        )

    def servo(self) -> list[bool]:
        """Return which motors are in servo mode."""
        command = self.command
        return [False] * 12 if command is None else [bool(on) for on in command.servo]
