"""Made-up but plausible inputs of a policy, from a seed: the input side of golden data, and an example to test with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_policies.contract import Contract, Depth
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import (
    Array,
    Array32,
    DepthImage,
    HeightScan,
    PolicyInputs,
    RobotState,
    VelocityCommand,
    owned,
)

# Amplitudes of a trot on flat ground, rounded; the sequence only has to stay where a policy was trained.
_JOINT_SWING = 0.15  # [rad]
_TILT = 0.1  # [rad]
_YAW_RATE = 0.5  # [rad/s]
_FOOT_FORCE = 70.0  # [N]: a 15 kg robot on two feet
_STRIDE = (1.0, 3.0)  # [Hz]
_BASE, _STEP = 0.3, 0.3  # [m], height of the base over the ground, and of steps of the ground
_QUIET = 4  # ticks at the start and at the end without a command, where the bundle allows that


def synthetic_inputs(contract: Contract, spec: RobotSpec, seed: int, ticks: int) -> list[PolicyInputs]:
    """Return ``ticks`` inputs, one per control period, that depend on nothing but the arguments.

    Joints swing around the default pose within their limits, the base tilts and turns, commands are drawn from the
    ranges trained for and change every 8 ticks, images come at the rate of their camera.
    """
    random = np.random.default_rng(seed)
    time: Array = np.arange(ticks, dtype=np.float64) * contract.timing.control_dt
    stamps = [round(i * contract.timing.control_dt * 1e9) for i in range(ticks)]
    pos, vel = _joints(contract, spec, random, time)
    states = _states(spec, random, time, stamps, pos, vel)
    commands = _commands(contract, random, stamps)
    images = _images(contract, random, stamps)
    scans = _scans(contract, random, stamps)
    return [PolicyInputs(*parts) for parts in zip(states, commands, images, scans, strict=True)]


def _waves(random: np.random.Generator, time: Array, columns: int, amplitude: float) -> tuple[Array, Array]:
    """Return sines (ticks, columns) of random phase, and their derivatives."""
    rate = 2.0 * np.pi * random.uniform(*_STRIDE, columns)
    angle = time[:, None] * rate + random.uniform(0.0, 2.0 * np.pi, columns)
    size = amplitude * random.uniform(0.5, 1.0, columns)
    return size * np.sin(angle), size * rate * np.cos(angle)


def _joints(contract: Contract, spec: RobotSpec, random: np.random.Generator, time: Array) -> tuple[Array, Array]:
    pose = np.zeros(len(spec.joint_names))
    pose[spec.joint_index(contract.joints.names)] = contract.joints.default_joint_pos
    offset, vel = _waves(random, time, pose.size, _JOINT_SWING)
    return np.clip(pose + offset, spec.joint_lower, spec.joint_upper), vel


def _states(
    spec: RobotSpec, random: np.random.Generator, time: Array, stamps: list[int], pos: Array, vel: Array
) -> list[RobotState]:
    tilt, tilt_rate = _waves(random, time, 2, _TILT)
    yaw_rate = random.uniform(-_YAW_RATE, _YAW_RATE)
    lin_vel, _ = _waves(random, time, 3, 0.5)
    force = np.maximum(_waves(random, time, len(spec.feet), _FOOT_FORCE)[0], 0.0)
    states = []
    for i, stamp in enumerate(stamps):
        quat = _quat_wxyz(tilt[i, 0], tilt[i, 1], yaw_rate * time[i])
        ang_vel = np.array([tilt_rate[i, 0], tilt_rate[i, 1], yaw_rate]) + random.normal(0.0, 0.02, 3)
        lin_acc = np.array([0.0, 0.0, 9.81]) + random.normal(0.0, 0.2, 3)
        effort = random.normal(0.0, 2.0, pos.shape[1])
        parts = map(owned, (pos[i], vel[i], effort, quat, ang_vel, lin_acc, force[i], lin_vel[i]))
        states.append(RobotState(stamp, *parts))
    return states


def _quat_wxyz(roll: float, pitch: float, yaw: float) -> Array:
    """Return the base-to-world quaternion of the order yaw, pitch, roll [rad]."""
    (cr, cp, cy), (sr, sp, sy) = (f(np.array([roll, pitch, yaw]) / 2.0) for f in (np.cos, np.sin))
    return np.array(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )


def _commands(contract: Contract, random: np.random.Generator, stamps: list[int]) -> list[VelocityCommand | None]:
    velocity = contract.commands.velocity
    if velocity is None:
        return [None] * len(stamps)
    ranges = [axis.range for axis in (velocity.lin_vel_x, velocity.lin_vel_y, velocity.ang_vel_z)]
    drawn = [[random.uniform(low, high) for low, high in ranges] for _ in range(len(stamps) // 8 + 1)]
    commands: list[VelocityCommand | None] = [VelocityCommand(s, *drawn[i // 8]) for i, s in enumerate(stamps)]
    if velocity.absent == "zero":
        commands[:_QUIET] = commands[-_QUIET:] = [None] * _QUIET
    return commands


def _images(contract: Contract, random: np.random.Generator, stamps: list[int]) -> list[Mapping[str, DepthImage]]:
    every = {name: max(1, round(1.0 / (d.rate * contract.timing.control_dt))) for name, d in contract.depth.items()}
    newest: dict[str, DepthImage] = {}
    result: list[Mapping[str, DepthImage]] = []
    for i, stamp in enumerate(stamps):
        for name, depth in contract.depth.items():
            if i % every[name] == 0:
                newest = {**newest, name: DepthImage(stamp, _image(depth, random))}
        result.append(newest)
    return result


def _scans(contract: Contract, random: np.random.Generator, stamps: list[int]) -> list[HeightScan | None]:
    """Return the heights of steps that pass below; None for each tick where the bundle reads none."""
    terms = [term for group in contract.observations.values() for term in group.terms]
    size = next((term.size for term in terms if term.term == "height_scan"), 0)
    if not size:
        return [None] * len(stamps)
    steps = np.repeat(random.uniform(-_STEP, _STEP, len(stamps) + size), 8)
    return [HeightScan(stamp, float(_BASE + steps[i]), owned(steps[i : i + size])) for i, stamp in enumerate(stamps)]


def _image(depth: Depth, random: np.random.Generator) -> Array32:
    """Return a floor that comes nearer towards the bottom, a box on it, and 2 % of pixels without return."""
    height, width = depth.intrinsics.height, depth.intrinsics.width
    rows = np.linspace(1.2 * depth.far, depth.near + 0.1, height)[:, None] * np.ones(width)
    left, top = random.integers(0, width), random.integers(0, height)
    rows[top : top + height // 3, left : left + width // 3] = random.uniform(depth.near, depth.far)
    rows[random.random((height, width)) < 0.02] = 0.0
    return owned(np.round(rows, 3), np.float32)  # whole millimetres, as cameras give them
