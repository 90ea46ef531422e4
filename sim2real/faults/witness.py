"""The witness in the simulated robot: what the body really did, as the firmware peer's judge writes it on the wire.

It reads the physics and the command that moves the motors, never what safety says. One JSON line every 20 ms.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, JointCommand

SAMPLE_S = 0.02
POS_SLACK = 0.02  # [rad] that a joint may lean into its stop, as the peer's judge has it
TILT = 1.0  # [rad], the project's definition of a fall


class Witness:
    """Watches one body."""

    def __init__(self, spec: RobotSpec, log: Path | None) -> None:
        """Write to ``log``, if there is one."""
        self._log: TextIO | None = None if log is None else log.open("w", encoding="utf-8", buffering=1)
        self._lower, self._upper = spec.joint_lower - POS_SLACK, spec.joint_upper + POS_SLACK
        self._speed, self._names = spec.joint_vel_limit, spec.joint_names
        self._cycles = max(round(SAMPLE_S * spec.state_rate), 1)
        self._count = 0
        self._fastest = self._tilt = 0.0
        self._broken: set[str] = set()

    def cycle(self, pos: Array, vel: Array, base: Array, command: JointCommand | None) -> None:
        """Look at the body after a cycle.

        Args:
            pos: true joint positions (n,) [rad].
            vel: true joint speeds (n,) [rad/s].
            base: true position [m] and quat_wxyz of the base (7,).
            command: what moves the motors.
        """
        tilt = _tilt(*base[3:7].tolist())
        self._fastest, self._tilt = max(self._fastest, float(np.abs(vel).max())), max(self._tilt, tilt)
        far, fast = (pos < self._lower) | (pos > self._upper), np.abs(vel) > self._speed
        self._broken |= {f"joint_pos {self._names[i]}" for i in np.flatnonzero(far)}
        self._broken |= {f"joint_vel {self._names[i]}" for i in np.flatnonzero(fast)}
        self._broken |= {"tilt"} if tilt > TILT else set()
        self._count += 1
        if self._count % self._cycles == 0:
            self._sample(base, command)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _sample(self, base: Array, command: JointCommand | None) -> None:
        line: dict[str, Any] = {
            "kind": "sample",
            "monotonic_ns": time.monotonic_ns(),
            "driven_by": "nobody" if command is None else "commands",
            "joint_vel_max": round(self._fastest, 4),
            "tilt_max": round(self._tilt, 4),
            "stiffness_max": 0.0 if command is None else float(command.stiffness.max()),
            "damping_max": 0.0 if command is None else float(command.damping.max()),
            "position": [round(float(value), 4) for value in base[:3]],
            "limits": sorted(self._broken),
        }
        self._fastest, self._tilt, self._broken = 0.0, 0.0, set()
        if self._log is not None:
            self._log.write(json.dumps(line) + "\n")


def _tilt(w: float, x: float, y: float, z: float) -> float:
    return math.acos(max(-1.0, min(1.0, 1.0 - 2.0 * (x * x + y * y))))
