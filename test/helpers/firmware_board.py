"""A Go2 behind the wire without the wire: its board, and commands to its motors."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot_policies.robot_spec import load_robot_spec
from sim2real.firmware.board import PERIOD, Board
from sim2real.firmware.body import Body
from sim2real.firmware.readings import MotorCommand

SPEC = load_robot_spec("go2")
ZERO = np.zeros(12)
ON = np.ones(12, dtype=bool)


def held(pos: Any = ZERO, stiffness: float = 60.0, damping: float = 3.0, servo: Any = ON) -> MotorCommand:
    return MotorCommand(servo, np.asarray(pos), ZERO, ZERO, np.full(12, stiffness), np.full(12, damping))


def board(mode: str = "") -> Board:
    return Board(Body(SPEC, None, seed=0, noise=0.0), mode)


def run(robot: Board, seconds: float, *commands: MotorCommand) -> None:
    for _ in range(round(seconds / PERIOD)):
        robot.tick(commands)
