"""Whether a bundle is for this robot: its name, joints, limits, poses, rates and kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from robot_policies import resources
from robot_policies.action.decoder import joint_fault
from robot_policies.contract import Contract
from robot_policies.exceptions import expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array

_LIMIT_TOLERANCE = 1e-6  # [rad], [N m]: the robot file's own digits


def kind_faults(contract: Contract) -> list[str]:
    """Return whether nothing installed runs the bundle's kind."""
    kinds = resources.plugins("policies")
    if contract.kind in kinds:
        return []
    return [expected("kind: a kind of policy that is installed", contract.kind, sorted(kinds))]


def robot_faults(contract: Contract, spec: RobotSpec) -> list[str]:
    """Return where the contract asks for what ``spec`` is not or does not have."""
    if contract.robot != spec.name:
        return [expected(f"robot: {spec.name}, the robot asked for", contract.robot, f"a bundle for {spec.name}")]
    names = contract.joints.names
    if sorted(names) != sorted(spec.joint_names):
        return [joint_fault(names, spec.joint_names)]
    index = spec.joint_index(names)
    lower, upper = spec.joint_lower[index], spec.joint_upper[index]
    return [
        *_pose_faults("joints.default_joint_pos", names, contract.joints.default_joint_pos, lower, upper),
        *_pose_faults("limits.start.joint_pos", names, contract.limits.start.joint_pos, lower, upper),
        *_torque_faults(contract, spec.effort_limit[index]),
        *_rate_faults(contract, spec),
        *_sensor_faults(contract, spec),
    ]


def _pose_faults(where: str, names: Sequence[str], pose: Sequence[float], lower: Array, upper: Array) -> Iterator[str]:
    for name, value, low, high in zip(names, pose, lower, upper, strict=False):  # a wrong count is said elsewhere
        if not low - _LIMIT_TOLERANCE <= value <= high + _LIMIT_TOLERANCE:
            yield expected(f"{where}: {name} within the robot's limits", f"{value:g} rad", f"{low:g} to {high:g} rad")


def _torque_faults(contract: Contract, effort_limit: Array) -> Iterator[str]:
    joints = contract.joints
    for name, value, limit in zip(joints.names, joints.torque_limit, effort_limit, strict=False):
        if value > limit + _LIMIT_TOLERANCE:
            asked = f"joints.torque_limit: {name} within the robot's"
            yield expected(asked, f"{value:g} N m", f"at most {limit:g} N m")


def _rate_faults(contract: Contract, spec: RobotSpec) -> Iterator[str]:
    ratio = contract.timing.control_dt * spec.state_rate
    if ratio < 1.0 - 1e-9:
        asked = f"timing.control_dt: at least one period of the states of {spec.name}"
        yield expected(asked, f"{contract.timing.control_dt:g} s", f"{1.0 / spec.state_rate:g} s or more")


def _sensor_faults(contract: Contract, spec: RobotSpec) -> Iterator[str]:
    carried = sorted({mount.sensor for mount in spec.sensors.depth.values()})
    for name, depth in contract.depth.items():
        if depth.sensor not in carried:
            yield expected(f"depth.{name}.sensor: a camera of {spec.name}", depth.sensor, carried)


def reads_lin_vel(contract: Contract) -> bool:
    """Return whether a term needs the base's linear velocity, which a robot has only from an estimator."""
    return bool(np.any([t.term == "base_lin_vel" for g in contract.observations.values() for t in g.terms]))


def reads_height_scan(contract: Contract) -> bool:
    """Return whether a term needs the true heights around the base, which only a simulator without ROS gives."""
    return any(t.term == "height_scan" for g in contract.observations.values() for t in g.terms)
