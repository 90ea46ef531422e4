"""From actions to physics: delays, joint PD and motors of all robots over one control step."""

from __future__ import annotations

import numpy as np

from robot_policies.types import Array
from sim2real.randomization.actuators import Actuators, draw_actuators, redraw
from sim2real.training.backend import Simulation
from sim2real.training.memory import Memory
from sim2real.training.model import Plant
from sim2real.training.motion import Bools, Motion
from sim2real.training.robot import TrainedRobot
from sim2real.training.senses import Senses
from sim2real.training.task import Task


class Drive:
    """Applies each robot's new target after its own delay, and reads what came of it."""

    def __init__(
        self, task: Task, robot: TrainedRobot, plant: Plant, batch: Simulation, senses: Senses, memory: Memory,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Draw the actuators of all robots.

        Args:
            task: gains, times and ranges.
            robot: its motors.
            plant: where its joints are.
            batch: the robots.
            senses: keeps the states of the robot cycles.
            memory: keeps action and target.
            rng: of the actuators.
        """
        self._task, self._robot, self._batch, self._senses, self._memory = task, robot, batch, senses, memory
        self._q, self._v, self._control = list(plant.qpos), list(plant.qvel), list(plant.control)
        envs, joints = len(batch.models), len(robot.joint_names)
        self.actuators: Actuators = draw_actuators(task.randomization, envs, joints, rng)
        self._rng = rng
        self._torque, self._demand, self._vel = (np.zeros((envs, joints)) for _ in range(3))

    def step(self, action: Array) -> None:
        """Run one control step under clipped ``action`` (N, n)."""
        task, robot, batch = self._task, self._robot, self._batch
        before, after = self._memory.target, robot.target(action, task.action_scale)
        self._vel = batch.qvel[:, self._v].copy()
        gains = robot.gains(task, self.actuators)
        self._demand = np.zeros_like(self._torque)
        control = np.zeros((len(batch.models), len(self._control)))
        for cycle in range(task.cycles):
            self._senses.keep()
            target = np.where((cycle >= self.actuators.delay)[:, None], after, before)
            joint_pos, joint_vel = batch.qpos[:, self._q], batch.qvel[:, self._v]
            self._demand = np.maximum(self._demand, robot.demand(target, joint_pos, joint_vel, gains))
            for _ in range(task.substeps):
                torque = robot.torque(target, batch.qpos[:, self._q], batch.qvel[:, self._v], gains)
                control[:, self._control] = torque
                batch.step(control)
        self._torque = torque
        self._memory.act(action, after)

    def forget(self, rows: Bools) -> None:
        """Drop what a broken state of ``rows`` left behind."""
        self._torque[rows], self._demand[rows], self._vel[rows] = 0.0, 0.0, 0.0

    def restart(self, rows: Bools) -> None:
        """Draw new actuators for ``rows``, which start anew."""
        redraw(self.actuators, rows, self._task.randomization, self._rng)
        self._torque[rows], self._vel[rows] = 0.0, 0.0

    def motion(self) -> Motion:
        """Return what the robots feel now."""
        seconds = self._task.cycles * self._task.substeps * self._batch.dt
        return self._senses.motion(self._vel, seconds, self._torque, self._demand)
