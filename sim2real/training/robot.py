"""A robot under training: its constants, its motors, and what an action means to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_policies.types import Array
from sim2real.mujoco.plant import MotorLimits, motor_torque
from sim2real.randomization.actuators import Actuators
from sim2real.training.rewards import Body
from sim2real.training.task import Task


@dataclass(frozen=True)
class Gains:
    """Of all robots, (N, n) each."""

    stiffness: Array  # [N m/rad]
    damping: Array  # [N m s/rad]
    strength: Array  # factor on the torque


@dataclass(frozen=True)
class TrainedRobot:
    """What training needs to know of a robot; joints are in robot order."""

    joint_names: tuple[str, ...]
    feet: tuple[str, ...]
    body: Body
    motors: MotorLimits
    stand_height: float  # [m] of the trunk's origin when it stands in the default pose

    def target(self, action: Array, scale: float) -> Array:
        """Return joint targets [rad] (N, n) for clipped actions (N, n), as the bundle's decoder does."""
        return np.asarray(self.body.default_joint_pos + scale * action)

    def gains(self, task: Task, actuators: Actuators) -> Gains:
        """Return the task's gains as the drawn robots have them; legs are joints in threes: hip, thigh, calf."""
        legs = len(self.joint_names) // 3
        return Gains(
            stiffness=np.tile(task.stiffness, legs) * actuators.stiffness,
            damping=np.tile(task.damping, legs) * actuators.damping,
            strength=actuators.strength,
        )

    def demand(self, target: Array, joint_pos: Array, joint_vel: Array, gains: Gains) -> Array:
        """Return the torque that the PD asks for as a share of the peak, (N, n): what the safety filter checks."""
        asked = gains.stiffness * (target - joint_pos) - gains.damping * joint_vel
        return np.asarray(np.abs(asked) / self.motors.effort)

    def torque(self, target: Array, joint_pos: Array, joint_vel: Array, gains: Gains) -> Array:
        """Return the motors' torques [N m] (N, n); a weaker motor turns the same command into less torque."""
        stiffness, damping = gains.strength * gains.stiffness, gains.strength * gains.damping
        return motor_torque(joint_pos, joint_vel, target, 0.0, 0.0, stiffness, damping, self.motors)
