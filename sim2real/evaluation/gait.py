"""How hard and how a robot works, from the records alone."""

from __future__ import annotations

import math

import numpy as np

from robot_policies.types import Array, RobotRecord

# [N] A foot has come down when its force passes the first and is up when it falls below the second: 20 and 5 standard
# deviations of the Go2's foot sensors, and an eighth of what a foot carries at rest.
FOOT_DOWN, FOOT_UP = 20.0, 5.0


class Gait:
    """Torque, energy, steps and clamps of the active cycles."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._cycles, self._clamped, self._touchdowns = 0, 0, 0.0
        self._seconds = self._height = self._effort_squares = self._energy = self._peak = 0.0
        self._down: list[bool] | None = None

    def add(self, record: RobotRecord, height: float, dt: float) -> None:
        """Take a cycle of ``dt`` [s], with the base ``height`` [m] over the floor of the world."""
        state = record.state
        effort: Array = np.abs(state.joint_effort)
        self._cycles += 1
        self._seconds += dt
        self._clamped += bool(record.clamps)
        self._height += height
        self._peak = max(self._peak, float(effort.max()))
        self._effort_squares += float(effort @ effort) / effort.size
        self._energy += float(effort @ np.abs(state.joint_vel)) * dt
        forces = state.foot_force.tolist()
        before = [force > FOOT_DOWN for force in forces] if self._down is None else self._down
        self._down = [force > (FOOT_UP if down else FOOT_DOWN) for force, down in zip(forces, before, strict=True)]
        landed = sum(now and not down for now, down in zip(self._down, before, strict=True))
        self._touchdowns += landed / max(1, len(forces))

    def numbers(self) -> dict[str, float]:
        """Return the metrics by name."""
        cycles, seconds = max(1, self._cycles), max(self._seconds, 1e-9)
        return {
            "base_height_m": self._height / cycles,
            "step_hz": self._touchdowns / seconds,
            "torque_peak_nm": self._peak,
            "torque_rms_nm": math.sqrt(self._effort_squares / cycles),
            "energy_j": self._energy,
            "power_w": self._energy / seconds,
            "clamped_cycles": float(self._clamped),
        }
