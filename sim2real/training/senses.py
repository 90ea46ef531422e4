"""From the states of the simulation to what all robots feel and see: the value ``Motion``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot_policies.types import Array
from sim2real.training.backend import Simulation
from sim2real.training.fleet import Fleet
from sim2real.training.grounds import Index
from sim2real.training.model import Plant
from sim2real.training.motion import Bools, Motion, gravity_in_base, heading, rotate_inverse
from sim2real.training.observation import SCAN_POINTS

_UNDER = (np.abs(SCAN_POINTS) <= 0.2).all(axis=1)  # the points under the trunk and the feet
_NEAR = (np.abs(SCAN_POINTS) <= 0.4).all(axis=1)


class Senses:
    """Reads a batch; keeps the states of one control step, so that a policy may see an older one."""

    def __init__(self, plant: Plant, fleet: Fleet, batch: Simulation, cycles: int) -> None:
        """Keep the states of ``cycles`` robot cycles."""
        self._plant, self._fleet, self._batch = plant, fleet, batch
        self._q, self._v = list(plant.qpos), list(plant.qvel)
        self._qpos = np.tile(batch.qpos, (cycles, 1, 1))  # [age - 1]
        self._qvel = np.tile(batch.qvel, (cycles, 1, 1))

    def keep(self) -> None:
        """Keep the present state as one robot cycle old, and the kept ones as one older; call before each cycle."""
        self._qpos = np.concatenate([self._batch.qpos[None], self._qpos[:-1]])
        self._qvel = np.concatenate([self._batch.qvel[None], self._qvel[:-1]])

    def restart(self, rows: Bools) -> None:
        """Make the present of ``rows`` their past too."""
        self._qpos[:, rows] = self._batch.qpos[rows]
        self._qvel[:, rows] = self._batch.qvel[rows]

    def motion(self, vel_before: Array, seconds: float, torque: Array, demand: Array) -> Motion:
        """Return the present.

        Args:
            vel_before: (N, n) [rad/s] the joints' velocities ``seconds`` ago.
            seconds: since then.
            torque: (N, n) [N m] of the last physics step.
            demand: (N, n) see ``Motion``.
        """
        batch = self._batch
        qpos, qvel, sensors = batch.qpos, batch.qvel, batch.sensors
        quat = qpos[:, 3:7] / np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
        contact, bad = self._plant.contacts(sensors)
        feet, foot_vel = self._plant.foot_motion(sensors)
        scan = self.scan(qpos[:, :2], heading(quat))
        under = scan[:, _UNDER].mean(axis=1)
        joint_vel = qvel[:, self._v].copy()
        return Motion(
            height=qpos[:, 2] - under,
            base_quat_wxyz=quat,
            base_lin_vel=rotate_inverse(quat, qvel[:, :3]),
            base_ang_vel=qvel[:, 3:6].copy(),
            gravity=gravity_in_base(quat),
            joint_pos=qpos[:, self._q].copy(),
            joint_vel=joint_vel,
            joint_acc=(joint_vel - vel_before) / seconds,
            torque=torque,
            demand=demand,
            foot_contact=contact,
            foot_height=feet[:, :, 2] - self._fleet.grounds.at(self._fleet.tile, feet[:, :, :2]),
            foot_vel=foot_vel,
            bad_contact=bad,
            scan=scan - under[:, None],
        )

    def late(self, motion: Motion, age: Index) -> Motion:
        """Return ``motion`` with the measured parts ``age`` (N,) robot cycles old: what a policy sees."""
        if not age.any():
            return motion
        rows = np.arange(len(age))
        qpos = np.where((age == 0)[:, None], self._batch.qpos, self._qpos[age - 1, rows])
        qvel = np.where((age == 0)[:, None], self._batch.qvel, self._qvel[age - 1, rows])
        quat = qpos[:, 3:7] / np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
        return replace(
            motion,
            base_ang_vel=qvel[:, 3:6],
            gravity=gravity_in_base(quat),
            joint_pos=qpos[:, self._q],
            joint_vel=qvel[:, self._v],
        )

    def feet(self) -> Array:
        """Return the feet's lowest points in the world (N, f, 3) [m]."""
        return self._plant.foot_motion(self._batch.sensors)[0]

    def scan(self, xy: Array, yaw: Array, rows: Bools | None = None) -> Array:
        """Return the ground's heights [m] (N, points) around places (N, 2) under headings (N,), of robots ``rows``."""
        tile = self._fleet.tile if rows is None else self._fleet.tile[rows]
        return self._fleet.grounds.at(tile, around(SCAN_POINTS, xy, yaw))

    def highest(self, xy: Array, yaw: Array, rows: Bools) -> Array:
        """Return the highest ground [m] under and near robots ``rows`` that are put at ``xy`` with heading ``yaw``."""
        return np.asarray(self.scan(xy, yaw, rows)[:, _NEAR].max(axis=1))


def around(points: Array, xy: Array, yaw: Array) -> Array:
    """Return ``points`` (points, 2), ahead and left of robots at ``xy`` (N, 2) with heading ``yaw`` (N,), in the world.

    Returns:
        (N, points, 2) [m].
    """
    sine, cosine = np.sin(yaw)[:, None], np.cos(yaw)[:, None]
    ahead, left = points.T
    return np.stack([xy[:, :1] + cosine * ahead - sine * left, xy[:, 1:2] + sine * ahead + cosine * left], axis=2)
