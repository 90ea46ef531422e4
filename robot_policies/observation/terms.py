"""Observation terms: one pure function each, from what a policy may read to numbers. No state, no scaling.

Joint terms are in the bundle's joint order. Frames follow REP 103, units are SI.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import InputError, expected
from robot_policies.types import Array, Array32, PolicyInputs, RobotState

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TermContext:
    """What every term may read at one tick."""

    inputs: PolicyInputs
    tick: int  # 0 at activation
    last_action: Array32  # (joints,) bundle order, at the point that the bundle names
    previous: RobotState | None = None  # of the tick before; None at the first
    heading_error: float | None = None  # [rad], positive to the left; None where the policy's kind follows no heading


@dataclass(frozen=True, slots=True)
class TermSetup:
    """What one term knows from load on."""

    control_dt: float  # [s]
    joint_index: Indices  # (joints,) place in the robot's order of each joint of the bundle
    default_joint_pos: Array  # (joints,) [rad]
    feet: tuple[str, ...] | None  # names, in the robot's order; None where no robot is known yet
    params: Mapping[str, Any]
    foot_index: Indices | None = None  # place in the robot's order of each of ``params: {feet}``
    in_order: bool = False  # the bundle's joints are the robot's, in its order: there is nothing to pick


TermFunction = Callable[[TermContext, TermSetup], npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class ParamRule:
    """What a parameter of a term must be; every parameter named by a term is required."""

    accepts: Callable[[Any, TermSetup], bool]
    valid: str


@dataclass(frozen=True, slots=True)
class TermDefinition:
    """A term: its function, its size and its parameters."""

    function: TermFunction
    size: Callable[[TermSetup], int]
    params: Mapping[str, ParamRule]


def base_lin_vel(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Linear velocity of the base in the base frame, (3,) [m/s].

    Raises:
        InputError: the robot's state holds none.
    """
    velocity = context.inputs.state.base_lin_vel
    if velocity is None:
        raise InputError(
            expected(
                "base_lin_vel: the linear velocity of the base",
                "no estimate in the robot's state",
                "an estimator on this robot, or a policy that does not read base_lin_vel",
            )
        )
    return velocity


