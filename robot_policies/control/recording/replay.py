"""Runs recorded steps again: the same calls, in the same order, on the same two halves of the flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from robot_policies.control.recording.columns import stamp
from robot_policies.control.recording.compare import EXACT, Difference, Rounding, first_difference
from robot_policies.control.recording.journal import BEGIN
from robot_policies.control.recording.steps import Call, Gap
from robot_policies.exceptions import RobotPoliciesError
from robot_policies.types import JointCommand, PolicyRecord, RobotRecord

# What a recording may ask of each half. Nothing else is called, whatever a file says.
POLICY_CALLS = ("reset", "check_start", "switch", "watch", "__call__")
ROBOT_CALLS = (
    *("request", "set_gain_profile", "take_lease", "release_lease", "take_command", "refuse_command", "trip"),
    *("cycle", "cycle_without_state"),
)
# What a step may raise, and what damaged arguments lead to.
MISUSED = (RobotPoliciesError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
LOST = 1000  # lines on what is missing that are kept


@dataclass(frozen=True)
class Found:
    """A difference, and where."""

    number: int  # of the call in the file
    tick: int  # of the policy since its activation, or cycle of the robot since its start; -1 between them
    stamp_ns: int | None  # of the state
    call: str
    difference: Difference

    def __str__(self) -> str:
        where = f"{self.call} {self.tick}" if self.tick >= 0 else self.call
        at = f" (state {self.stamp_ns} ns)" if self.stamp_ns is not None else ""
        stage, _, rest = self.difference.field.partition(".")
        place = f"stage {stage}, field {rest}" if rest else self.difference.field or "outcome"
        recorded_now = str(self.difference).partition(": ")[2]
        return f"{where}{at}, {place}: {recorded_now}"


@dataclass
class Outcome:
    """What running a file of steps again has shown."""

    calls: int = 0
    ticks: int = 0  # policy steps or robot cycles
    skipped: int = 0  # calls after a gap, until a reset
    different: int = 0  # calls with a difference
    first: Found | None = None
    largest: float = 0.0  # of the differences between targets [rad]
    missing: list[str] = field(default_factory=list)


def replay(
    steps: Iterable[Call | Gap],
    make: Callable[[dict[str, Any]], Any],
    allowed: tuple[str, ...],
    resets: bool,
    rounding: Rounding = EXACT,
) -> Outcome:
    """Run ``steps`` again and compare what comes of each.

    Args:
        steps: calls in their order.
        make: returns the object whose calls follow, from the facts of ``begin``; from none where that is lost.
        allowed: names of its methods that may be called.
        resets: whether ``reset`` makes all of the past forgotten, so that a gap ends there; else it ends the replay.
        rounding: by how much numbers may differ; not at all, unless it is said.
    """
    outcome = Outcome()
    subject: Any = None
    for place, item in enumerate(steps):
        if isinstance(item, Gap):
            if resets and not place:  # ``begin`` is lost, and the policies are known without it
                subject = _Subject(make({}), allowed)
            subject = _lost(item, subject, resets, outcome)
            continue
        if item.name == BEGIN:
            subject = _Subject(make(item.named), allowed)
            continue
        if subject is None or (subject.lost and item.name != "reset"):
            outcome.skipped += 1
            continue
        subject.lost = False
        _again(item, subject, outcome, rounding)
    return outcome


class _Subject:
    """The object under replay, and how far it is."""

    def __init__(self, target: Any, allowed: tuple[str, ...]) -> None:
        self.target, self.allowed = target, allowed
        self.cycles = 0
        self.lost = False


def _lost(gap: Gap, subject: _Subject | None, resets: bool, outcome: Outcome) -> _Subject | None:
    if len(outcome.missing) < LOST:
        outcome.missing.append(str(gap))
    if subject is None or not resets:
        return None
    subject.lost = True
    return subject


def _again(call: Call, subject: _Subject, outcome: Outcome, rounding: Rounding) -> None:
    if call.name not in subject.allowed:
        outcome.missing.append(f"step record {call.number}: {call.name} is not known here")
        return
    error: str | None = None
    result: Any = None
    try:
        result = getattr(subject.target, call.name)(*call.args, **call.named)
    except MISUSED as wrong:
        error = str(wrong)
    outcome.calls += 1
    ticked = call.name in ("__call__", "cycle")
    outcome.ticks += ticked
    subject.cycles += call.name == "cycle"
    difference = first_difference(call.result, result, rounding=rounding)
    if call.error != error:
        difference = Difference("error", call.error or "none", error or "none")
    if difference is None:
        return
    outcome.different += 1
    with suppress(*MISUSED):  # damaged bytes can be a record of anything, which has no targets
        outcome.largest = max(outcome.largest, _apart(call.result, result))
    if outcome.first is None:
        outcome.first = Found(call.number, *_where(call, result, subject.cycles), difference)


def _where(call: Call, result: Any, cycles: int) -> tuple[int, int | None, str]:
    for record in (call.result, result):
        with suppress(*MISUSED):
            if isinstance(record, PolicyRecord):
                return stamp(record.tick), stamp(record.inputs.state.stamp_ns), "tick"
            if isinstance(record, RobotRecord):
                return cycles, stamp(record.state.stamp_ns), "cycle"
    return -1, None, "tick" if call.name == "__call__" else call.name


def _apart(recorded: Any, found: Any) -> float:
    """Return the largest difference between two records' targets [rad]; 0 where there are none to compare."""
    one, other = _target(recorded), _target(found)
    if one is None or other is None or one.joint_pos.shape != other.joint_pos.shape:
        return 0.0
    return float(abs(one.joint_pos - other.joint_pos).max())


def _target(record: Any) -> JointCommand | None:
    if isinstance(record, PolicyRecord):
        return record.command
    return record.safe if isinstance(record, RobotRecord) else None
