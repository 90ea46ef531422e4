"""Following velocity commands, blind: the environment of ``go2_walk``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_policies.types import Array
from sim2real.training.commands import CommandCurriculum, draw_commands
from sim2real.training.env import Env, Views
from sim2real.training.grounds import PERIOD
from sim2real.training.mirror import Mirror, actor_mirror, critic_mirror, frame_mirror
from sim2real.training.motion import Bools
from sim2real.training.observation import Past, actor_observation, critic_extras
from sim2real.training.rewards import total, track_lin_vel

_HIDDEN = 5


class WalkEnv(Env):
    """Robots that walk in all directions on grounds that repeat."""

    def mirrors(self) -> Mapping[str, Mirror]:
        """Return the mirror of each group of the views."""
        frame = frame_mirror(self.task.terms, self.robot.joint_names)
        return {
            "policy": actor_mirror(frame, len(self.task.history)),
            "critic": critic_mirror(frame, self.robot.feet, _HIDDEN),
        }

    @property
    def place(self) -> Array:
        """(N, 2) [m], where the robots are, without the jumps from tile to tile."""
        return np.asarray(self.batch.qpos[:, :2] + self._wrapped)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the networks: the levels of robots and commands."""
        return {**super().state(), "command_scale": np.array(self.commands.scale)}

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Take what ``state`` gave; all robots start anew. Raises ResourceError for another number of robots."""
        self.commands.scale = float(values["command_scale"])
        super().load_state(values)

    def numbers(self) -> dict[str, float]:
        """Return what the progress should tell: levels, and how far the commands have grown."""
        return {**super().numbers(), "command_scale": self.commands.scale}

    def _prepare(self) -> None:
        envs = len(self)
        self._past = Past(self.task.history, envs, sum(term.size for term in self.task.terms))
        self.commands = CommandCurriculum(self.task.commands)
        self._hold = np.zeros(envs)  # [s] left of the command
        self._wrapped = np.zeros((envs, 2))  # [m] by which robots were set back to their tile

    def _reward(self) -> tuple[Array, dict[str, float]]:
        gait = self._memory.gait(self.command)
        self.commands.update(float(track_lin_vel(self.motion, gait, self.task, self.robot.body).mean()))
        return total(self.motion, gait, self.task, self.robot.body)

    def _over(self) -> tuple[Bools, Bools]:
        tilted = self.motion.gravity[:, 2] > -np.cos(self.task.fall_tilt)
        return tilted | (self.motion.height < 0.5 * self.task.base_height), np.zeros(len(self), dtype=bool)

    def _judge(self, done: Bools, fell: Bools) -> None:
        self.fleet.judge(done, fell, self._memory.asked, self._memory.done)

    def _go_on(self) -> None:
        """Ask for something else where the command is old; set robots that have left their tile back by its period."""
        self._hold -= self.task.control_dt
        self._ask_anew(self._hold <= 0.0)
        jump = PERIOD * np.floor(self.batch.qpos[:, :2] / PERIOD)  # the ground is the same there
        self.batch.qpos[:, :2] -= jump
        self._wrapped += jump

    def _ask(self, rows: Bools) -> None:
        self._wrapped[rows] = 0.0
        self._ask_anew(rows)

    def _ask_anew(self, rows: Bools) -> None:
        count = int(rows.sum())
        self.command[rows] = draw_commands(self.commands.ranges, count, self.rng)
        self._hold[rows] = self.rng.uniform(*self.task.commands.hold, count)

    def _places(self, rows: Bools) -> tuple[Array, Array]:
        count = int(rows.sum())
        return self.rng.uniform(0.0, PERIOD, (count, 2)), self.rng.uniform(-np.pi, np.pi, count)

    def _observe(self, first: Bools) -> Views:
        task, default = self.task, self.robot.body.default_joint_pos
        gait = self._memory.gait(self.command)
        seen = self._senses.late(self.motion, self._drive.actuators.state_delay)
        frame = actor_observation(task.terms, seen, gait, default, task.randomization.noise, self.rng)
        clean = actor_observation(task.terms, self.motion, gait, default)
        critic = np.concatenate([clean, critic_extras(self.motion, self._hidden())], axis=1)
        return Views({"policy": self._past.push(frame, first), "critic": critic})

    def _hidden(self) -> Array:
        """What was drawn, for the critic: friction, added mass, mean motor strength and both delays, (N, 5)."""
        bodies, actuators = self.fleet.bodies, self._drive.actuators
        columns = (
            bodies.friction,
            bodies.added_mass / 2.0,
            10.0 * (actuators.strength.mean(axis=1) - 1.0),
            actuators.delay / 2.0,
            actuators.state_delay / 2.0,
        )
        return np.stack(columns, axis=1)
