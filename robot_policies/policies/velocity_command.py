"""What a velocity command means to a policy: the ranges trained for, dead bands, and the absence of one."""

from __future__ import annotations

from robot_policies.contract import CommandAxis, Contract
from robot_policies.exceptions import BundleError, InputError, expected
from robot_policies.types import VelocityCommand


class VelocityConditioner:
    """Clamps each axis to its range, and gives 0 inside its dead band; an absent or old command as the bundle says.

    An axis asked for at most its dead band, or exactly 0, is 0 even where the range excludes 0: standing is always
    possible to ask for. So is the other direction of an axis that has only one: backwards never means forwards.

    Raises:
        BundleError: the contract takes no velocity command.
    """

    def __init__(self, contract: Contract) -> None:
        """Read the axes and the oldest that a command may be."""
        velocity, limit = contract.commands.velocity, contract.limits.inputs.get("velocity_command")
        if velocity is None or limit is None:
            raise BundleError(
                expected(
                    f"bundle {contract.name}: commands.velocity and limits.inputs.velocity_command",
                    "none",
                    "both, or another kind of policy",
                )
            )
        self._axes = (velocity.lin_vel_x, velocity.lin_vel_y, velocity.ang_vel_z)
        self._absent = velocity.absent
        self._max_age_ns = round(limit.max_age * 1e9)

    def __call__(self, command: VelocityCommand | None, now_ns: int) -> VelocityCommand:
        """Return the command that the policy is to see at ``now_ns``, the stamp of the tick's state.

        Raises:
            InputError: the command is from the future, or absent where the bundle cannot go on without one.
        """
        if command is not None:
            age_ns = now_ns - command.stamp_ns
            if age_ns < 0:
                raise InputError(
                    expected(
                        "velocity_command: a stamp at or before the state's",
                        f"{-age_ns * 1e-9:.6f} s after it",
                        "hand it over at the first tick whose state is as new",
                    )
                )
            if age_ns <= self._max_age_ns:
                return self._conditioned(command)
        if self._absent == "zero":
            return VelocityCommand(now_ns, 0.0, 0.0, 0.0)
        found = "none" if command is None else f"one {(now_ns - command.stamp_ns) * 1e-9:.3f} s old"
        limit = f"one at most {self._max_age_ns * 1e-9:g} s old"
        raise InputError(expected("velocity_command: this policy lands without one", found, limit))

    def _conditioned(self, command: VelocityCommand) -> VelocityCommand:
        forward, left, yaw = self._axes
        return VelocityCommand(
            command.stamp_ns,
            _axis(command.lin_vel_x, forward),
            _axis(command.lin_vel_y, left),
            _axis(command.ang_vel_z, yaw),
        )


def _axis(value: float, axis: CommandAxis) -> float:
    if abs(value) <= axis.dead_band:
        return 0.0
    low, high = axis.range
    if low > 0.0 > value or high < 0.0 < value:
        return 0.0
    return min(max(value, low), high)
