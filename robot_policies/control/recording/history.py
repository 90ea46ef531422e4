"""A recording as arrays over time: what happened to the robot, and what the policy did about it.

Times are the robot's clock [ns]. Rows that a recording lacks are NaN, or are not there; ``missing`` says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from robot_policies.control.recording.folder import BUNDLES, CONFIG, bundle_hash
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.policy_history import PolicyHistory, PolicyReader
from robot_policies.control.recording.robot_history import RobotHistory, RobotReader
from robot_policies.control.recording.steps import Call, Gap, StepFile
from robot_policies.control.recording.subjects import read_facts
from robot_policies.control.recording.wire import WireHistory, read_wire
from robot_policies.exceptions import RecordingError, RobotPoliciesError
from robot_policies.robot_spec import RobotSpec, load_robot_spec

# What a damaged or foreign value leads to where it is used.
MISSHAPEN = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
MOST_LINES = 1000  # on what is missing that are kept

Part = TypeVar("Part", covariant=True)


class Reader(Protocol[Part]):
    """Takes the calls of one half of the flow, one by one."""

    def take(self, call: Call) -> None:
        """Add what the call shows. Raises one of ``MISSHAPEN`` for values that are none of ours."""
        ...

    def history(self) -> Part:
        """Return everything so far."""
        ...


@dataclass(frozen=True)
class History:
    """A recording, as far as it can be read."""

    run: Path
    facts: dict[str, Any]  # run.json
    arguments: dict[str, Any]  # arguments.json
    spec: RobotSpec | None  # None where the robot file cannot be read
    robot: RobotHistory
    policy: PolicyHistory
    wire: WireHistory
    missing: list[str] = field(default_factory=list)

    @property
    def start_ns(self) -> int:
        """Stamp of the first state, where plots begin."""
        return min((int(part.stamp_ns[0]) for part in (self.robot, self.policy) if part.stamp_ns.size), default=0)

    def joint_names(self) -> tuple[str, ...]:
        """Return a name for each joint, in robot order."""
        count = max(self.robot.joint_pos.shape[1], self.policy.target.shape[1])
        if self.spec is not None and len(self.spec.joint_names) == count:
            return self.spec.joint_names
        return tuple(f"joint {index}" for index in range(count))


def read_history(run: Path) -> History:
    """Return all of a recording that can be read.

    Raises:
        RecordingError: there is no step of either half in it.
    """
    missing = _foreign(run)
    robot = _half(run, ROBOT, RobotReader(), missing)
    policy = _half(run, POLICY, PolicyReader(), missing)
    if not robot.stamp_ns.size and not policy.stamp_ns.size:
        raise RecordingError(f"{run}: nothing to show: " + ("; ".join(missing[:4]) or "no step was recorded"))
    wire = read_wire(run, missing)
    facts = read_facts(run)
    spec = _spec(run, str(facts.get("robot") or robot.name or policy.robot), missing)
    return History(run, facts, _arguments(run), spec, robot, policy, wire, missing[:MOST_LINES])


def _half(run: Path, topic: str, reader: Reader[Part], missing: list[str]) -> Part:
    if not (run / f"{topic}.mcap").is_file():
        missing.append(f"{topic}.mcap: no such file")
        return reader.history()
    try:
        steps = StepFile(run / f"{topic}.mcap", topic)
    except RecordingError as error:
        missing.append(str(error))
        return reader.history()
    _read(steps, reader, topic, missing)
    missing.extend(steps.missing)
    return reader.history()


def _read(steps: Iterable[Call | Gap], reader: Reader[Part], topic: str, missing: list[str]) -> None:
    misshapen, first = 0, ""
    for item in steps:
        if isinstance(item, Gap):
            missing.append(f"{topic}: {item}")
            continue
        try:
            reader.take(item)
        except MISSHAPEN as wrong:
            misshapen += 1
            first = first or f"step record {item.number} ({item.name}): {type(wrong).__name__} {wrong}"
    if misshapen:
        missing.append(f"{topic}: {misshapen} step records are not of the form, first {first}")


def _spec(run: Path, name: str, missing: list[str]) -> RobotSpec | None:
    kept = run / CONFIG / "robots" / f"{Path(name).stem}.yaml"
    try:
        return load_robot_spec(kept if kept.is_file() else name)
    except RobotPoliciesError as error:
        missing.append(f"robot file: {' '.join(str(error).split())}")
        return None


def _arguments(run: Path) -> dict[str, Any]:
    try:
        values = json.loads((run / "arguments.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # recordings of launch files have none
    return values if isinstance(values, dict) else {}


def _foreign(run: Path) -> list[str]:
    """Return what of the run's own account is missing or has changed since."""
    facts = read_facts(run)
    if not facts:
        return ["run.json is missing or damaged: what the run was made of is not known"]
    bundles = facts.get("bundles")
    changed = []
    for name, digest in bundles.items() if isinstance(bundles, dict) else ():
        try:
            if bundle_hash(run / BUNDLES / name) != digest:
                changed.append(f"bundle {name} in the recording is not the one that ran: its policy.yaml has changed")
        except OSError:
            changed.append(f"bundle {name} is missing in the recording")
    return changed
