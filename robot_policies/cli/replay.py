"""``robot-policies replay``: runs a recording again and says where the numbers first differ, if they do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from robot_policies.control.recording.facts import account
from robot_policies.control.recording.folder import recordings
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.replay import POLICY_CALLS, ROBOT_CALLS, Outcome, replay
from robot_policies.control.recording.steps import StepFile
from robot_policies.control.recording.subjects import Subjects
from robot_policies.exceptions import RecordingError, ResourceError, RobotPoliciesError, expected

HELP = "run a recording again, and compare number by number"
LINES = 8  # of what is missing, per process
WORDS = {POLICY: "policy", ROBOT: "robot"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``replay``."""
    parser.add_argument("run", metavar="RUN", help="folder of a recording, or 'last'")
    parser.add_argument("--policy", default="", help="another bundle: what it would have commanded")
    parser.add_argument(
        "--set", action="append", default=[], metavar="safety.KEY=VALUE", help="another limit: what it would have done"
    )
    parser.add_argument("--json", type=Path, help="write the outcome to this file")


def main(args: argparse.Namespace) -> int:
    """Replay; 0 where every number is as recorded, 1 where one differs or something is missing, 2 where it cannot be.

    With ``--policy`` or ``--set`` a difference is the answer, and no fault: the code is 0 then.
    """
    run = find_run(args.run)
    changed = bool(args.policy or args.set)
    outcomes: dict[str, Outcome] = {}
    subjects = Subjects(run, args.policy, args.set)
    missing = account(run)
    for topic, make, calls in ((POLICY, subjects.policy, POLICY_CALLS), (ROBOT, subjects.robot, ROBOT_CALLS)):
        if changed and not (args.policy if topic == POLICY else args.set):
            continue
        try:
            steps = StepFile(run / f"{topic}.mcap", topic)
            outcome = replay(steps, make, calls, resets=topic == POLICY)
        except RobotPoliciesError as error:  # also a bundle, robot file or safety file of another version
            if changed:
                raise
            missing.append(str(error))
            continue
        outcome.missing += steps.missing
        outcomes[topic] = outcome
    if not outcomes:
        raise RecordingError("; ".join(missing))
    _tell(outcomes, missing, changed)
    if args.json is not None:
        _write(args.json, _values(run, outcomes, missing))
    whole = not missing and all(not o.missing and not o.skipped for o in outcomes.values())
    return 0 if changed or (whole and all(o.first is None for o in outcomes.values())) else 1


def find_run(name: str) -> Path:
    """Return the folder of a recording: a path, a name below ``recordings()``, or ``last``.

    Raises:
        RecordingError: there is none.
    """
    known = sorted(path for path in recordings().glob("*") if path.is_dir())
    if name == "last" and known:
        return known[-1]
    for path in (Path(name).expanduser(), recordings() / name):
        if path.is_dir():
            return path
    listed = ", ".join(path.name for path in known[-5:]) or f"a folder; {recordings()} has none"
    raise RecordingError(expected(f"a recording {name}", "no such folder", listed))


def _tell(outcomes: dict[str, Outcome], missing: list[str], changed: bool) -> None:
    for line in missing:
        print(f"missing: {line}")
    for topic, outcome in outcomes.items():
        word = WORDS[topic]
        unit = "ticks" if topic == POLICY else "cycles"
        print(f"{word}: {outcome.ticks} {unit}, {outcome.calls} calls: {_verdict(outcome, changed)}")
        for line in outcome.missing[:LINES]:
            print(f"{word}: missing: {line}")
        if len(outcome.missing) > LINES:
            print(f"{word}: missing: and {len(outcome.missing) - LINES} more")
        if outcome.skipped:
            print(f"{word}: {outcome.skipped} calls not run again, as their past is missing")


def _write(path: Path, values: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ResourceError(expected("--json: a file to write", f"{path}: {error.strerror}", "another one")) from error


def _verdict(outcome: Outcome, changed: bool) -> str:
    if outcome.first is None:
        return "no difference" if outcome.calls else "nothing to run again"
    text = f"first difference at {outcome.first}"
    if changed or outcome.different > 1:
        text += f"; {outcome.different} calls differ, targets by up to {outcome.largest:.6g} rad"
    return text


def _values(run: Path, outcomes: dict[str, Outcome], missing: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {"run": str(run), "missing": missing}
    for topic, outcome in outcomes.items():
        first = outcome.first
        values[WORDS[topic]] = {
            "ticks": outcome.ticks,
            "calls": outcome.calls,
            "skipped": outcome.skipped,
            "different": outcome.different,
            "largest_rad": outcome.largest,
            "missing": outcome.missing,
            "first": None if first is None else {"tick": first.tick, "stamp_ns": first.stamp_ns, "what": str(first)},
        }
    return values
