"""What must hold for a state before anything may lean on it. Finiteness first: comparisons let NaN pass."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from robot_policies.safety.limits import SECOND, SafetyLimits
from robot_policies.types import Array, RobotState

Fault = tuple[str, str]  # name of the trip, what was measured against what

UNIT = 0.05  # by which the norm of a rotation may miss 1: float32 drivers and filters stay below 1e-3


@np.errstate(over="ignore")
def finite(array: Array) -> bool:
    """Whether all values are finite (and below 1e154, whose square is not). One pass, no array in between."""
    return math.isfinite(array.dot(array))


class Sustained:
    """Says when a condition has held for ``duration_ns`` without a break."""

    def __init__(self, duration_ns: int) -> None:
        """Start with the condition not holding."""
        self._duration_ns = duration_ns
        self._since: int | None = None

    def __call__(self, holds: bool, now_ns: int) -> bool:
        """Note whether the condition ``holds`` at ``now_ns``; return whether it has held for long enough."""
        if not holds:
            self._since = None
            return False
        if self._since is None or now_ns < self._since:  # the second where a clock went back
            self._since = now_ns
        return now_ns - self._since >= self._duration_ns


class StateCheck:
    """Checks every state once, in order. Keeps only stamps and since when each limit is passed."""

    def __init__(self, limits: SafetyLimits) -> None:
        """Take the limits of the robot."""
        self._limits = limits
        n = len(limits.joint_names)
        self._shapes = ((n,), (n,), (n,), (4,), (3,), (3,), (limits.feet,))
        self._all = np.zeros(3 * n + 10 + limits.feet)
        self._measured_joints = self._all[: 2 * n]  # positions, velocities
        self._imu = self._all[3 * n + 4 : 3 * n + 10]  # gyroscope, accelerometer
        self._imu_before: bytes | None = None
        self._low = np.concatenate([limits.joint_lower, -limits.joint_vel])
        self._high = np.concatenate([limits.joint_upper, limits.joint_vel])
        self._frozen = Sustained(limits.frozen_ns)
        self._tilt = Sustained(limits.tilt_ns)
        self._joint_vel = Sustained(limits.joint_vel_ns)
        self._joint_pos = Sustained(limits.joint_pos_ns)
        self._stamp_ns: int | None = None
        self._now_ns: int | None = None
        self._monotonic_ns: int | None = None
        self._up = math.inf  # cosine of the newest tilt; nothing leans before the first state
        self._upright = math.cos(limits.tilt)
        self.lean(0.0)

    def lean(self, tilt: float) -> None:
        """Let the base lean by ``tilt`` [rad] from now on: never less than the limit, never more than its ceiling."""
        self._allowed = min(max(self._limits.tilt, tilt), self._limits.tilt_ceiling)
        self._cos_tilt = math.cos(self._allowed)

    def leaning(self) -> tuple[Fault, ...]:
        """Return ``tilt`` where the newest state leans over the file's limit, be it for how short a time."""
        if self._up >= self._upright:
            return ()
        return (("tilt", f"over {self._limits.tilt:g} rad, too far for a stiff landing"),)

    def __call__(self, state: RobotState, now_ns: int, monotonic_ns: int | None = None) -> tuple[Fault, ...]:
        """Return the faults of ``state`` now; none means that it can be trusted.

        Args:
            state: the newest state, never one that was checked before.
            now_ns: the robot's clock [ns].
            monotonic_ns: the machine's monotonic clock [ns] where the robot's clock should run beside it.
        """
        faults = self._clocks(state.stamp_ns, now_ns, monotonic_ns)
        invalid = self._invalid(state)
        if invalid is not None:
            return (*faults, ("state_invalid", invalid))
        return (*faults, *self._measured(state))

    def _clocks(self, stamp_ns: int, now_ns: int, monotonic_ns: int | None) -> tuple[Fault, ...]:
        faults = (*self._steps(now_ns, monotonic_ns), *self._stamp(stamp_ns, now_ns))
        self._stamp_ns, self._now_ns, self._monotonic_ns = stamp_ns, now_ns, monotonic_ns
        return faults

    def _steps(self, now_ns: int, monotonic_ns: int | None) -> tuple[Fault, ...]:
        if self._now_ns is None:
            return ()
        passed = now_ns - self._now_ns
        if passed < 0:
            return (("clock", f"the robot's clock went back by {-passed / SECOND:.6f} s"),)
        if monotonic_ns is None or self._monotonic_ns is None:
            return ()
        apart = passed - (monotonic_ns - self._monotonic_ns)
        if abs(apart) > self._limits.clock_step_ns:
            return (("clock", f"the robot's clock stepped by {apart / SECOND:.6f} s against the monotonic clock"),)
        return ()

    def _stamp(self, stamp_ns: int, now_ns: int) -> tuple[Fault, ...]:
        limits, age = self._limits, now_ns - stamp_ns
        faults: list[Fault] = []
        if age > limits.state_age_ns:
            faults.append(("state_age", f"{age / SECOND:.3f} s old; limit {limits.state_age_ns / SECOND:g} s"))
        if -age > limits.state_future_ns:
            found = f"{-age / SECOND:.6f} s in the future; limit {limits.state_future_ns / SECOND:g} s"
            faults.append(("state_age", found))
        if self._stamp_ns is not None:
            gap = stamp_ns - self._stamp_ns
            if gap <= 0:
                found = f"state stamped {-gap / SECOND:.6f} s before the previous one, or with its stamp"
                faults.append(("clock", found))
            if gap > limits.state_gap_ns:
                found = f"{gap / SECOND:.3f} s between two states; limit {limits.state_gap_ns / SECOND:g} s"
                faults.append(("state_gap", found))
        return tuple(faults)

    def _invalid(self, state: RobotState) -> str | None:
        arrays = (
            state.joint_pos,
            state.joint_vel,
            state.joint_effort,
            state.base_quat_wxyz,
            state.base_ang_vel,
            state.base_lin_acc,
            state.foot_force,
        )
        for array, shape, name in zip(arrays, self._shapes, _NAMES, strict=True):
            if array.shape != shape:
                return f"{name}: shape {array.shape}, not {shape}"
        np.concatenate(arrays, out=self._all)
        if not finite(self._all):
            for array, name in zip(arrays, _NAMES, strict=True):
                if not finite(array):
                    return f"{name}: not finite"
        velocity = state.base_lin_vel
        if velocity is not None and (velocity.shape != (3,) or not finite(velocity)):
            return "base_lin_vel: not finite, or not of shape (3,)"
        norm = math.sqrt(state.base_quat_wxyz.dot(state.base_quat_wxyz))
        if abs(norm - 1.0) > UNIT:
            return f"base_quat_wxyz: norm {norm:.3f}, not 1"
        return None

    def _still(self, stamp_ns: int) -> tuple[Fault, ...]:
        """Tell old values under new stamps: an IMU's own noise never stands still, however still the robot is."""
        imu, before = self._imu.tobytes(), self._imu_before
        self._imu_before = imu
        if not self._frozen(imu == before, stamp_ns):
            return ()
        limit = self._limits.frozen_ns / SECOND
        return (("state_frozen", f"the IMU repeats one reading bit for bit; limit {limit:g} s"),)

    def _measured(self, state: RobotState) -> tuple[Fault, ...]:
        stamp_ns = state.stamp_ns
        faults = list(self._still(stamp_ns))
        w, x, y, z = state.base_quat_wxyz.tolist()
        self._up = up = 1.0 - 2.0 * (x * x + y * y) / (w * w + x * x + y * y + z * z)  # cosine of the tilt
        if self._tilt(up < self._cos_tilt, stamp_ns):
            faults.append(("tilt", f"{math.acos(max(up, -1.0)):.2f} rad; limit {self._allowed:g} rad"))
        joints = self._measured_joints  # of this state, filled as it was found valid
        if np.count_nonzero(joints < self._low) or np.count_nonzero(joints > self._high):
            faults += self._joints(state)
        else:
            self._joint_vel(False, stamp_ns)
            self._joint_pos(False, stamp_ns)
        return tuple(faults)

    def _joints(self, state: RobotState) -> list[Fault]:
        limits, stamp_ns = self._limits, state.stamp_ns
        faults: list[Fault] = []
        fast = np.abs(state.joint_vel) > limits.joint_vel
        if self._joint_vel(bool(fast.any()), stamp_ns):
            faults.append(("joint_vel", _worst(limits, fast, state.joint_vel, "rad/s")))
        outside = (state.joint_pos < limits.joint_lower) | (state.joint_pos > limits.joint_upper)
        if self._joint_pos(bool(outside.any()), stamp_ns):
            faults.append(("joint_pos", _worst(limits, outside, state.joint_pos, "rad")))
        return faults


_NAMES = ("joint_pos", "joint_vel", "joint_effort", "base_quat_wxyz", "base_ang_vel", "base_lin_acc", "foot_force")


def _worst(limits: SafetyLimits, mask: npt.NDArray[np.bool_], values: Array, unit: str) -> str:
    """Name the joints that pass a limit, with what they measure."""
    return ", ".join(f"{limits.joint_names[i]} {values[i]:.2f} {unit}" for i in np.flatnonzero(mask))