def base_ang_vel(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Angular velocity of the base in the base frame, (3,) [rad/s]."""
    return context.inputs.state.base_ang_vel


def projected_gravity(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Unit vector of gravity in the base frame, (3,); (0, 0, -1) upright. Minus the third row of base-to-world."""
    w, x, y, z = context.inputs.state.base_quat_wxyz.tolist()
    return (2.0 * (w * y - x * z), -2.0 * (y * z + w * x), 2.0 * (x * x + y * y) - 1.0)


def base_roll_pitch(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Signed roll and pitch of the base, (2,) [rad], of the order yaw, pitch, roll; pitch in +-pi/2."""
    w, x, y, z = context.inputs.state.base_quat_wxyz.tolist()
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    return (roll, math.asin(max(-1.0, min(1.0, 2.0 * (w * y - x * z)))))


def velocity_command(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Commanded forward, left [m/s] and yaw [rad/s] velocity in the base frame, (3,).

    Raises:
        InputError: there is none; what an absent command means is decided before, by the policy.
    """
    command = context.inputs.velocity_command
    if command is None:
        raise InputError(expected("velocity_command", "none", "a command, also for an absent one"))
    return (command.lin_vel_x, command.lin_vel_y, command.ang_vel_z)


def joint_pos(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Measured joint positions, (joints,) [rad]."""
    return _of_bundle(context.inputs.state.joint_pos, setup)


def joint_pos_rel(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Measured joint positions minus the bundle's default ones, (joints,) [rad]."""
    return _of_bundle(context.inputs.state.joint_pos, setup) - setup.default_joint_pos


def joint_vel(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Measured joint velocities, (joints,) [rad/s]."""
    return _of_bundle(context.inputs.state.joint_vel, setup)


def last_action(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """The previous action at the point that the bundle names, (joints,); zeros at activation."""
    return context.last_action


def gait_phase(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Sine and cosine of 2 pi t / period, (2,); t = tick * control_dt; ``params: {period}`` [s]."""
    angle = 2.0 * math.pi * math.fmod(context.tick * setup.control_dt / setup.params["period"], 1.0)
    return (math.sin(angle), math.cos(angle))


def constant(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """The numbers of ``params: {value: [...]}``, for placeholders and flags of training."""
    return np.asarray(setup.params["value"], dtype=np.float64)


def foot_contact(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """1 where the contact force is above ``params: {threshold}`` [N], else 0, (feet,) in the order of ``{feet}``."""
    force: Array = context.inputs.state.foot_force[setup.foot_index]
    return np.greater(force, float(setup.params["threshold"]))


def foot_contact_held(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """1 where the force is above ``{threshold}`` now, or was at the tick before, else 0, (feet,), as foot_contact."""
    now = foot_contact(context, setup)
    if context.previous is None:
        return now
    force: Array = context.previous.foot_force[setup.foot_index]
    return np.logical_or(now, np.greater(force, float(setup.params["threshold"])))


def forward_command(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Commanded forward velocity alone, (1,) [m/s]. Raises as ``velocity_command``."""
    forward, _, _ = np.asarray(velocity_command(context, setup)).tolist()
    return (forward,)


def heading_error(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Commanded heading minus yaw, (1,) [rad], as kind ``parkour`` makes it with ``params: {limit, period}``.

    Raises:
        InputError: the policy's kind follows no heading.
    """
    if context.heading_error is None:
        raise InputError(expected("heading_error", "a kind of policy that follows no heading", "kind: parkour"))
    return (context.heading_error,)


def height_scan(context: TermContext, setup: TermSetup) -> npt.ArrayLike:
    """Height of the base above the ground under each point of the grid ``params: {x, y}``, (points,) [m].

    All ``y`` for the first ``x``, and so on, in the frame of the base turned upright. ``cell`` [m] is for whoever makes
    the scan: the ground under a point is the lowest of three corners of its cell in the world, as in height fields:
    its low corner and the next ones along x and y.

    Raises:
        InputError: no scan of this state, which only a simulator has, or one of another size or not finite.
    """
    scan, size = context.inputs.height_scan, _grid_size(setup)
    if scan is None or scan.stamp_ns != context.inputs.state.stamp_ns:
        found = "none" if scan is None else f"one of {scan.stamp_ns} ns, of a state of {context.inputs.state.stamp_ns}"
        valid = "a simulator's true heights with the state's stamp; nothing else has them"
        raise InputError(expected("height_scan", found, valid))
    if scan.ground.shape != (size,) or not (math.isfinite(scan.base) and bool(np.isfinite(scan.ground).all())):
        raise InputError(expected("height_scan: finite heights", f"{scan.ground.shape}", f"({size},), all finite"))
    return scan.base - scan.ground


def _grid_size(setup: TermSetup) -> int:
    return len(setup.params["x"]) * len(setup.params["y"])


def _of_bundle(values: Array, setup: TermSetup) -> Array:
    """Return ``values`` (n,) of the robot's joints in the bundle's order; picking takes ten times as long as not to."""
    return values if setup.in_order else values[setup.joint_index]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: object, setup: TermSetup) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(map(_is_number, value))


def _are_feet(value: object, setup: TermSetup) -> bool:
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(foot, str) for foot in value):
        return False
    return len(set(value)) == len(value) and (setup.feet is None or set(value) <= set(setup.feet))


_POSITIVE = ParamRule(lambda value, setup: _is_number(value) and value > 0, "a number over 0")
_NOT_NEGATIVE = ParamRule(lambda value, setup: _is_number(value) and value >= 0, "a number, 0 or more")
_NUMBERS = ParamRule(_are_numbers, "a list of at least one finite number")
_COUNT = ParamRule(lambda value, setup: type(value) is int and value >= 1, "a whole number, 1 or more")
_FEET = ParamRule(_are_feet, "a list of the robot's feet, each at most once")


def _fixed(function: TermFunction, size: int, **params: ParamRule) -> TermDefinition:
    return TermDefinition(function, lambda setup: size, params)


def _joints(function: TermFunction) -> TermDefinition:
    return TermDefinition(function, lambda setup: len(setup.joint_index), {})


TERMS: Mapping[str, TermDefinition] = {
    "base_lin_vel": _fixed(base_lin_vel, 3),
    "base_ang_vel": _fixed(base_ang_vel, 3),
    "projected_gravity": _fixed(projected_gravity, 3),
    "base_roll_pitch": _fixed(base_roll_pitch, 2),
    "velocity_command": _fixed(velocity_command, 3),
    "joint_pos": _joints(joint_pos),
    "joint_pos_rel": _joints(joint_pos_rel),
    "joint_vel": _joints(joint_vel),
    "last_action": _joints(last_action),
    "gait_phase": _fixed(gait_phase, 2, period=_POSITIVE),
    "constant": TermDefinition(constant, lambda setup: len(setup.params["value"]), {"value": _NUMBERS}),
    "foot_contact": TermDefinition(
        foot_contact, lambda setup: len(setup.params["feet"]), {"threshold": _NOT_NEGATIVE, "feet": _FEET}
    ),
    "foot_contact_held": TermDefinition(
        foot_contact_held, lambda setup: len(setup.params["feet"]), {"threshold": _NOT_NEGATIVE, "feet": _FEET}
    ),
    "forward_command": _fixed(forward_command, 1),
    "heading_error": _fixed(heading_error, 1, limit=_POSITIVE, period=_COUNT),
    "height_scan": TermDefinition(height_scan, _grid_size, {"x": _NUMBERS, "y": _NUMBERS, "cell": _POSITIVE}),
}
