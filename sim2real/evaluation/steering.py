"""An operator who keeps a robot in its lane, as a person with a pad or a planner does."""

from __future__ import annotations

import math
from collections.abc import Callable

from sim2real.mujoco.robot import GroundTruth

AHEAD = 1.5  # [m] at which the operator looks
FASTEST = 1.0  # [rad/s]


def steering(gain: float, truth: Callable[[], GroundTruth]) -> Callable[[], float] | None:
    """Return what gives the yaw rate [rad/s] towards a point of the lane's middle line ahead; None for a gain of 0.

    Args:
        gain: yaw rate per angle [1/s].
        truth: gives where the robot is.
    """
    if gain == 0.0:
        return None

    def rate() -> float:
        now = truth()
        w, x, y, z = now.quat_wxyz.tolist()
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        away = math.atan2(-float(now.position[1]), AHEAD) - yaw
        error = math.atan2(math.sin(away), math.cos(away))
        return max(-FASTEST, min(FASTEST, gain * error))

    return rate
