"""The independent witness in the peer: what the body really did and what came over the wire, as JSON lines.

It reads the physics and the motors, never what the driver says of itself. A line of ``kind`` ``sample`` comes every
20 ms with the worst of that time; a line of ``kind`` ``event`` comes at once.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from typing import Any, TextIO

import numpy as np

from sim2real.firmware.board import PERIOD, Board
from sim2real.firmware.readings import MotorCommand, Refused

SAMPLE_TICKS = round(0.02 / PERIOD)
POS_SLACK = 0.02  # [rad] that a joint may lean into its stop
TILT = 1.0  # [rad] of the base's z axis from the vertical


class Judge:
    """Watches one board."""

    def __init__(self, board: Board, log: TextIO | None) -> None:
        """Write to ``log``; None keeps the newest sample only."""
        self._board, self._log = board, log
        spec = board.body.spec
        self._lower, self._upper = spec.joint_lower - POS_SLACK, spec.joint_upper + POS_SLACK
        self._speed, self._names = spec.joint_vel_limit, spec.joint_names
        self.commands: Counter[str] = Counter()  # taken, and refused by reason, since power-on
        self.writers: set[int] = set()  # that have sent anything
        self.limits: Counter[str] = Counter()  # ticks in which a limit was broken, since power-on
        self.newest: dict[str, Any] = {}
        self._fastest = self._tilt = 0.0  # since the last sample
        self._broken: set[str] = set()
        self._said: tuple[Any, ...] = ()
        self._asked = 0.0  # the greatest stiffness of the newest command from outside

    def command(self, decoded: MotorCommand | Refused, writer: int) -> tuple[MotorCommand, ...]:
        """Count a command, ``taken`` or why it was not, and return it if it was; the first of each kind is an event."""
        if writer not in self.writers:
            self.writers.add(writer)
            self.event("writer", number=len(self.writers))
        reason = decoded.reason if isinstance(decoded, Refused) else "taken"
        self.commands[reason] += 1
        if self.commands[reason] == 1:
            self.event("first_command", reason=reason)
        if isinstance(decoded, Refused):
            return ()
        self._asked = float(decoded.stiffness.max())
        return (decoded,)

    def event(self, name: str, **values: Any) -> None:
        """Write an event now."""
        self._write({"kind": "event", "event": name, **self._now(), **values})

    def tick(self) -> None:
        """Look at the board after a tick."""
        board, body = self._board, self._board.body
        pos, vel = body.joint_pos, body.joint_vel
        speed, tilt = np.abs(vel), _tilt(*body.data.qpos[3:7].tolist())
        self._fastest, self._tilt = max(self._fastest, float(speed.max())), max(self._tilt, tilt)
        broken = ["tilt"] if tilt > TILT else []
        far, fast = (pos < self._lower) | (pos > self._upper), speed > self._speed
        if (far | fast).any():
            broken += [f"joint_pos {self._names[i]}" for i in np.flatnonzero(far)]
            broken += [f"joint_vel {self._names[i]}" for i in np.flatnonzero(fast)]
        if broken:
            self.limits.update(broken)
            self._broken.update(broken)
        said = (board.mode, board.sport.pose, board.driven_by)
        if said != self._said:
            self._said = said
            self.event("mode", mode=said[0], pose=said[1], driven_by=said[2])
        if board.ticks % SAMPLE_TICKS == 0:
            self._sample(pos, vel)

    def _sample(self, pos: Any, vel: Any) -> None:
        board, held = self._board, self._board.boards.command
        truth = board.body.truth()
        self.newest = {
            "kind": "sample",
            **self._now(),
            "mode": board.mode,
            "driven_by": board.driven_by,
            "joint_pos": _rounded(pos),
            "joint_vel": _rounded(vel),
            "torque": _rounded(board.body.torque),
            "joint_vel_max": round(self._fastest, 4),
            "tilt_max": round(self._tilt, 4),
            "stiffness_max": 0.0 if held is None else float(held.stiffness.max()),
            "asked_stiffness_max": self._asked,
            "damping_max": 0.0 if held is None else float(held.damping.max()),
            "position": _rounded(truth.position),
            "lin_vel": _rounded(truth.lin_vel),
            "contacts": list(truth.contacts),
            "temperature_max": round(float(board.motors.temperature.max()), 2),
            "limits": sorted(self._broken),
            "commands": dict(self.commands),
        }
        self._fastest, self._tilt, self._broken = 0.0, 0.0, set()
        self._write(self.newest)

    def _now(self) -> dict[str, Any]:
        return {"t": round(self._board.time, 3), "time_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()}

    def _write(self, line: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.write(json.dumps(line) + "\n")


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]


def _tilt(w: float, x: float, y: float, z: float) -> float:
    return math.acos(max(-1.0, min(1.0, 1.0 - 2.0 * (x * x + y * y))))
