"""Recordings for the tests: the two halves of the flow, run offline with a journal each, and damage to their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.offline import SPEC, event
from mcap.writer import CompressionType, Writer

from robot_policies.bundle.load import load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording.codec import SCHEMA, Encoder
from robot_policies.control.recording.folder import keep_facts
from robot_policies.control.recording.journal import (
    ENCODING,
    POLICY,
    ROBOT,
    SCHEMA_NAME,
    Journal,
    JournaledRobotStep,
    JournaledSwitchingStep,
)
from robot_policies.control.recording.steps import Call, StepFile
from robot_policies.robots import mock
from robot_policies.safety.limits import load_safety
from sim2real.evaluation.offline import Cameras, OfflineRun
from sim2real.evaluation.schedule import Event, Listed

WALK = (
    *(event(2, "arm"), event(4, "stand"), event(300, "activate")),
    *(event(cycle, "velocity_command", 0.5, 0.0, 0.2) for cycle in range(302, 800, 20)),
)


def record(
    folder: Path,
    *bundles: str | Path,
    cycles: int = 400,
    events: Sequence[Event] = WALK,
    cameras: Cameras | None = None,
) -> OfflineRun:
    """Record a run on a mock Go2 into ``folder``."""
    keep_facts(folder, "go2", "go2", tuple(str(bundle) for bundle in bundles))
    loaded = [load_bundle(bundle, SPEC) for bundle in bundles]
    policy = JournaledSwitchingStep(*(PolicyStep(bundle, SPEC) for bundle in loaded))
    robot_step = JournaledRobotStep(SPEC, load_safety("go2", SPEC))
    journals = [Journal(folder, topic, print) for topic in (POLICY, ROBOT)]
    policy.begin(journals[0], "go2", loaded)
    robot_step.begin(journals[1], "go2", "go2")
    robot = mock.create(SPEC, {"clock": "lockstep", "start": "stand"})
    run = OfflineRun(robot, robot_step, policy, Listed(list(events)), cameras=cameras)
    for _ in range(cycles):
        run.cycle()
        for journal in journals:
            journal.flush()
    for journal in journals:
        journal.close()
    assert run.refusals == [], run.refusals
    return run


def calls(folder: Path, topic: str) -> list[Call]:
    """Return the calls of a recording that has no gap."""
    items = list(StepFile(folder / f"{topic}.mcap", topic))
    assert all(isinstance(item, Call) for item in items)
    return items  # type: ignore[return-value]


def rewrite(folder: Path, topic: str, changed: Sequence[Call | None]) -> None:
    """Write calls anew under their old numbers; None leaves one out."""
    encoder = Encoder()
    with (folder / f"{topic}.mcap").open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.NONE)
        writer.start("", "test")
        schema = writer.register_schema(SCHEMA_NAME, ENCODING, SCHEMA)
        channel = writer.register_channel(topic, ENCODING, schema)
        for call in changed:
            if call is not None:
                values: tuple[Any, ...] = (call.name, call.args, call.named, call.result, call.error)
                writer.add_message(channel, call.stamp_ns, encoder.encode(values), call.stamp_ns, call.number)
        writer.finish()
