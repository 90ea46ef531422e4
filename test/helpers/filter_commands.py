"""Commands to a Go2 for the tests of the filter, and the torque that its motors would make of them."""

from __future__ import annotations

from helpers import safety as kit

from robot_policies.types import Array, JointCommand, RobotState, owned

NAMES = kit.go2().joint_names
LIMITS = kit.go2_limits()


def torque_of(command: JointCommand, state: RobotState) -> Array:
    return (
        command.stiffness * (command.joint_pos - state.joint_pos)
        + command.damping * (command.joint_vel - state.joint_vel)
        + command.joint_effort
    )


def soft(stiffness: float = 1.0, damping: float = 0.5, **changes: object) -> JointCommand:
    """A command whose gains are too small to reach a torque limit."""
    return kit.command(0, kit.profile(stiffness=stiffness, damping=damping), **changes)


def at(joint: int, value: float, rest: Array = kit.STAND) -> Array:
    return kit.poisoned(owned(rest), joint, value)
