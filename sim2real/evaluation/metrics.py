"""What an episode comes to: numbers that grow cycle by cycle, from the records and the simulator's ground truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from robot_policies.types import Array, Mode, RobotRecord
from sim2real.evaluation.course import Success
from sim2real.mujoco.robot import GroundTruth

SECOND = 1_000_000_000  # [ns]
AXES = ("lin_vel_x", "lin_vel_y", "ang_vel_z")
# [N] A foot has come down when its force passes the first and is up when it falls below the second: 20 and 5 standard
# deviations of the Go2's foot sensors, and an eighth of what a foot carries at rest.
FOOT_DOWN, FOOT_UP = 20.0, 5.0


class Metrics:
    """A subscriber of robot records. Everything counts from activation on; velocities from ``success.settle`` after it.

    Attributes:
        modes: each mode with the time at which it was entered [s of the robot's clock].
        trips: the time, name and detail of each trip.
        fell_s: time at which the robot fell, None if it did not: base or thigh on the ground, or too much tilt.
        active_ns: stamp of the first active cycle, None before.
        stamp_ns: stamp of the newest cycle, 0 before the first.
    """

    def __init__(self, success: Success, command: tuple[float, float, float], truth: Callable[[], GroundTruth]) -> None:
        """Start with nothing seen.

        Args:
            success: the rules of the course.
            command: velocity in the base frame: x [m/s], y [m/s], yaw [rad/s].
            truth: gives the true state at the end of the cycle that is being recorded.
        """
        self._success, self._command, self._truth = success, command, truth
        self.modes: list[tuple[float, str]] = []
        self.trips: list[tuple[float, str, str]] = []
        self.fell_s: float | None = None
        self.active_ns: int | None = None
        self.stamp_ns = 0
        self._seen: tuple[object, ...] = ()  # the trips of the last record
        self._gait = _Gait()
        self._start = self._settled = self._position = np.zeros(3)
        self._drift, self._tilt, self._judged = 0.0, 0.0, 0
        self._sum, self._squares = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]

    def __call__(self, record: RobotRecord) -> None:
        """Add one robot cycle."""
        stamp_ns = record.state.stamp_ns
        self._note(record, stamp_ns / SECOND)
        truth = self._truth()
        if self.active_ns is not None:
            self._follow(record, truth, (stamp_ns - self.stamp_ns) / SECOND)
        elif record.mode is Mode.ACTIVE:
            self.active_ns, self._start, self._position = stamp_ns, truth.position, truth.position
        self.stamp_ns = stamp_ns

    @property
    def active_s(self) -> float:
        """Time since activation [s]; 0 before."""
        return 0.0 if self.active_ns is None else (self.stamp_ns - self.active_ns) / SECOND

    def failures(self) -> tuple[str, ...]:
        """Return why the episode is no success; nothing if it is one."""
        found = [f"{name} trip at {at:.2f} s: {detail}" for at, name, detail in self.trips]
        if self.active_ns is None:
            return (*found, "never active")
        if self.fell_s is not None:
            found.insert(0, f"fell at {self.fell_s:.2f} s")
        if not self._judged:
            return (*found, f"not active for {self._success.settle:g} s")
        return (*found, *self._astray())

    def numbers(self) -> dict[str, float]:
        """Return the metrics by name; docs/evaluation.md explains them. Velocities are 0 before ``success.settle``."""
        judged = max(1, self._judged)
        mean = [total / judged for total in self._sum]
        error = [math.sqrt(total / judged) for total in self._squares]
        away = self._position - self._start
        tracking = {f"{axis}_error": value for axis, value in zip(AXES, error, strict=True)}
        return {
            "active_s": self.active_s,
            "distance_m": math.hypot(away[0], away[1]),
            "speed_mps": mean[0],
            "lin_vel_y": mean[1],
            "ang_vel_z": mean[2],
            **tracking,
            "drift_m": self._drift,
            "tilt_max_rad": self._tilt,
            **self._gait.numbers(),
        }

    def _astray(self) -> list[str]:
        """Say on which commanded axes the mean velocity is off, or how far a robot told to stand has wandered."""
        limits, mean = self._success, [total / self._judged for total in self._sum]
        if not any(self._command):
            wandered = f"wandered {self._drift:.2f} m at zero command; limit {limits.drift:g} m"
            return [wandered] if self._drift > limits.drift else []
        return [
            f"{axis} {is_:.2f} for a command of {asked:g}; limit {100 * limits.velocity_tolerance:g} %"
            for axis, is_, asked in zip(AXES, mean, self._command, strict=True)
            if asked and not abs(is_ - asked) <= limits.velocity_tolerance * abs(asked)
        ]

    def _note(self, record: RobotRecord, now_s: float) -> None:
        if not self.modes or self.modes[-1][1] != record.mode.value:
            self.modes.append((now_s, record.mode.value))
        if record.trips is not self._seen:
            new = [trip for trip in record.trips if trip not in self._seen]
            self.trips += [(trip.stamp_ns / SECOND, trip.name, trip.detail) for trip in new]
            self._seen = record.trips

    def _follow(self, record: RobotRecord, truth: GroundTruth, dt: float) -> None:
        self._gait.add(record, float(truth.position[2]), dt)
        _, x, y, _ = truth.quat_wxyz.tolist()
        tilt = math.acos(max(-1.0, 1.0 - 2.0 * (x * x + y * y)))
        self._tilt = max(self._tilt, tilt)
        if self.fell_s is None and (truth.ground_contacts or tilt > self._success.tilt):
            self.fell_s = record.state.stamp_ns / SECOND
        self._position = truth.position
        if record.state.stamp_ns - (self.active_ns or 0) < self._success.settle * SECOND:
            self._settled = truth.position
        else:
            self._judge(truth)

    def _judge(self, truth: GroundTruth) -> None:
        # plain floats: for three numbers they are several times as fast as arrays
        x, y, _ = truth.base_lin_vel.tolist()
        self._judged += 1
        for axis, value in enumerate((x, y, float(truth.base_ang_vel[2]))):
            self._sum[axis] += value
            self._squares[axis] += (value - self._command[axis]) ** 2
        away = (truth.position - self._settled).tolist()
        self._drift = max(self._drift, math.hypot(away[0], away[1]))


class _Gait:
    """How hard and how the robot works."""

    def __init__(self) -> None:
        self._cycles, self._clamped, self._touchdowns = 0, 0, 0.0
        self._seconds = self._height = self._effort_squares = self._energy = self._peak = 0.0
        self._down: list[bool] | None = None

    def add(self, record: RobotRecord, height: float, dt: float) -> None:
        state = record.state
        effort: Array = np.abs(state.joint_effort)
        self._cycles += 1
        self._seconds += dt
        self._clamped += bool(record.clamps)
        self._height += height
        self._peak = max(self._peak, float(effort.max()))
        self._effort_squares += float(effort @ effort) / effort.size
        self._energy += float(effort @ np.abs(state.joint_vel)) * dt
        forces = state.foot_force.tolist()
        before = [force > FOOT_DOWN for force in forces] if self._down is None else self._down
        self._down = [force > (FOOT_UP if down else FOOT_DOWN) for force, down in zip(forces, before, strict=True)]
        landed = sum(now and not down for now, down in zip(self._down, before, strict=True))
        self._touchdowns += landed / max(1, len(forces))

    def numbers(self) -> dict[str, float]:
        cycles, seconds = max(1, self._cycles), max(self._seconds, 1e-9)
        return {
            "base_height_m": self._height / cycles,
            "step_hz": self._touchdowns / seconds,
            "torque_peak_nm": self._peak,
            "torque_rms_nm": math.sqrt(self._effort_squares / cycles),
            "energy_j": self._energy,
            "power_w": self._energy / seconds,
            "clamped_cycles": float(self._clamped),
        }
