"""Many simulated robots as one environment: numpy in, numpy out, no network and no torch.

``Env`` is what all tasks share: physics, delays, restarts, pushes, levels. A task's own class says what is asked,
seen and rewarded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array, Array32
from sim2real.training.backend import simulate
from sim2real.training.drive import Drive
from sim2real.training.fleet import Fleet
from sim2real.training.grounds import Grounds
from sim2real.training.memory import Memory
from sim2real.training.mirror import Mirror
from sim2real.training.model import Plant
from sim2real.training.motion import Bools
from sim2real.training.robot import TrainedRobot
from sim2real.training.senses import Senses
from sim2real.training.task import Task

_START_JOINT = 0.15  # [rad], half width of the start pose
_START_VEL = 0.3  # [m/s, rad/s], half width of the start velocity
_DROP = 0.02  # [m], the start height above standing


@dataclass(frozen=True)
class Views:
    """What the networks see at one step: groups of values, each (N, size)."""

    groups: Mapping[str, Array32]

    @property
    def actor(self) -> Array32:
        """The group ``policy``, with noise and delay."""
        return self.groups["policy"]

    @property
    def critic(self) -> Array32:
        """The group ``critic``, without."""
        return self.groups["critic"]


@dataclass(frozen=True)
class Outcome:
    """What one step led to; ``views`` are those of the robots as they are after the restarts."""

    views: Views
    reward: Array  # (N,)
    done: Bools  # (N,) restarted
    time_out: Bools  # (N,) restarted only because time was up, or the way was done
    terms: dict[str, float]  # mean of each weighted reward term per second
    fell: Bools  # (N,)


class Env(ABC):
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
        self._drive = Drive(task, robot, self.plant, self.batch, self._senses, self._memory, self.rng)
        self.age = self.rng.integers(0, task.episode_steps, envs)  # [control steps]
        self.command = np.zeros((envs, 3))  # vx, vy [m/s], wz [rad/s]
        self._prepare()
        self._start_all()

    def __len__(self) -> int:
        """Return the number of robots."""
        return len(self.batch.models)

    @property
    def stage(self) -> int:
        """Part of the training; rewards of two parts do not compare."""
        return 0

    def views(self) -> Views:
        """Return what the networks see now."""
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
        reward, terms = self._reward()
        self.age += 1
        lost, arrived = self._over()
        fell = broken | lost
        time_out = ((self.age >= task.episode_steps) | arrived) & ~fell
        reward = np.where(broken, 0.0, reward) - task.fall_penalty * fell
        done = fell | time_out
        self._judge(done, fell)
        self._push()
        self._go_on()
        self._restart(done)
        self.age[done] = 0
        self.motion = self._drive.motion()
        self._views = self._observe(done)
        return Outcome(self._views, reward, done, time_out, terms, fell)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the networks."""
        return dict(self.fleet.state())

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Take what ``state`` gave; all robots start anew. Raises ResourceError for another number of robots."""
        self.fleet.load_state(values)
        self._start_all()

    def numbers(self) -> dict[str, float]:
        """Return what the progress should tell: the mean level of each kind of ground."""
        kinds = enumerate(self.task.grounds)
        return {f"level_{kind.kind}": float(self.fleet.level[self.fleet.kind == k].mean()) for k, kind in kinds}

    @abstractmethod
    def mirrors(self) -> Mapping[str, Mirror]:
        """Return the mirror of each group of the views."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the task remembers; called once, before the first start."""

    @abstractmethod
    def _reward(self) -> tuple[Array, dict[str, float]]:
        """Return the reward of this step (N,) and the mean of each weighted term per second."""

    @abstractmethod
    def _over(self) -> tuple[Bools, Bools]:
        """Return which robots have fallen, and which have arrived, (N,) each."""

    @abstractmethod
    def _judge(self, done: Bools, fell: Bools) -> None:
        """Move robots whose episode has ended to another level."""

    @abstractmethod
    def _go_on(self) -> None:
        """Give new commands where they are due."""

    @abstractmethod
    def _places(self, rows: Bools) -> tuple[Array, Array]:
        """Return where ``rows`` start: (count, 2) [m] and the heading (count,) [rad]."""

    @abstractmethod
    def _ask(self, rows: Bools) -> None:
        """Give ``rows``, which start anew, a command, and forget what was before."""

    @abstractmethod
    def _observe(self, first: Bools) -> Views:
        """Build the views; once per step, since it draws noise. ``first`` have just started."""

    def _start_all(self) -> None:
        everyone = np.ones(len(self), dtype=bool)
        self._restart(everyone)
        self.motion = self._drive.motion()
        self._views = self._observe(everyone)

    def _push(self) -> None:
        """Change the velocity of some robots at once."""
        ranges, envs = self.task.randomization, len(self)
        if ranges.push_interval > 0.0:
            pushed = self.rng.random(envs) < self.task.control_dt / ranges.push_interval
            count = int(pushed.sum())
            linear, angular = ranges.push_velocity, ranges.push_ang_velocity
            self.batch.qvel[pushed, :2] += self.rng.uniform(-linear, linear, (count, 2))
            self.batch.qvel[pushed, 3:6] += self.rng.uniform(-angular, angular, (count, 3))

    def _restart(self, rows: Bools) -> None:
        """Start the episodes of ``rows`` anew, near the default pose, on a ground of their level."""
        count, joints = int(rows.sum()), len(self.robot.joint_names)
        if count == 0:
            return
        self.fleet.draw(rows)
        where = np.flatnonzero(rows)
        for row in where:
            self.batch.assign(int(row), self.fleet.models[self.fleet.which[row]])
        self.batch.restart(rows)
        qpos, qvel, default = self.batch.qpos, self.batch.qvel, self.robot.body.default_joint_pos
        qpos[where, :2], yaw = self._places(rows)
        ground = self._senses.highest(qpos[where, :2], yaw, rows)
        qpos[where, 2] = ground + self.robot.stand_height + self.rng.uniform(0.0, _DROP, count)
        qpos[where, 3:7] = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=1)
        start = default + self.rng.uniform(-_START_JOINT, _START_JOINT, (count, joints))
        qpos[where[:, None], list(self.plant.qpos)] = start
        qvel[where, :6] = self.rng.uniform(-_START_VEL, _START_VEL, (count, 6))
        self._drive.restart(rows)
        self._senses.restart(rows)
        self._memory.restart(rows)
        self._ask(rows)
