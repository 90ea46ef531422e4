"""A recording as arrays over time: what happened to the robot, and what the policy did about it.

Times are the robot's clock [ns]. Rows that a recording lacks are NaN, or are not there; ``missing`` says which.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from robot_policies.bundle.load import read_contract
from robot_policies.control.recording.facts import BUNDLES, CONFIG, account, is_name, read_facts, read_json, unrecorded
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.policy_history import PolicyHistory, PolicyReader
from robot_policies.control.recording.robot_history import RobotHistory, RobotReader
from robot_policies.control.recording.steps import Call, Gap, StepFile
from robot_policies.control.recording.wire import WireHistory, read_wire
from robot_policies.exceptions import RecordingError, RobotPoliciesError, expected
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
    missing, facts = account(run), read_facts(run)
    robot = _half(run, ROBOT, RobotReader(), missing)
    policy = _timed(run, _half(run, POLICY, PolicyReader(), missing), facts, missing)
    if not robot.stamp_ns.size and not policy.stamp_ns.size:
        raise RecordingError(f"{run}: nothing to show: " + ("; ".join(missing[:4]) or "no step was recorded"))
    wire = read_wire(run, missing)
    if "recording" not in facts:  # nobody wrote a report: the nodes themselves tell
        missing += unrecorded(wire.reported.values())
    spec = _spec(run, str(facts.get("robot") or robot.name or policy.robot), missing)
    arguments = read_json(run / "arguments.json")  # recordings of launch files have none
    return History(run, facts, arguments, spec, robot, policy, wire, missing[:MOST_LINES])


def _timed(run: Path, policy: PolicyHistory, facts: dict[str, Any], missing: list[str]) -> PolicyHistory:
    """Return ``policy`` with the control_dt of the bundle that the recording keeps, where ``begin`` is lost."""
    if policy.control_dt > 0.0 or not policy.stamp_ns.size:
        return policy
    names = list(facts.get("bundles", ()))
    try:
        control_dt = read_contract(run / BUNDLES / names[0]).timing.control_dt if names else 0.0
    except RobotPoliciesError:  # ``account`` tells what is wrong with the bundle
        control_dt = 0.0
    missing.append(
        f"{POLICY}: what the policies were begun with" + (": control_dt is the bundle's" if control_dt else "")
    )
    return dataclasses.replace(policy, bundles=policy.bundles or tuple(names), control_dt=control_dt)


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
        if not is_name(name):
            raise RecordingError(expected("the name of a file", repr(name), "that in run.json, or in the step records"))
        return load_robot_spec(kept if kept.is_file() else name)
    except RobotPoliciesError as error:
        missing.append(f"robot file: {' '.join(str(error).split())}")
        return None
