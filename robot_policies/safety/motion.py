"""What the robot does of itself: stand, sit, hold, damping. No policy takes part."""

from __future__ import annotations

import numpy as np

from robot_policies.safety.landings import DAMPING, SIT
from robot_policies.safety.limits import SafetyLimits
from robot_policies.safety.ramp import GainRamp, PoseRamp
from robot_policies.types import Array, JointCommand, owned

STAND = "stand"  # name of the stand gains on joint_command_sent
Gains = tuple[Array, Array]  # stiffness, damping


class Motion:
    """A bounded way to a pose under the robot's stand gains, which come in gradually too."""

    def __init__(self, pose: PoseRamp, gains: GainRamp) -> None:
        """Take both ways."""
        self._pose, self._gains = pose, gains
        self._zero = owned(np.zeros(pose.goal.shape))

    def command(self, stamp_ns: int, now_ns: int) -> JointCommand:
        """Return what to ask of the motors at ``now_ns``."""
        stiffness, damping = self._gains.at(now_ns)
        return JointCommand(stamp_ns, self._pose.at(now_ns), self._zero, self._zero, stiffness, damping, STAND)

    def done(self, now_ns: int) -> bool:
        """Whether the way is over."""
        return now_ns >= self._pose.end_ns


def to_stand(limits: SafetyLimits, start: Array, gains: Gains, now_ns: int) -> Motion:
    """Return the way from ``start`` (n,) [rad], held with ``gains`` until now, to the start pose."""
    pose = PoseRamp(within(limits, start), limits.stand_pose, now_ns, limits.stand_speed, limits.stand_min_ns)
    return Motion(pose, _stand_gains(limits, gains, now_ns))


def settle(limits: SafetyLimits, start: Array, gains: Gains, now_ns: int) -> Motion:
    """Return the quick way to the start pose that ends a policy's motion; arguments as of ``to_stand``."""
    pose = PoseRamp(within(limits, start), limits.stand_pose, now_ns, limits.settle_speed, limits.settle_min_ns)
    return Motion(pose, _stand_gains(limits, gains, now_ns))


def to_sit(limits: SafetyLimits, start: Array, gains: Gains, now_ns: int) -> Motion:
    """Return the way from ``start`` (n,) [rad], held with ``gains`` until now, to the sit pose."""
    pose = PoseRamp(within(limits, start), limits.sit_pose, now_ns, limits.sit_speed, limits.sit_min_ns)
    return Motion(pose, _stand_gains(limits, gains, now_ns))


def hold(limits: SafetyLimits, joint_pos: Array, gains: Gains, now_ns: int) -> Motion:
    """Return staying at ``joint_pos`` (n,) [rad], with the stand gains."""
    there = within(limits, joint_pos)
    return Motion(PoseRamp(there, there, now_ns, limits.stand_speed, 1), _stand_gains(limits, gains, now_ns))


def within(limits: SafetyLimits, joint_pos: Array) -> Array:
    """Return ``joint_pos`` (n,) [rad] with joints that lean on a stop, or on its noise, put at the robot's limit."""
    return owned(np.minimum(np.maximum(joint_pos, limits.lower), limits.upper))


def damping(limits: SafetyLimits, joint_pos: Array, stamp_ns: int) -> JointCommand:
    """Return the command that only brakes: it takes energy out of every joint, whatever the state."""
    zero = owned(np.zeros(joint_pos.shape))
    return JointCommand(stamp_ns, joint_pos, zero, zero, zero, limits.damping, DAMPING)


def landing_motion(limits: SafetyLimits, landing: str, joint_pos: Array, gains: Gains, now_ns: int) -> Motion | None:
    """Return how to land from the measured ``joint_pos``; None for damping."""
    if landing == DAMPING:
        return None
    make = to_sit if landing == SIT else hold
    return make(limits, joint_pos, gains, now_ns)


def _stand_gains(limits: SafetyLimits, gains: Gains, now_ns: int) -> GainRamp:
    return GainRamp(gains, (limits.stand_stiffness, limits.stand_damping), now_ns, limits.gain_ramp_ns)
