"""What is true in a MuJoCo simulation, read by its own means: frames of bodies, contacts, rays."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from sim2real.mujoco.ground import GROUND_GROUP


@dataclass(frozen=True)
class Truth:
    """The truth at one moment; ``model`` and ``data`` are a copy."""

    model: mujoco.MjModel
    data: mujoco.MjData

    @staticmethod
    def of(model: mujoco.MjModel, data: mujoco.MjData) -> Truth:
        copy = mujoco.MjData(model)
        mujoco.mj_copyData(copy, model, data)
        mujoco.mj_forward(model, copy)  # forces of the contacts that there are now
        return Truth(model, copy)

    @property
    def time(self) -> float:
        return float(self.data.time)

    @property
    def rotation(self) -> np.ndarray:
        """Base to world: its columns are forward, left, up."""
        return self.data.body("base").xmat.reshape(3, 3)

    @property
    def position(self) -> np.ndarray:
        return self.data.body("base").xpos

    @property
    def roll_pitch_yaw(self) -> np.ndarray:
        """Nose down is a positive pitch, left side up a positive roll, nose to the left a positive yaw."""
        forward, left, up = self.rotation.T
        return np.array([np.arctan2(left[2], up[2]), np.arcsin(-forward[2]), np.arctan2(forward[1], forward[0])])

    @property
    def ang_vel(self) -> np.ndarray:
        velocity = np.zeros(6)
        body = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_BODY, "base")
        mujoco.mj_objectVelocity(self.model, self.data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 1)
        return velocity[:3]

    @property
    def joint_pos(self) -> dict[str, float]:
        return {name: float(self.data.joint(name).qpos[0]) for name in self._joints()}

    @property
    def joint_vel(self) -> dict[str, float]:
        return {name: float(self.data.joint(name).qvel[0]) for name in self._joints()}

    @property
    def foot_force(self) -> dict[str, float]:
        """Normal force of every contact of a foot's geom, summed up."""
        found = {f"{leg}_foot": 0.0 for leg in ("FR", "FL", "RR", "RL")}
        force = np.zeros(6)
        for place in range(self.data.ncon):
            names = {self.model.geom(geom).name for geom in self.data.contact[place].geom}
            mujoco.mj_contactForce(self.model, self.data, place, force)
            for foot in names & set(found):
                found[foot] += float(force[0])
        return found

    def ground_around(self, x: float, y: float, width: float) -> list[float]:
        """Return the heights at a point of the base's upright frame and around it, found by rays from above."""
        yaw = self.roll_pitch_yaw[2]
        ahead, aside = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
        centre = self.position[:2] + x * ahead + y * aside
        return [self._height(centre + width * np.array(way)) for way in ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))]

    def _height(self, xy: np.ndarray) -> float:
        groups, hit = np.zeros(6, np.uint8), np.zeros(1, np.int32)
        groups[GROUND_GROUP] = 1
        start = np.array([xy[0], xy[1], 5.0])
        # The robot's own shapes may be of the same group: look for what belongs to the world only.
        static = mujoco.mj_ray(self.model, self.data, start, np.array([0.0, 0.0, -1.0]), groups, 1, 1, hit)
        assert self.model.geom_bodyid[hit[0]] == 0
        return 5.0 - static

    def _joints(self) -> list[str]:
        names = [self.model.joint(place).name for place in range(self.model.njnt)]
        return [name for name in names if name.endswith(("hip_joint", "thigh_joint", "calf_joint"))]
