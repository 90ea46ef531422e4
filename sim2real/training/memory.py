"""What the robots remember between control steps: actions, swings, how well the command was followed."""

from __future__ import annotations

import numpy as np

from robot_policies.types import Array
from sim2real.training.motion import Bools, Gait, Motion

_MEAN_S = 0.4  # [s], over which the error is averaged: more than one stride


class Memory:
    """Rows are robots. ``Gait`` is what the rewards and the observation see of it."""

    def __init__(self, envs: int, default_joint_pos: Array, feet: int, control_dt: float) -> None:
        """Remember nothing yet."""
        joints = len(default_joint_pos)
        self._default, self._dt = default_joint_pos, control_dt
        self._action = np.zeros((3, envs, joints))  # newest, one and two steps before
        self.target = np.tile(default_joint_pos, (envs, 1))
        self._swing = np.zeros((envs, feet))
        self._landed = np.zeros((envs, feet), dtype=bool)
        self._error = np.zeros((envs, 3))
        self.asked = np.zeros(envs)  # [m] of way that the commands asked for since the start
        self.done = np.zeros(envs)  # [m] of way along the commands since the start

    def act(self, action: Array, target: Array) -> None:
        """Take the newest action and its target (N, n)."""
        self._action = np.stack([action, self._action[0], self._action[1]])
        self.target = target

    def walk(self, motion: Motion, command: Array) -> None:
        """Count one control step: swings, error, way.

        The step on which a foot lands still shows the whole swing.
        """
        contact = motion.foot_contact
        self._swing = np.where(self._landed, 0.0, self._swing)
        self._landed = contact & (self._swing > 0.0)
        self._swing = np.where(contact, self._swing, self._swing + self._dt)
        velocity = np.concatenate([motion.base_lin_vel[:, :2], motion.base_ang_vel[:, 2:]], axis=1)
        self._error += (velocity - command - self._error) * (self._dt / _MEAN_S)
        speed = np.linalg.norm(command[:, :2], axis=1)
        along = (velocity[:, :2] * command[:, :2]).sum(axis=1) / np.maximum(speed, 1e-6)
        self.asked += speed * self._dt
        self.done += np.minimum(along, speed) * self._dt

    def restart(self, rows: Bools) -> None:
        """Forget everything of the robots of ``rows``."""
        self._action[:, rows] = 0.0
        self.target[rows] = self._default
        self._swing[rows], self._landed[rows], self._error[rows] = 0.0, False, 0.0
        self.asked[rows], self.done[rows] = 0.0, 0.0

    def gait(self, command: Array) -> Gait:
        """Return the value that the rewards read, under ``command`` (N, 3)."""
        newest, before, before_that = self._action
        return Gait(
            command=command,
            moving=np.abs(command).max(axis=1) > 0.0,
            action=newest,
            action_1=before,
            action_2=before_that,
            target=self.target,
            swing=self._swing,
            landed=self._landed,
            error=self._error,
        )
