"""What an importer reads out of a foreign format, before it becomes a bundle: one value, the same for all formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from robot_policies.bundle.importers.refusal import refused
from robot_policies.exceptions import ImportFormatError, InputError
from robot_policies.robot_spec import RobotSpec

Numbers = float | tuple[float, ...]  # one number for all entries, or one per entry

VELOCITY_AXES = ("lin_vel_x", "lin_vel_y", "ang_vel_z")


@dataclass(frozen=True)
class Past:
    """A history: ages in ticks, in the order of concatenation, and what stands before the first tick."""

    ages: tuple[int, ...]
    fill: str  # first_frame | zeros | zeros_then_first_frame


@dataclass(frozen=True)
class Entry:
    """One observation term: ``clip(scale * x + offset)``."""

    term: str
    size: int
    scale: Numbers = 1.0
    offset: Numbers = 0.0
    clip: tuple[Numbers, Numbers] | None = None
    past: Past | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionPart:
    """target = offset + scale * clip(raw)."""

    scale: Numbers  # [rad] per unit
    offset: Numbers  # [rad]
    clip: tuple[Numbers, Numbers] | None  # of the raw output
    last_action: str  # raw | clipped


@dataclass(frozen=True)
class Recurrent:
    """States that the network takes and returns in the open. Shapes by input name, inputs by output name."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkSource:
    """The network's file, and the tensors to use; None where the file has only one."""

    path: Path
    input: str | None = None
    output: str | None = None
    recurrent: Recurrent = field(default_factory=Recurrent)


@dataclass(frozen=True)
class ForeignPolicy:
    """A policy of another project, complete but for the project's own defaults. Joint values in its joint order."""

    joint_names: tuple[str, ...]
    default_joint_pos: tuple[float, ...]  # [rad]
    stiffness: tuple[float, ...]  # [N m/rad]
    damping: tuple[float, ...]  # [N m s/rad]
    control_dt: float  # [s]
    entries: tuple[Entry, ...]
    action: ActionPart
    network: NetworkSource
    torque_limit: tuple[float, ...] | None = None  # [N m]; None: the robot file's
    physics_dt: float | None = None  # [s]
    decimation: int | None = None
    past: Past | None = None  # of the whole frame
    clip: tuple[float, float] | None = None  # of the whole vector
    command: Mapping[str, tuple[float, float]] | None = None  # ranges by axis; None: the project's defaults
    licence: str | None = None
    source: str | None = None
    files: tuple[Path, ...] = ()  # what was read; their hashes go into the bundle
    notes: tuple[str, ...] = ()  # what a person should know, printed and kept in the README

    def observation_size(self) -> int:
        """Return how many numbers the network is given."""
        frame = sum(entry.size * (len(entry.past.ages) if entry.past else 1) for entry in self.entries)
        return frame * (len(self.past.ages) if self.past else 1)

    def reads(self, term: str) -> bool:
        """Return whether an observation term of this name is among the entries."""
        return any(entry.term == term for entry in self.entries)


def term_size(term: str, joints: int) -> int:
    """Return the size of a term that formats can name (``TERMS`` of ``observation`` checks it again in the bundle)."""
    sizes = {"base_lin_vel": 3, "base_ang_vel": 3, "projected_gravity": 3, "velocity_command": 3, "gait_phase": 2}
    return sizes.get(term, joints)


def check_joints(policy: ForeignPolicy, spec: RobotSpec, where: str) -> None:
    """Check the joints of ``policy`` against the robot's.

    Raises:
        ImportFormatError: a joint that the robot does not have, one named twice, one of the robot's that the policy
            does not command, or a default position outside the joint's limits.
    """
    try:
        index = spec.joint_index(policy.joint_names)
    except InputError as error:
        raise ImportFormatError(f"{where}: joint names: {error}") from error
    missing = [name for name in spec.joint_names if name not in policy.joint_names]
    if missing:
        found = f"{len(policy.joint_names)} joints, without {', '.join(missing)}"
        raise refused(f"{where}: joint names: every joint of {spec.name}", found, spec.joint_names)
    for name, value, joint in zip(policy.joint_names, policy.default_joint_pos, index, strict=True):
        low, high = float(spec.joint_lower[joint]), float(spec.joint_upper[joint])
        if not low <= value <= high:
            asked = f"{where}: default position of {name} within the robot's limits"
            raise refused(asked, f"{value:g} rad", f"{low:g} to {high:g} rad (is the order right?)")


def per_joint(values: Numbers, joints: int) -> tuple[float, ...]:
    """Return one number, or one per joint, as one per joint."""
    return tuple(float(value) for value in np.broadcast_to(np.asarray(values, dtype=np.float64), (joints,)))


def shortened(values: Sequence[float]) -> Numbers:
    """Return the one number that all of ``values`` are, else all of them."""
    first = float(values[0])
    return first if all(value == first for value in values) else tuple(float(value) for value in values)
