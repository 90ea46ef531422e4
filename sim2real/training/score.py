"""A first judgement of an actor, in the training environment at the simulator's own physics step.

The score that counts is that of ``robot-policies eval``, which runs the bundle through the deployed pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from robot_policies.exceptions import InputError, expected
from robot_policies.types import Array, Array32
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.grounds import GroundKind
from sim2real.training.task import Task
from sim2real.training.walk import WalkEnv

Actor = Callable[[Array32], Array32]  # (N, observation) to (N, actions)

PHYSICS_DT = 0.0025  # [s], the simulated robot's
SETTLE = 2.0  # [s], not judged, as in the course ``flat``


@dataclass(frozen=True)
class Score:
    """How one command was followed by some robots."""

    command: tuple[float, float, float]  # vx, vy [m/s], wz [rad/s]
    falls: int
    robots: int
    velocity: tuple[float, float, float]  # mean over robots and time, same units
    worst: tuple[float, float, float]  # largest distance of a robot's own mean from the command
    drift: float  # [m], largest distance of a robot from where it was after settling
    demand: float  # largest torque asked for, as a share of the peak torque

    def line(self) -> str:
        """Return the score as one line."""
        asked, got = (" ".join(f"{value:+.2f}" for value in values) for values in (self.command, self.velocity))
        worst = " ".join(f"{value:.3f}" for value in self.worst)
        return (
            f"asked {asked}: got {got} (worst robot off by {worst}), falls {self.falls} of {self.robots}, "
            f"drift {self.drift:.2f} m, torque asked up to {self.demand:.0%} of peak"
        )


def score(
    task: Task, actor: Actor, command: tuple[float, float, float], seconds: float, robots: int = 20, seed: int = 0
) -> Score:
    """Let ``robots`` nominal robots follow one command for ``seconds``.

    Args:
        task: what the actor was trained for.
        actor: gives raw actions.
        command: vx, vy [m/s], wz [rad/s].
        seconds: from the start; the first ``SETTLE`` count for falls only.
        robots: each starts from its own pose.
        seed: of start poses.
    """
    env = build_env(_steady(task, command, seconds), robots, seed)
    if not isinstance(env, WalkEnv):
        raise InputError(expected(f"score: a task that follows velocities, {task.name}", task.kind, "walk"))
    env.age[:] = 0
    fallen = np.zeros(robots, dtype=bool)
    total, steps, demand = np.zeros((robots, 3)), 0, 0.0
    place = env.place
    for step in range(round(seconds / task.control_dt)):
        outcome = env.step(actor(env.views().actor))
        fallen |= outcome.fell
        if step * task.control_dt >= SETTLE:
            total, steps = total + _velocity(env), steps + 1
            demand = max(demand, float(env.motion.demand[~fallen].max(initial=0.0)))
        else:
            place = env.place
    mean = total / max(steps, 1)
    drift = np.linalg.norm(env.place - place, axis=1)
    env.batch.close()
    vx, vy, wz = (float(value) for value in mean.mean(axis=0))
    wx, wy, ww = (float(value) for value in np.abs(mean - np.asarray(command)).max(axis=0))
    return Score(command, int(fallen.sum()), robots, (vx, vy, wz), (wx, wy, ww), float(drift.max()), demand)


def _steady(task: Task, command: tuple[float, float, float], seconds: float) -> Task:
    vx, vy, wz = command
    ranges = replace(
        task.commands, lin_vel_x=(vx, vx), lin_vel_y=(vy, vy), ang_vel_z=(wz, wz), standing=0.0, forward=0.0,
        dead_band=0.0, hold=(2 * seconds, 2 * seconds), start=1.0,
    )  # fmt: skip
    return replace(
        task, commands=ranges, randomization=NOMINAL, physics_dt=PHYSICS_DT, episode=2 * seconds, fall_penalty=0.0,
        grounds=(GroundKind("flat", 1.0),), levels=1,
    )  # fmt: skip


def _velocity(env: WalkEnv) -> Array:
    motion = env.motion
    return np.concatenate([motion.base_lin_vel[:, :2], motion.base_ang_vel[:, 2:]], axis=1)
