"""The motors: joint PD with the peak torque and the torque-speed curve that a real motor has.

One pure function, used by the simulated robot (n joints) and by training (environments x n joints).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array


@dataclass(frozen=True, slots=True)
class MotorLimits:
    """What each motor can give at its joint; arrays of one shape, usually (n,).

    A motor that drives (torque along the speed) gives ``effort`` up to ``knee_speed`` and then, short of voltage,
    linearly less, until nothing is left at ``no_load_speed``. A motor that brakes gives ``effort`` at every speed.
    """

    effort: Array  # peak torque [N m]
    knee_speed: Array  # fastest speed at peak torque [rad/s]
    no_load_speed: Array  # speed at which no driving torque is left [rad/s]
    slope: Array = field(init=False)  # torque lost per speed beyond the knee [N m s/rad]
    reserve: Array = field(init=False)  # what the falling line would give at rest [N m]

    def __post_init__(self) -> None:
        """Check that 0 < effort and 0 <= knee_speed < no_load_speed, all finite, or raise RobotError."""
        values = np.stack(np.broadcast_arrays(self.effort, self.knee_speed, self.no_load_speed))
        effort, knee, no_load = values
        if not (np.isfinite(values).all() and (effort > 0).all() and (knee >= 0).all() and (knee < no_load).all()):
            raise RobotError(
                expected("motor limits", values.tolist(), "finite, 0 < effort and 0 <= knee_speed < no_load_speed")
            )
        slope = self.effort / (self.no_load_speed - self.knee_speed)
        object.__setattr__(self, "slope", slope)
        object.__setattr__(self, "reserve", self.no_load_speed * slope)


def motor_limits(spec: RobotSpec) -> MotorLimits:
    """Return the limits of the robot file's motors, in motor order."""
    return MotorLimits(spec.effort_limit, spec.torque_speed[:, 0], spec.torque_speed[:, 1])


def torque_bounds(joint_vel: Array, limits: MotorLimits) -> tuple[Array, Array]:
    """Return the least and the greatest torque [N m] that the motors can give at ``joint_vel`` (..., n) [rad/s]."""
    falling = limits.slope * joint_vel
    upper = np.minimum(np.maximum(limits.reserve - falling, 0.0), limits.effort)
    lower = np.maximum(np.minimum(-limits.reserve - falling, 0.0), -limits.effort)
    return lower, upper


def motor_torque(
    joint_pos: Array,
    joint_vel: Array,
    target_pos: Array | float,
    target_vel: Array | float,
    feedforward: Array | float,
    stiffness: Array | float,
    damping: Array | float,
    limits: MotorLimits,
) -> Array:
    """Return the torque [N m] that the motors really give for a joint PD command.

    ``clip(stiffness (pos* - pos) + damping (vel* - vel) + feedforward)`` by what ``limits`` allow at the present speed.

    Args:
        joint_pos: (..., n) measured [rad]. All arrays broadcast, so gains may be (n,) or (environments, n).
        joint_vel: (..., n) measured [rad/s].
        target_pos: (..., n) [rad].
        target_vel: (..., n) [rad/s].
        feedforward: (..., n) [N m].
        stiffness: (..., n) [N m/rad].
        damping: (..., n) [N m s/rad].
        limits: of the motors, in the same joint order.
    """
    wanted = stiffness * (target_pos - joint_pos) + damping * (target_vel - joint_vel) + feedforward
    lower, upper = torque_bounds(joint_vel, limits)
    return np.minimum(np.maximum(wanted, lower), upper)
