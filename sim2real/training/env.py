"""The walking robots as a vectorised environment: numpy in, numpy out, no network and no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array, Array32
from sim2real.training.backend import simulate
from sim2real.training.commands import CommandCurriculum, draw_commands
from sim2real.training.drive import Drive
from sim2real.training.fleet import Fleet
from sim2real.training.grounds import PERIOD, Grounds
from sim2real.training.memory import Memory
from sim2real.training.model import Plant
from sim2real.training.motion import Bools
from sim2real.training.observation import Past, actor_observation, critic_extras
from sim2real.training.rewards import total, track_lin_vel
from sim2real.training.robot import TrainedRobot
from sim2real.training.senses import Senses
from sim2real.training.task import Task

_START_JOINT = 0.15  # [rad], half width of the start pose
_START_VEL = 0.3  # [m/s, rad/s], half width of the start velocity
_DROP = 0.02  # [m], the start height above standing


@dataclass(frozen=True)
class Views:
    """Both networks' inputs at one step."""

    actor: Array32  # (N, observation)
    critic: Array32  # (N, frame + extras), without noise or delay


@dataclass(frozen=True)
class Outcome:
    """What one step led to; ``views`` are those of the robots as they are after the restarts."""

    views: Views
    reward: Array  # (N,)
    done: Bools  # (N,) restarted
    time_out: Bools  # (N,) restarted only because time was up
    terms: dict[str, float]  # mean of each weighted reward term per second
    fell: Bools  # (N,)


