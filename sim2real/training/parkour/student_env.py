"""What the student of parkour sees: depth images and a heading to follow, beside its own body."""

from __future__ import annotations

import numpy as np

from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import Array
from sim2real.training.env import Views
from sim2real.training.motion import Bools, heading
from sim2real.training.parkour import depth_input
from sim2real.training.parkour import views as groups
from sim2real.training.parkour.camera import Bases, DepthCameras
from sim2real.training.parkour.env import ParkourEnv
from sim2real.training.parkour.path import wrap

STEERED = 0.4  # share of the robots that somebody steers along their path; the others are given one heading
_AIM = 0.06  # [rad], standard deviation of a given heading from the lane's direction
_BIAS = 0.08  # [rad], of whoever steers


class StudentEnv(ParkourEnv):
    """Parkour lanes seen through depth cameras; the teacher's views are there too."""

    def _prepare(self) -> None:
        super()._prepare()
        spec, envs = load_robot_spec(self.task.robot), len(self)
        depth = depth_input.drawn(depth_input.depth_input(spec))
        grounds = [tile.ground for tile in self.lanes.tiles]
        self._cameras = DepthCameras(
            grounds, depth, depth_input.camera(spec), envs, self.task.control_dt, self.rng,
            varied=self.task.randomization.noise > 0.0,
        )  # fmt: skip
        self._steered = np.zeros(envs, dtype=bool)
        self._aim = np.zeros(envs)  # [rad], in the world; of those who are steered: error of who steers
        self._heading = np.zeros(envs)  # [rad], error to the heading that is asked for

    def _ask(self, rows: Bools) -> None:
        super()._ask(rows)
        count = int(rows.sum())
        self._steered[rows] = self.rng.random(count) < STEERED
        self._aim[rows] = self.rng.normal(0.0, np.where(self._steered[rows], _BIAS, _AIM))
        # Nobody can know of a curve that is neither seen nor told.
        self._paths.straighten(rows & ~self._steered)

    def _observe(self, first: Bools) -> Views:
        views = super()._observe(first)
        qpos = self.batch.qpos
        bases = Bases(self.fleet.tile, qpos[:, :3], qpos[:, 3:7])
        return Views(
            {
                **views.groups,
                "image": self._cameras.look(bases, first, self._due),
                "heading": self._heading[:, None].astype(np.float32),
                "new": self._due[:, None].astype(np.float32),
                "first": first[:, None].astype(np.float32),
            }
        )

    def _look(self, first: Bools, around: Array) -> None:
        """Look as the teacher does, who is told of the way what the student can know of it.

        A robot that nobody steers cannot know how far it has come to the side; its teacher would turn it back.
        """
        super()._look(first, around)
        error = self._heading_error()
        self._heading[self._due] = error[self._due]
        alone = self._due & ~self._steered
        self._yaw[alone] = error[alone, None]

    def _heading_error(self) -> Array:
        """Return the error [rad] to the heading that the operator asks for (N,)."""
        along = self._paths.directions(self._xy())[:, 0]
        asked = np.where(self._steered, along, 0.0) + self._aim
        error = wrap(asked - heading(self.motion.base_quat_wxyz))
        return np.clip(error, -groups.YAW_LIMIT, groups.YAW_LIMIT)
