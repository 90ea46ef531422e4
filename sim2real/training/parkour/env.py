"""Lanes of obstacles under a forward command: the environment of the parkour teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_policies.types import Array, Array32
from sim2real.training.env import Env, Views
from sim2real.training.mirror import Mirror
from sim2real.training.motion import Bools, heading
from sim2real.training.observation import Past, actor_observation
from sim2real.training.parkour import views as groups
from sim2real.training.parkour.lanes import Lanes
from sim2real.training.parkour.path import Paths, wrap
from sim2real.training.parkour.terms import Goal, total
from sim2real.training.senses import around

REFRESH = 5  # control steps between two looks at the ground, as often as the depth network runs
EASY = 2_000_000  # samples, in which rewards are cut at zero
PAUSE_EVERY, PAUSE = 15.0, (0.8, 2.0)  # [s] between two pauses on average; length of one
UP, DOWN = 0.7, 0.4  # share of the whole way that leads a level up; of the way asked so far, below which one is lost
_BESIDE = 1.9  # [m] from the middle, where a robot has left its lane
STUCK, GAIN = 3.0, 0.1  # [s] without so much way [m] gained, after which a robot that should go has given up
_SUNK = 0.15  # [m] of the base below the lane's lowest ground: in a gap
_CRAWLS = 0.08  # [m] of the base over the ground under it: lies
_EDGE = 0.05  # [m] around a foot, where an edge counts
_EDGE_HEIGHT = 0.06  # [m], less is no edge
_FLIPPED = 0.02  # share of the foot contacts that are seen wrongly


class ParkourEnv(Env):
    """Robots that follow a path along their lane; they know the ground around them at 10 Hz."""

    def mirrors(self) -> Mapping[str, Mirror]:
        """Return the mirror of each group of the views that the policy reads."""
        return groups.mirrors(self.task.terms, self.robot.joint_names, self.robot.feet)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the networks."""
        return {**super().state(), "samples": np.array(self._samples)}

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Take what ``state`` gave; all robots start anew. Raises ResourceError for another number of robots."""
        self._samples = int(values["samples"])
        super().load_state(values)

    def numbers(self) -> dict[str, float]:
        """Return what the progress should tell: levels, and the share of the lanes that ends well."""
        return {**super().numbers(), "arrived": self._arrived}

    @property
    def stage(self) -> int:
        """0 while rewards are cut at zero, then 1."""
        return int(self._samples >= EASY)

    @property
    def lanes(self) -> Lanes:
        """The lanes."""
        grounds = self.fleet.grounds
        assert isinstance(grounds, Lanes)
        return grounds

    def _prepare(self) -> None:
        envs, joints = len(self), len(self.robot.joint_names)
        self._paths = Paths(envs, self.rng)
        self._begin = np.zeros(envs)  # [m], x where the episode began
        self._due = np.ones(envs, dtype=bool)
        self._seen = np.zeros((envs, len(groups.SCAN)))
        self._yaw = np.zeros((envs, 2))  # [rad], errors to the near and the far point of the path
        self._before = np.zeros((envs, joints))
        self._speed = np.zeros(envs)  # [m/s], asked for between pauses
        self._pause = np.full(envs, -1.0)  # [s] left
        self._farthest = np.zeros(envs)  # [m], x
        self._idle = np.zeros(envs)  # [s] since it was gained
        size = groups.frame_size(self.task.terms)
        self._past = Past(groups.PAST, envs, size)
        self._samples, self._arrived = 0, 0.0

    def _xy(self) -> Array:
        return np.asarray(self.batch.qpos[:, :2])

    def _reward(self) -> tuple[Array, dict[str, float]]:
        self._samples += len(self)
        xy, yaw = self._xy(), heading(self.motion.base_quat_wxyz)
        direction = self._paths.directions(xy)[:, 0]
        speed = (self.batch.qvel[:, :2] * np.stack([np.cos(direction), np.sin(direction)], axis=1)).sum(axis=1)
        goal = Goal(speed, self.command[:, 0], wrap(direction - yaw), self._paths.distance(xy), self._edges(),
                    self._before)  # fmt: skip
        result = total(self.motion, self._memory.gait(self.command), goal, self.task, self.robot.body, self.stage == 0)
        self._before = self.motion.torque.copy()
        return result

    def _edges(self) -> Bools:
        """Return which feet have an edge right beside them, (N, f)."""
        feet = self._senses.feet()[:, :, :2]
        around = np.array([(_EDGE, 0.0), (-_EDGE, 0.0), (0.0, _EDGE), (0.0, -_EDGE)])
        points = (feet[:, :, None] + around).reshape(len(feet), -1, 2)
        heights = self.lanes.at(self.fleet.tile, points).reshape(*feet.shape[:2], -1)
        return np.asarray(np.ptp(heights, axis=2) > _EDGE_HEIGHT)

    def _over(self) -> tuple[Bools, Bools]:
        x, y = self._xy().T
        tile, z = self.fleet.tile, self.batch.qpos[:, 2]
        under = self.lanes.at(tile, self._xy()[:, None])[:, 0]
        tilted = self.motion.gravity[:, 2] > -np.cos(self.task.fall_tilt)
        sunk = (z < self.lanes.lowest[tile] - _SUNK) | (z - under < _CRAWLS)
        arrived = x > self.lanes.finish[tile] + 1.0
        return (tilted | sunk | self._gave_up(x) | (np.abs(y) > _BESIDE)) & ~arrived, arrived

    def _gave_up(self, x: Array) -> Bools:
        """Return who stands before an obstacle: that must not be better than to try, nor take up the episode."""
        gained = (x > self._farthest + GAIN) | (self.command[:, 0] == 0.0)
        self._farthest = np.where(gained, np.maximum(x, self._farthest), self._farthest)
        self._idle = np.where(gained, 0.0, self._idle + self.task.control_dt)
        return np.asarray(self._idle > STUCK)

    def _judge(self, done: Bools, fell: Bools) -> None:
        x, finish = self._xy()[:, 0], self.lanes.finish[self.fleet.tile]
        way, length = x - self._begin, finish - self._begin
        whole = np.minimum(self._speed * self.task.episode, length)  # what a slow robot can do
        up = done & ((x > finish) | (way > UP * whole))
        down = done & ~up & (way < DOWN * np.minimum(self._memory.asked, length))
        ended = int(done.sum())
        if ended:
            share = float((done & (x > finish)).sum()) / ended
            self._arrived += min(1.0, ended / 200.0) * (share - self._arrived)
        self.fleet.move(up, down)

    def _go_on(self) -> None:
        """Let some robots stop for a while: an operator does, and goes on anywhere."""
        dt = self.task.control_dt
        self._pause -= dt
        stops = (self._pause < 0.0) & (self.rng.random(len(self)) < dt / PAUSE_EVERY)
        self._pause[stops] = self.rng.uniform(*PAUSE, int(stops.sum()))
        self.command[:, 0] = np.where(self._pause > 0.0, 0.0, self._speed)

    def _places(self, rows: Bools) -> tuple[Array, Array]:
        count = int(rows.sum())
        # Up to the nose at the first edge: who stands there must be able to climb, as nothing shakes a deployed policy
        xy = np.stack([self.rng.uniform(-0.6, 0.8, count), self.rng.uniform(-0.4, 0.4, count)], axis=1)
        self._begin[rows] = xy[:, 0]
        return xy, self.rng.uniform(-0.5, 0.5, count)

    def _ask(self, rows: Bools) -> None:
        count = int(rows.sum())
        self.command[rows, 0] = self._speed[rows] = self.rng.uniform(*self.task.commands.lin_vel_x, count)
        self._pause[rows] = -1.0
        self._farthest[rows], self._idle[rows] = self._begin[rows], 0.0
        self._paths.draw(rows)
        self._before[rows] = 0.0

    def _observe(self, first: Bools) -> Views:
        task, default, noise = self.task, self.robot.body.default_joint_pos, self.task.randomization.noise
        around = self._scan()
        self._look(first, around)
        gait = self._memory.gait(self.command)
        late = self._senses.late(self.motion, self._drive.actuators.state_delay)
        contact = self.motion.foot_contact ^ (self.rng.random(self.motion.foot_contact.shape) < noise * _FLIPPED)
        speed = self.command[:, :1]
        noisy = groups.frame(actor_observation(task.terms, late, gait, default, noise, self.rng), speed, contact)
        clean = groups.frame(actor_observation(task.terms, self.motion, gait, default), speed, self.motion.foot_contact)
        past = self._past.push(noisy, first)
        yaw, hidden = self._yaw.astype(np.float32), self._hidden()
        velocity = (groups.VELOCITY_SCALE * self.motion.base_lin_vel).astype(np.float32)
        scan = self._seen.astype(np.float32)
        return Views(
            {
                "proprio": np.concatenate([noisy, yaw], axis=1),
                "scan": scan,
                "hidden": hidden,
                "velocity": velocity,
                "past": past,
                "critic": np.concatenate([clean, yaw, velocity, around.astype(np.float32), hidden], axis=1),
            }
        )

    def _look(self, first: Bools, around: Array) -> None:
        """Take the ground and the path anew where it is time; in between the policy goes by what it saw."""
        # Counted from the start, as the deployed network is stepped; the robots started at different times.
        self._due = due = first | (self.age % REFRESH == 0)
        self._seen[due] = around[due]
        directions = self._paths.directions(self._xy())
        errors = wrap(directions - heading(self.motion.base_quat_wxyz)[:, None])
        self._yaw[due] = np.clip(errors, -groups.YAW_LIMIT, groups.YAW_LIMIT)[due]

    def _scan(self) -> Array:
        """Return how far the base is above the ground around it, less what it is when it stands, (N, points)."""
        points = around(groups.SCAN, self._xy(), heading(self.motion.base_quat_wxyz))
        heights = self.lanes.salient(self.fleet.tile, points)
        return np.clip(self.batch.qpos[:, 2:3] - groups.STANDS - heights, -1.0, 1.0)

    def _hidden(self) -> Array32:
        return groups.hidden(self.fleet.bodies, self._drive.actuators)
