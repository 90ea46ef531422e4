"""What a policy step refuses before it looks any further: sizes, finiteness, stamps, ages and tilt."""

from __future__ import annotations

import math

import numpy as np

from robot_policies.contract import Limits
from robot_policies.exceptions import InputError, expected
from robot_policies.finite import all_finite
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import PolicyInputs, RobotState

_UNIT_TOLERANCE = 0.01  # of the squared norm of a quaternion: single precision is a thousand times better


class InputCheck:
    """Checks inputs against the robot and the bundle's limits. Keeps the stamp of the newest accepted state."""

    def __init__(self, spec: RobotSpec, limits: Limits) -> None:
        """Lay out the sizes that a state must have."""
        joints = (len(spec.joint_names),)
        self._sizes = (joints, joints, joints, (4,), (3,), (3,), (len(spec.feet),))
        self._all = np.zeros(3 * joints[0] + 10 + len(spec.feet))
        self._max_age_ns = round(limits.inputs["state"].max_age * 1e9)
        self._tilt, self._min_cosine = limits.tilt, math.cos(min(limits.tilt, math.pi))
        self._newest_ns: int | None = None

    def reset(self) -> None:
        """Forget the newest stamp."""
        self._newest_ns = None

    def __call__(self, inputs: PolicyInputs, now_ns: int | None) -> None:
        """Accept ``inputs`` or refuse them whole.

        Args:
            inputs: of one step.
            now_ns: the robot's clock, against which the state's age is checked; None where the state is the newest
                there can be (lockstep, offline).

        Raises:
            InputError: a size, a value that is not finite, a stamp, an age or the tilt; says which.
        """
        state = inputs.state
        self._check_stamp(state.stamp_ns, now_ns)
        self._check_numbers(state)
        w, x, y, z = state.base_quat_wxyz.tolist()
        if abs(w * w + x * x + y * y + z * z - 1.0) > _UNIT_TOLERANCE:
            raise InputError(expected("state.base_quat_wxyz: a unit quaternion", (w, x, y, z), "norm 1"))
        cosine = 1.0 - 2.0 * (x * x + y * y)
        if cosine < self._min_cosine:
            found = f"{math.acos(max(-1.0, cosine)):.3f} rad"
            raise InputError(expected("state: a tilt within the bundle's limit", found, f"at most {self._tilt:g} rad"))
        command = inputs.velocity_command
        if command is not None and not math.isfinite(command.lin_vel_x + command.lin_vel_y + command.ang_vel_z):
            asked = (command.lin_vel_x, command.lin_vel_y, command.ang_vel_z)
            raise InputError(expected("velocity_command: finite numbers", asked, "m/s and rad/s"))
        self._newest_ns = state.stamp_ns

    def _check_stamp(self, stamp_ns: int, now_ns: int | None) -> None:
        newest = self._newest_ns
        if newest is not None and stamp_ns <= newest:
            raise InputError(expected("state: a stamp after the last step's", f"{stamp_ns} ns", f"over {newest} ns"))
        if now_ns is not None and not 0 <= now_ns - stamp_ns <= self._max_age_ns:
            age = f"{(now_ns - stamp_ns) * 1e-9:.6f} s old"
            valid = f"0 to {self._max_age_ns * 1e-9:g} s"
            raise InputError(expected("state: neither old nor from the future", age, valid))

    def _check_numbers(self, state: RobotState) -> None:
        parts = _parts(state)
        for part, shape in zip(parts, self._sizes, strict=True):
            if part.shape != shape:
                raise InputError(_wrong_size(state, self._sizes))
        np.concatenate(parts, out=self._all)
        if not all_finite(self._all):
            raise InputError(_not_finite(state))
        velocity = state.base_lin_vel
        if velocity is not None and not (velocity.shape == (3,) and all_finite(velocity)):
            raise InputError(expected("state.base_lin_vel: three finite numbers", velocity, "m/s, in the base frame"))


_FIELDS = ("joint_pos", "joint_vel", "joint_effort", "base_quat_wxyz", "base_ang_vel", "base_lin_acc", "foot_force")


def _parts(state: RobotState) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    return (
        state.joint_pos,
        state.joint_vel,
        state.joint_effort,
        state.base_quat_wxyz,
        state.base_ang_vel,
        state.base_lin_acc,
        state.foot_force,
    )


def _wrong_size(state: RobotState, sizes: tuple[tuple[int, ...], ...]) -> str:
    wrong = [
        expected(f"state.{name}: its size", part.shape, str(size))
        for name, part, size in zip(_FIELDS, _parts(state), sizes, strict=True)
        if part.shape != size
    ]
    return "; ".join(wrong)


def _not_finite(state: RobotState) -> str:
    wrong = [
        expected(f"state.{name}[{i}]: a finite number", part[i], "a working sensor")
        for name, part in zip(_FIELDS, _parts(state), strict=True)
        for i in np.flatnonzero(~np.isfinite(part))
    ]
    return "; ".join(wrong[:4])
