"""The walking robots as a vectorised environment: numpy in, numpy out, no network and no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_policies.types import Array, Array32
from sim2real.randomization.actuators import draw_actuators, redraw
from sim2real.randomization.models import draw_bodies, varied_models
from sim2real.training.commands import draw_commands
from sim2real.training.model import Plant
from sim2real.training.motion import Bools, Gait, Motion, gravity_in_base, rotate_inverse
from sim2real.training.observation import actor_observation, critic_extras
from sim2real.training.rewards import total
from sim2real.training.robot import TrainedRobot
from sim2real.training.simulation import Batch
from sim2real.training.task import Task

_START_JOINT = 0.15  # [rad], half width of the start pose
_START_VEL = 0.3  # [m/s, rad/s], half width of the start velocity
_DROP = 0.02  # [m], the start height above standing


@dataclass(frozen=True)
class Views:
    """Both networks' inputs at one step."""

    actor: Array32  # (N, observation)
    critic: Array32  # (N, observation + extras), without noise


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

    def __init__(self, task: Task, robot: TrainedRobot, plant: Plant, envs: int, seed: int, threads: int = 2) -> None:
        """Build ``envs`` robots that differ as the task says, all at a drawn moment of their episode."""
        self.task, self.robot, self.plant = task, robot, plant
        self.rng = np.random.default_rng(seed)
        ranges = task.randomization
        bodies = draw_bodies(ranges, min(ranges.variants, envs), self.rng)
        which = np.arange(envs) * len(bodies.friction) // envs  # neighbours share a body, and a core's cache
        models = varied_models(plant.model, plant.trunk, bodies)
        self._bodies = bodies.rows(which)
        self.batch = Batch([models[index] for index in which], threads)
        joints, feet = len(robot.joint_names), len(plant.feet)
        self._actuators = draw_actuators(ranges, envs, joints, self.rng)
        self.age = self.rng.integers(0, task.episode_steps, envs)  # [control steps]
        self.command = draw_commands(task.commands, envs, self.rng)
        self._hold = np.zeros(envs)  # [s] left of the command
        self._action = np.zeros((3, envs, joints))  # newest, one and two steps before
        self._target = np.tile(robot.body.default_joint_pos, (envs, 1))
        self._swing = np.zeros((envs, feet))
        self._landed = np.zeros((envs, feet), dtype=bool)
        self._torque = np.zeros((envs, joints))
        self._demand = np.zeros((envs, joints))
        self._vel = np.zeros((envs, joints))
        self._q, self._v = list(plant.qpos), list(plant.qvel)
        self._restart(np.ones(envs, dtype=bool))
        self.motion = self._sense(1)

    def __len__(self) -> int:
        """Return the number of robots."""
        return len(self.batch.models)

    def views(self) -> Views:
        """Return both networks' inputs now; each call draws new sensor noise."""
        task, gait, default = self.task, self._gait(), self.robot.body.default_joint_pos
        clean = actor_observation(task.terms, self.motion, gait, default)
        noisy = actor_observation(task.terms, self.motion, gait, default, task.randomization.noise, self.rng)
        return Views(noisy, np.concatenate([clean, critic_extras(self.motion, self._hidden())], axis=1))

    def step(self, action: npt.NDArray[np.floating]) -> Outcome:
        """Advance all robots by one control step under the raw ``action`` (N, n)."""
        task = self.task
        self._drive(np.clip(action, -task.action_clip, task.action_clip).astype(float))
        broken = self.batch.broken()
        self.batch.restart(broken)
        self._torque[broken], self._demand[broken], self._vel[broken] = 0.0, 0.0, 0.0
        self.motion = self._sense(task.cycles * task.substeps)
        self._walked()
        reward, terms = total(self.motion, self._gait(), task, self.robot.body)
        self.age += 1
        tilted = self.motion.gravity[:, 2] > -np.cos(task.fall_tilt)
        fell = broken | tilted | (self.motion.height < 0.5 * task.base_height)
        time_out = (self.age >= task.episode_steps) & ~fell
        reward = np.where(broken, 0.0, reward) - task.fall_penalty * fell
        done = fell | time_out
        self._disturb()
        self._restart(done)
        self.motion = self._sense(task.cycles * task.substeps)
        return Outcome(self.views(), reward, done, time_out, terms, fell)

    def _drive(self, action: Array) -> None:
        """Apply the new target after each robot's delay, and the old one before."""
        task, robot = self.task, self.robot
        self._action = np.stack([action, self._action[0], self._action[1]])
        before, after = self._target, robot.target(action, task.action_scale)
        self._vel = self.batch.qvel[:, self._v].copy()
        gains = robot.gains(task, self._actuators)
        self._demand = np.zeros_like(self._torque)
        control = np.zeros((len(self), len(self.plant.control)))
        for cycle in range(task.cycles):
            target = np.where((cycle >= self._actuators.delay)[:, None], after, before)
            joint_pos, joint_vel = self.batch.qpos[:, self._q], self.batch.qvel[:, self._v]
            self._demand = np.maximum(self._demand, robot.demand(target, joint_pos, joint_vel, gains))
            for _ in range(task.substeps):
                torque = robot.torque(target, self.batch.qpos[:, self._q], self.batch.qvel[:, self._v], gains)
                control[:, self.plant.control] = torque
                self.batch.step(control)
        self._target, self._torque = after, torque

    def _sense(self, steps: int) -> Motion:
        """Read the newest state; ``steps`` is how many physics steps it is since ``_vel`` was kept."""
        qpos, qvel, sensors = self.batch.qpos, self.batch.qvel, self.batch.sensors
        quat = qpos[:, 3:7] / np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
        contact, bad = self.plant.contacts(sensors)
        foot_height, foot_vel = self.plant.foot_motion(sensors)
        joint_vel = qvel[:, self._v].copy()
        return Motion(
            height=qpos[:, 2].copy(),
            base_quat_wxyz=quat,
            base_lin_vel=rotate_inverse(quat, qvel[:, :3]),
            base_ang_vel=qvel[:, 3:6].copy(),
            gravity=gravity_in_base(quat),
            joint_pos=qpos[:, self._q].copy(),
            joint_vel=joint_vel,
            joint_acc=(joint_vel - self._vel) / (steps * self.batch.dt),
            torque=self._torque,
            demand=self._demand,
            foot_contact=contact,
            foot_height=foot_height,
            foot_vel=foot_vel,
            bad_contact=bad,
        )

    def _gait(self) -> Gait:
        newest, before, before_that = self._action
        return Gait(
            command=self.command,
            moving=np.abs(self.command).max(axis=1) > 0.0,
            action=newest,
            action_1=before,
            action_2=before_that,
            target=self._target,
            swing=self._swing,
            landed=self._landed,
        )

    def _walked(self) -> None:
        """Count each foot's time in the air; the step on which it lands still shows the whole swing."""
        contact = self.motion.foot_contact
        self._swing = np.where(self._landed, 0.0, self._swing)
        self._landed = contact & (self._swing > 0.0)
        self._swing = np.where(contact, self._swing, self._swing + self.task.control_dt)

    def _hidden(self) -> Array:
        """What was drawn, for the critic: friction, added mass, mean motor strength and delay, (N, 4)."""
        columns = (
            self._bodies.friction,
            self._bodies.added_mass / 2.0,
            10.0 * (self._actuators.strength.mean(axis=1) - 1.0),
            self._actuators.delay / 2.0,
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
        self.command[rows] = draw_commands(self.task.commands, count, self.rng)
        self._hold[rows] = self.rng.uniform(*self.task.commands.hold, count)

    def _restart(self, rows: Bools) -> None:
        """Start the episodes of ``rows`` anew, near the default pose."""
        count, joints = int(rows.sum()), len(self.robot.joint_names)
        if count == 0:
            return
        first = bool(rows.all())
        self.batch.restart(rows)
        qpos, qvel, default = self.batch.qpos, self.batch.qvel, self.robot.body.default_joint_pos
        where = np.flatnonzero(rows)
        yaw = self.rng.uniform(-np.pi, np.pi, count) / 2.0
        qpos[where, 2] = self.robot.stand_height + self.rng.uniform(0.0, _DROP, count)
        qpos[where, 3:7] = np.stack([np.cos(yaw), 0 * yaw, 0 * yaw, np.sin(yaw)], axis=1)
        start = default + self.rng.uniform(-_START_JOINT, _START_JOINT, (count, joints))
        qpos[where[:, None], self._q] = start
        qvel[where, :6] = self.rng.uniform(-_START_VEL, _START_VEL, (count, 6))
        redraw(self._actuators, rows, self.task.randomization, self.rng)
        self._action[:, rows] = 0.0
        self._target[rows] = default
        self._swing[rows], self._landed[rows], self._torque[rows], self._vel[rows] = 0.0, False, 0.0, 0.0
        self._ask(rows)
        if not first:
            self.age[rows] = 0
