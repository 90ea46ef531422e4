"""A simulated Go2 without noise, driven by hand, in which time passes at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mujoco
import numpy as np

from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import Array, JointCommand, RobotState
from sim2real.mujoco.robot import MujocoRobot, create

SPEC = load_robot_spec("go2")
ZERO = np.zeros(12)


def robot(**options: Any) -> MujocoRobot:
    return create(SPEC, {"clock": "lockstep", "noise": 0, **options})


def no_wait(stamp_ns: int) -> None:
    """Time passes at once."""


def command(joint_pos: Array, **changes: Any) -> JointCommand:
    held = JointCommand(0, joint_pos, ZERO, ZERO, SPEC.stand_stiffness, SPEC.stand_damping, "test")
    return replace(held, **changes)


STAND = command(SPEC.poses["stand"])


def run(sim: MujocoRobot, seconds: float, held: JointCommand | None = None) -> list[RobotState]:
    """Write ``held`` in every cycle and return all states."""
    states = []
    for _ in range(round(seconds * SPEC.state_rate)):
        sim.write(held)
        states.append(sim.read(no_wait))
    return states


def lifted(sim: MujocoRobot, height: float = 5.0) -> MujocoRobot:
    """Put the robot in the air, at rest."""
    sim._data.qpos[2] += height
    sim._data.qvel[:] = 0.0
    mujoco.mj_forward(sim.model, sim._data)
    return sim