class WalkEnv:
    """All robots of a task, stepped together; a robot that falls, or whose time is up, starts anew."""

    def __init__(
        self, task: Task, robot: TrainedRobot, plants: Sequence[Plant], grounds: Grounds, envs: int, seed: int,
        threads: int = 2, device: str = "cpu",
    ) -> None:  # fmt: skip
        """Build ``envs`` robots that differ as the task says, all at a drawn moment of their episode.

        Args:
            task: what is trained.
            robot: its constants.
            plants: its model on each of the grounds.
            grounds: the grounds.
            envs: number of robots.
            seed: of all draws.
            threads: that simulate.
            device: "cpu", or "cuda" for MuJoCo Warp.
        """
        self.task, self.robot, self.plant = task, robot, plants[0]
        self.rng = np.random.default_rng(seed)
        self.fleet = Fleet(task, plants, grounds, envs, self.rng)
        self.batch = simulate([self.fleet.models[index] for index in self.fleet.which], threads, device)
        self._senses = Senses(self.plant, self.fleet, self.batch, task.cycles)
        self._memory = Memory(envs, robot.body.default_joint_pos, len(self.plant.feet), task.control_dt)
        self._past = Past(task.history, envs, sum(term.size for term in task.terms))
        self._drive = Drive(task, robot, self.plant, self.batch, self._senses, self._memory, self.rng)
        self.age = self.rng.integers(0, task.episode_steps, envs)  # [control steps]
        self.commands = CommandCurriculum(task.commands)
        self.command = draw_commands(self.commands.ranges, envs, self.rng)
        self._hold = np.zeros(envs)  # [s] left of the command
        self._wrapped = np.zeros((envs, 2))  # [m] by which robots were set back to their tile
        everyone = np.ones(envs, dtype=bool)
        self._restart(everyone)
        self.motion = self._drive.motion()
        self._views = self._observe(everyone)

    def __len__(self) -> int:
        """Return the number of robots."""
        return len(self.batch.models)

    @property
    def place(self) -> Array:
        """(N, 2) [m], where the robots are, without the jumps from tile to tile."""
        return np.asarray(self.batch.qpos[:, :2] + self._wrapped)

    def views(self) -> Views:
        """Return both networks' inputs now."""
        return self._views

    def step(self, action: npt.NDArray[np.floating]) -> Outcome:
        """Advance all robots by one control step under the raw ``action`` (N, n)."""
        task = self.task
        self._drive.step(np.clip(action, -task.action_clip, task.action_clip).astype(float))
        broken = self.batch.broken()
        self.batch.restart(broken)
        self._drive.forget(broken)
        self.motion = self._drive.motion()
        self._memory.walk(self.motion, self.command)
        gait = self._memory.gait(self.command)
        reward, terms = total(self.motion, gait, task, self.robot.body)
        self.commands.update(float(track_lin_vel(self.motion, gait, task, self.robot.body).mean()))
        self.age += 1
        tilted = self.motion.gravity[:, 2] > -np.cos(task.fall_tilt)
        fell = broken | tilted | (self.motion.height < 0.5 * task.base_height)
        time_out = (self.age >= task.episode_steps) & ~fell
        reward = np.where(broken, 0.0, reward) - task.fall_penalty * fell
        done = fell | time_out
        self.fleet.judge(done, fell, self._memory.asked, self._memory.done)
        self._disturb()
        self._wrap()
        self._restart(done)
        self.motion = self._drive.motion()
        self._views = self._observe(done)
        return Outcome(self._views, reward, done, time_out, terms, fell)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the networks: the levels of robots and commands."""
        return {**self.fleet.state(), "command_scale": np.array(self.commands.scale)}

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Take what ``state`` gave; all robots start anew. Raises ResourceError for another number of robots."""
        self.fleet.load_state(values)
        self.commands.scale = float(values["command_scale"])
        everyone = np.ones(len(self), dtype=bool)
        self._restart(everyone)
        self.motion = self._drive.motion()
        self._views = self._observe(everyone)

    def _observe(self, first: Bools) -> Views:
        """Build both networks' inputs; once per step, since it draws noise and the frames are remembered."""
        task, default = self.task, self.robot.body.default_joint_pos
        gait = self._memory.gait(self.command)
        seen = self._senses.late(self.motion, self._drive.actuators.state_delay)
        frame = actor_observation(task.terms, seen, gait, default, task.randomization.noise, self.rng)
        clean = actor_observation(task.terms, self.motion, gait, default)
        critic = np.concatenate([clean, critic_extras(self.motion, self._hidden())], axis=1)
        return Views(self._past.push(frame, first), critic)

    def _hidden(self) -> Array:
        """What was drawn, for the critic: friction, added mass, mean motor strength and both delays, (N, 5)."""
        bodies = self.fleet.bodies
        columns = (
            bodies.friction,
            bodies.added_mass / 2.0,
            10.0 * (self._drive.actuators.strength.mean(axis=1) - 1.0),
            self._drive.actuators.delay / 2.0,
            self._drive.actuators.state_delay / 2.0,
        )
        return np.stack(columns, axis=1)

    def _disturb(self) -> None:
        """Push some robots, and give new commands to those whose command is old."""
        task, ranges, envs = self.task, self.task.randomization, len(self)
        if ranges.push_interval > 0.0:
            pushed = self.rng.random(envs) < task.control_dt / ranges.push_interval
            count = int(pushed.sum())
            linear, angular = ranges.push_velocity, ranges.push_ang_velocity
            self.batch.qvel[pushed, :2] += self.rng.uniform(-linear, linear, (count, 2))
            self.batch.qvel[pushed, 3:6] += self.rng.uniform(-angular, angular, (count, 3))
        self._hold -= task.control_dt
        self._ask(self._hold <= 0.0)

    def _ask(self, rows: Bools) -> None:
        count = int(rows.sum())
        self.command[rows] = draw_commands(self.commands.ranges, count, self.rng)
        self._hold[rows] = self.rng.uniform(*self.task.commands.hold, count)

    def _wrap(self) -> None:
        """Set robots that have left their tile back by its period: the ground is the same there."""
        jump = PERIOD * np.floor(self.batch.qpos[:, :2] / PERIOD)
        self.batch.qpos[:, :2] -= jump
        self._wrapped += jump

    def _restart(self, rows: Bools) -> None:
        """Start the episodes of ``rows`` anew, near the default pose, anywhere on a ground of their level."""
        count, joints = int(rows.sum()), len(self.robot.joint_names)
        if count == 0:
            return
        first = bool(rows.all())
        self.fleet.draw(rows)
        where = np.flatnonzero(rows)
        for row in where:
            self.batch.assign(int(row), self.fleet.models[self.fleet.which[row]])
        self.batch.restart(rows)
        qpos, qvel, default = self.batch.qpos, self.batch.qvel, self.robot.body.default_joint_pos
        yaw = self.rng.uniform(-np.pi, np.pi, count)
        qpos[where, :2] = self.rng.uniform(0.0, PERIOD, (count, 2))
        ground = self._senses.highest(qpos[where, :2], yaw, rows)
        qpos[where, 2] = ground + self.robot.stand_height + self.rng.uniform(0.0, _DROP, count)
        qpos[where, 3:7] = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=1)
        start = default + self.rng.uniform(-_START_JOINT, _START_JOINT, (count, joints))
        qpos[where[:, None], list(self.plant.qpos)] = start
        qvel[where, :6] = self.rng.uniform(-_START_VEL, _START_VEL, (count, 6))
        self._drive.restart(rows)
        self._senses.restart(rows)
        self._memory.restart(rows)
        self._wrapped[rows] = 0.0
        self._ask(rows)
        if not first:
            self.age[rows] = 0
