"""A safety file fitted to a robot: every number per joint, in robot order, checked against the robot's own limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from robot_policies import resources
from robot_policies.exceptions import SchemaError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.safety.config import Health, PerJoint, SafetyConfig
from robot_policies.safety.landings import Landings, check_landings
from robot_policies.schema import load
from robot_policies.types import Array, owned

SECOND = 1_000_000_000  # [ns]
NEVER = 1 << 63  # [ns], longer than a robot runs


@dataclass(frozen=True, eq=False)
class HealthLimits:
    """Limits of what a robot tells beside its state. ``n`` joints in robot order, times in ns."""

    motor_temperature: Array  # (n,) [deg C]
    motor_temperature_ns: int
    motor_lost: int  # packets in motor_lost_ns
    motor_lost_ns: int
    motor_error_ns: int
    battery: float  # charge, 0 to 1
    battery_ns: int


@dataclass(frozen=True, eq=False)
class SafetyLimits:
    """What the safety of one robot is made of. ``n`` joints in robot order, times in ns."""

    joint_names: tuple[str, ...]
    lower: Array  # (n,) [rad], the robot's
    upper: Array  # (n,) [rad], the robot's
    target_beyond: Array  # (n,) [rad]
    target_soft: Array  # (n,) [rad]
    target_rate: Array  # (n,) [rad/s]
    target_vel: Array  # (n,) [rad/s]
    torque: Array  # (n,) [N m]
    clamp_cycles: int
    max_stiffness: Array  # (n,) [N m/rad]
    max_damping: Array  # (n,) [N m s/rad]
    gain_ramp_ns: int
    state_age_ns: int
    state_gap_ns: int
    state_future_ns: int
    clock_step_ns: int
    frozen_ns: int
    tilt: float  # [rad]
    tilt_ceiling: float  # [rad], up to which a policy's own limit may raise it
    tilt_ns: int
    joint_vel: Array  # (n,) [rad/s], measured
    joint_vel_ns: int
    joint_lower: Array  # (n,) [rad], measured
    joint_upper: Array  # (n,) [rad], measured
    joint_pos_ns: int
    command_ticks: float  # [control_dt]
    command_age_ns: int
    command_grace_ns: int
    stand_pose: Array  # (n,) [rad]
    stand_stiffness: Array  # (n,) [N m/rad]
    stand_damping: Array  # (n,) [N m s/rad]
    stand_speed: float  # [rad/s]
    stand_min_ns: int
    stand_tolerance: float  # [rad]
    settle_speed: float  # [rad/s]
    settle_min_ns: int
    sit_pose: Array  # (n,) [rad]
    sit_speed: float  # [rad/s]
    sit_min_ns: int
    damping: Array  # (n,) [N m s/rad], of the damping landing
    feet: int  # how many feet a state reports
    landings: Landings
    health: HealthLimits | None = None

    def at_rate(self, factor: float) -> SafetyLimits:
        """Return the limits for ``factor`` as many cycles per second: what is counted in cycles lasts as long."""
        return replace(self, clamp_cycles=max(round(self.clamp_cycles * factor), 1))


def load_safety(name_or_path: str | Path, spec: RobotSpec) -> SafetyLimits:
    """Return the safety file of a name (usually the robot's) or path, fitted to ``spec``.

    Raises:
        ResourceError: there is no such file.
        SchemaError: it is not a safety file, or not one for this robot; one line per fault.
    """
    path = resources.find("safety", name_or_path)
    return fit(load(SafetyConfig, path), spec, str(path))


def fit(config: SafetyConfig, spec: RobotSpec, where: str = "safety") -> SafetyLimits:
    """Return ``config`` per joint of ``spec``, in robot order. Raises ``SchemaError``, one line per fault."""
    if config.robot != spec.name:
        raise SchemaError(expected(f"{where}: robot: the file of the robot in use", config.robot, spec.name))
    landings = check_landings(config.landings, where)
    limits = _limits(config, spec, landings, where)
    faults = _faults(limits, spec)
    if faults:
        raise SchemaError("\n".join(f"{where}: {fault}" for fault in faults))
    return limits


def per_joint(value: PerJoint, names: Sequence[str], where: str) -> Array:
    """Return one number per joint, in the order of ``names``.

    Raises:
        SchemaError: a joint that no pattern or more than one matches, or a pattern that matches none.
    """
    if not isinstance(value, dict):
        return owned(np.full(len(names), value))
    matches = {name: [pattern for pattern in value if fnmatchcase(name, pattern)] for name in names}
    used = {pattern for patterns in matches.values() for pattern in patterns}
    faults = [f"{name} matches {len(found)} patterns" for name, found in matches.items() if len(found) != 1]
    faults += [f"{pattern} matches no joint" for pattern in value if pattern not in used]
    if faults:
        valid = f"patterns of which exactly one matches each of {', '.join(names)}"
        raise SchemaError(expected(where, ", ".join(faults), valid))
    return owned([value[matches[name][0]] for name in names])


def _ns(seconds: float) -> int:
    return round(seconds * SECOND)


def _limits(config: SafetyConfig, spec: RobotSpec, landings: Landings, where: str) -> SafetyLimits:
    def joints(value: PerJoint, key: str) -> Array:
        return per_joint(value, spec.joint_names, f"{where}: {key}")

    targets, gains, state, command = config.targets, config.gains, config.state, config.command
    stray = joints(state.joint_pos.limit, "state.joint_pos.limit")
    return SafetyLimits(
        joint_names=spec.joint_names,
        lower=spec.joint_lower,
        upper=spec.joint_upper,
        target_beyond=joints(targets.beyond, "targets.beyond"),
        target_soft=joints(targets.soft, "targets.soft"),
        target_rate=joints(targets.rate, "targets.rate"),
        target_vel=joints(targets.velocity, "targets.velocity"),
        torque=joints(targets.torque, "targets.torque"),
        clamp_cycles=targets.clamp_cycles,
        max_stiffness=joints(gains.stiffness, "gains.stiffness"),
        max_damping=joints(gains.damping, "gains.damping"),
        gain_ramp_ns=_ns(gains.ramp),
        state_age_ns=_ns(state.max_age),
        state_gap_ns=_ns(state.max_gap),
        state_future_ns=_ns(state.future),
        clock_step_ns=_ns(state.clock_step),
        frozen_ns=NEVER if state.frozen is None else _ns(state.frozen),
        tilt=state.tilt.limit,
        tilt_ceiling=state.tilt.limit if state.tilt.ceiling is None else state.tilt.ceiling,
        tilt_ns=_ns(state.tilt.duration),
        joint_vel=joints(state.joint_vel.limit, "state.joint_vel.limit"),
        joint_vel_ns=_ns(state.joint_vel.duration),
        joint_lower=owned(spec.joint_lower - stray),
        joint_upper=owned(spec.joint_upper + stray),
        joint_pos_ns=_ns(state.joint_pos.duration),
        command_ticks=command.ticks,
        command_age_ns=_ns(command.max_age),
        command_grace_ns=_ns(command.grace),
        stand_pose=spec.poses["stand"],
        stand_stiffness=spec.stand_stiffness,
        stand_damping=spec.stand_damping,
        stand_speed=config.stand.speed,
        stand_min_ns=_ns(config.stand.min_time),
        stand_tolerance=config.stand.tolerance,
        settle_speed=config.settle.speed,
        settle_min_ns=_ns(config.settle.min_time),
        sit_pose=spec.poses["sit"],
        sit_speed=config.sit.speed,
        sit_min_ns=_ns(config.sit.min_time),
        damping=joints(config.damping, "damping"),
        feet=len(spec.feet),
        landings=landings,
        health=None if config.health is None else _health(config.health, spec, where),
    )


def _health(health: Health, spec: RobotSpec, where: str) -> HealthLimits:
    heat = health.motor_temperature
    return HealthLimits(
        motor_temperature=per_joint(heat.limit, spec.joint_names, f"{where}: health.motor_temperature.limit"),
        motor_temperature_ns=_ns(heat.duration),
        motor_lost=health.motor_lost.limit,
        motor_lost_ns=_ns(health.motor_lost.duration),
        motor_error_ns=NEVER if health.motor_error is None else _ns(health.motor_error),
        battery=health.battery.limit,
        battery_ns=_ns(health.battery.duration),
    )


def _faults(limits: SafetyLimits, spec: RobotSpec) -> list[str]:
    """Return what holds only between the file and the robot, one line per key and joint."""
    zero = np.zeros(len(spec.joint_names))
    above, any_ = zero + np.finfo(np.float64).tiny, zero + np.inf
    checks: tuple[tuple[str, Array, Array, Array], ...] = (
        ("targets.torque: above 0, up to the robot's peak [N m]", limits.torque, above, spec.effort_limit),
        ("targets.beyond: not below 0 [rad]", limits.target_beyond, zero, any_),
        ("targets.soft: above 0 [rad]", limits.target_soft, above, any_),
        ("targets.rate: above 0 [rad/s]", limits.target_rate, above, any_),
        ("targets.velocity: above 0 [rad/s]", limits.target_vel, above, any_),
        ("gains.stiffness: at least that of the stand [N m/rad]", limits.max_stiffness, spec.stand_stiffness, any_),
        ("gains.damping: at least that of the stand [N m s/rad]", limits.max_damping, spec.stand_damping, any_),
        ("damping: above 0, up to gains.damping [N m s/rad]", limits.damping, above, limits.max_damping),
        ("state.joint_vel.limit: above 0 [rad/s]", limits.joint_vel, above, any_),
        ("state.joint_pos.limit: not below 0 [rad]", limits.joint_upper - spec.joint_upper, zero, any_),
    )
    faults = [fault for check in checks for fault in _outside(limits.joint_names, *check)]
    if limits.tilt_ceiling < limits.tilt:
        found = f"{limits.tilt_ceiling:g}"
        faults.append(expected("state.tilt.ceiling: not below the limit [rad]", found, f"{limits.tilt:g} or more"))
    return faults


def _outside(names: Sequence[str], asked: str, values: Array, low: Array, high: Array) -> list[str]:
    return [
        expected(f"{asked}: {name}", f"{value:g}", f"{least:g} to {most:g}")
        for name, value, least, most in zip(names, values, low, high, strict=True)
        if not least <= value <= most
    ]
