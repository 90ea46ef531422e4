"""A Go2 without physics for the safety tests, and the limits of its safety file written down a second time.

The numbers here are on purpose not read from the configuration: whoever changes a limit has to change it twice.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from robot_policies.control.lease import Lease
from robot_policies.control.robot_step import RobotStep
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.safety.limits import SafetyLimits, load_safety
from robot_policies.safety.state_machine import Reply, Request
from robot_policies.types import Array, GainProfile, JointCommand, Mode, RobotHealth, RobotRecord, RobotState, owned

CONFIG = Path(__file__).resolve().parents[2] / "config"
GO2_FILE = CONFIG / "safety" / "go2.yaml"

MS = 1_000_000  # [ns]
CYCLE = 5 * MS
DT = 20 * MS
N = 12

LOWER = np.array([-1.0472, -1.5708, -2.7227] * 2 + [-1.0472, -0.5236, -2.7227] * 2)
UPPER = np.array([1.0472, 3.4907, -0.83776] * 2 + [1.0472, 4.5379, -0.83776] * 2)
BEYOND, SOFT = 1.0, 0.1
RATE = 125.0
TARGET_VEL = np.array([30.1, 30.1, 15.7] * 4)
TORQUE = np.array([23.7, 23.7, 45.43] * 4)
CLAMP_CYCLES = 100
MAX_STIFFNESS, MAX_DAMPING, GAIN_RAMP = 120.0, 6.0, 200 * MS
STATE_AGE, STATE_GAP, FUTURE, CLOCK_STEP = 100 * MS, 100 * MS, 5 * MS, 50 * MS
FROZEN = 100 * MS
TILT, TILT_TIME = 1.0, 100 * MS
JOINT_VEL, JOINT_VEL_TIME = np.array([40.0, 40.0, 30.0] * 4), 20 * MS
STRAY, STRAY_TIME = 0.1, 100 * MS
COMMAND_AGE, GRACE = 80 * MS, 300 * MS  # at 50 Hz: four ticks
STAND = np.array([0.0, 0.8, -1.5] * 4)
SIT = np.array([0.0, 1.36, -2.65] * 2 + [-0.2, 1.36, -2.65, 0.2, 1.36, -2.65])
STAND_STIFFNESS, STAND_DAMPING = 60.0, 5.0
TOLERANCE = 0.3
DAMPING = 3.0
MOTOR_HEAT, MOTOR_HEAT_TIME = 85.0, 50 * MS
MOTOR_LOST, MOTOR_LOST_TIME = 50, 500 * MS
MOTOR_ERROR_TIME = 50 * MS
CHARGE, CHARGE_TIME = 0.1, 5000 * MS
HARD = (
    *("estop", "robot", "state_invalid", "state_age", "state_gap", "clock", "tilt", "joint_pos", "joint_vel"),
    *("state_frozen", "rival", "motor_lost", "motor_error"),
)
SOFT_TRIPS = ("clamping", "command_age", "command_invalid", "policy", "motor_temperature", "battery")
LANDINGS = {
    **{(trip, mode): "none" for trip in HARD + SOFT_TRIPS for mode in [Mode.DISARMED]},
    **{(trip, mode): "damping" for trip in HARD + SOFT_TRIPS for mode in [Mode.DAMPING, Mode.LANDING]},
    **{(trip, mode): "damping" for trip in HARD for mode in [Mode.STAND, Mode.ACTIVE]},
    ("clamping", Mode.STAND): "damping",
    ("command_age", Mode.STAND): "hold",
    ("command_invalid", Mode.STAND): "hold",
    ("policy", Mode.STAND): "hold",
    **{(trip, mode): "sit" for trip in ("motor_temperature", "battery") for mode in [Mode.STAND, Mode.ACTIVE]},
    ("clamping", Mode.ACTIVE): "sit",
    ("command_age", Mode.ACTIVE): "damping",
    ("command_invalid", Mode.ACTIVE): "damping",
    ("policy", Mode.ACTIVE): "sit",
}

BAD = (float("nan"), float("inf"), float("-inf"), 1e200)  # the last one is finite, but its square is not
STATE_ARRAYS = {
    "joint_pos": 12,
    "joint_vel": 12,
    "joint_effort": 12,
    "base_quat_wxyz": 4,
    "base_ang_vel": 3,
    "base_lin_acc": 3,
    "foot_force": 4,
    "base_lin_vel": 3,
}
COMMAND_ARRAYS = ("joint_pos", "joint_vel", "joint_effort", "stiffness", "damping")


@lru_cache
def go2() -> RobotSpec:
    return load_robot_spec(CONFIG / "robots" / "go2.yaml")


@lru_cache
def go2_limits() -> SafetyLimits:
    return load_safety(CONFIG / "safety" / "go2.yaml", go2())


def state(stamp_ns: int = 0, **changes: Any) -> RobotState:
    values: dict[str, Any] = {
        "joint_pos": owned(STAND),
        "joint_vel": owned(np.zeros(N)),
        "joint_effort": owned(np.zeros(N)),
        "base_quat_wxyz": owned([1.0, 0.0, 0.0, 0.0]),
        "base_ang_vel": owned(np.zeros(3)),
        "base_lin_acc": owned([0.0, 0.0, 9.81 + 1e-9 * (stamp_ns % 1000_003)]),  # no two are the same
        "foot_force": owned(np.full(4, 37.0)),
        "base_lin_vel": owned(np.zeros(3)),
    }
    return RobotState(stamp_ns, **{**values, **changes})


def tilted(angle: float, axis: tuple[float, float] = (1.0, 0.0)) -> Array:
    """Return the rotation by ``angle`` [rad] about a horizontal axis of length 1, as (4,) wxyz."""
    return owned([np.cos(angle / 2), axis[0] * np.sin(angle / 2), axis[1] * np.sin(angle / 2), 0.0])


def poisoned(values: Array, index: int, bad: float) -> Array:
    copy = np.array(values)
    copy[index] = bad
    return owned(copy)


def profile(name: str = "walk/0123456789ab", stiffness: float = 20.0, damping: float = 0.5) -> GainProfile:
    return GainProfile(name, owned(np.full(N, stiffness)), owned(np.full(N, damping)))


def command(stamp_ns: int = 0, gains: GainProfile | None = None, **changes: Any) -> JointCommand:
    gains = gains or profile()
    values: dict[str, Any] = {
        "joint_pos": owned(STAND),
        "joint_vel": owned(np.zeros(N)),
        "joint_effort": owned(np.zeros(N)),
        "stiffness": gains.stiffness,
        "damping": gains.damping,
        "gain_profile": gains.name,
    }
    return JointCommand(stamp_ns, **{**values, **changes})


class Bench:
    """A robot step with a robot that follows perfectly. It begins lying, disarmed, with one state seen."""

    def __init__(self, limits: SafetyLimits | None = None) -> None:
        self.step = RobotStep(go2(), limits or go2_limits())
        self.now = 1_000 * MS
        self.pos: Array = owned(SIT)
        self.record: RobotRecord = self.cycle()

    @property
    def mode(self) -> Mode:
        return self.step.mode

    @property
    def safe(self) -> JointCommand:
        assert self.record.safe is not None
        return self.record.safe

    @property
    def names(self) -> list[str]:
        return [trip.name for trip in self.step.trips]

    def cycle(
        self, age_ns: int = 0, monotonic_ns: int | None = None, health: RobotHealth | None = None, **changes: Any
    ) -> RobotRecord:
        """Run one cycle on the next state, with ``changes`` to it."""
        self.now += CYCLE
        new = state(self.now - age_ns, **{"joint_pos": self.pos, **changes})
        self.record = self.step.cycle(new, self.now, monotonic_ns, health)
        safe = self.record.safe
        if safe is not None and safe.stiffness.any():
            self.pos = owned(np.clip(safe.joint_pos, LOWER, UPPER))
        return self.record

    def cycles(self, count: int) -> RobotRecord:
        for _ in range(count):
            self.cycle()
        return self.record

    def ask(self, request: Request) -> Reply:
        return self.step.request(request, self.now)

    def damping(self) -> Bench:
        assert self.ask(Request.ARM).ok
        self.cycle()
        return self

    def stand(self) -> Bench:
        self.damping()
        assert self.ask(Request.STAND).ok
        while not self.step.ramp_done:
            self.cycle()
            assert not self.step.trips
        return self

    def lease(self, gains: GainProfile | None = None, dt: int = DT, holder: str = "policy_node") -> Reply:
        gains = gains or profile()
        self.step.set_gain_profile(gains)
        return self.step.take_lease(Lease(holder, dt, gains.name, ("state",)), self.now)

    def active(self, gains: GainProfile | None = None) -> Bench:
        """Bring the robot to active, with a first command held."""
        self.stand()
        reply = self.lease(gains)
        assert reply.ok, reply.message
        self.cycle()
        assert self.command() is None
        self.cycle()
        return self

    def landing(self) -> Bench:
        """Bring the robot into a stiff landing that lasts: hold."""
        self.stand()
        self.step.trip("policy", "for the test", self.now)
        self.cycle()
        assert self.step.landing == "hold"
        return self

    def command(self, sender: str | None = None, **changes: Any) -> str | None:
        """Send the answer to the newest state."""
        values = {"stamp_ns": self.now, **changes}
        held = self.step.active_profile
        gains = self.step.profiles[held] if held is not None else None
        return self.step.take_command(command(values.pop("stamp_ns"), gains, **values), self.now, sender)

    def walk(self, cycles: int, **changes: Any) -> None:
        """Command at 50 Hz for a while."""
        for k in range(cycles):
            self.cycle()
            if k % 4 == 0:
                self.command(**changes)

    def to(self, mode: Mode) -> Bench:
        if mode is not Mode.DISARMED:
            getattr(self, mode.value)()
        return self


def with_limits(**changes: Any) -> SafetyLimits:
    return dataclasses.replace(go2_limits(), **changes)
