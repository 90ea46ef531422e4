"""The nodes that the benchmark records: what their raw samples are, and that they are the nodes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from robot_policies.nodes import policy_node, robot_node
from robot_policies.nodes.depth_timing import PARTS, DepthTiming, Use
from sim2real.benchmark import recorded_node
from sim2real.benchmark.recorded_node import (
    RecordedAssembler,
    RecordedDepthTiming,
    RecordedPolicyMonitor,
    RecordedRobotMonitor,
    Tape,
)

MS = 1_000_000


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    kept = Tape()
    monkeypatch.setattr(recorded_node, "TAPE", kept)
    return lambda name: list(kept._samples.get(name, ()))[1::2]


def test_a_tape_keeps_samples_with_their_time(tmp_path: Path) -> None:
    tape, begun = Tape(), time.monotonic_ns()
    for value in (5, -3, 2**40):
        tape.add("one", value)
    tape.add("other", 1)
    tape.write(tmp_path / "tape.json")
    found = json.loads((tmp_path / "tape.json").read_text())
    assert [value for _, value in found["one"]] == [5, -3, 2**40]
    assert begun <= found["one"][0][0] <= found["one"][2][0] <= time.monotonic_ns()
    assert len(found["other"]) == 1


def test_the_robot_monitor_notes_wake_ups_and_answers(tape: Callable[[str], list[int]]) -> None:
    monitor = RecordedRobotMonitor(SimpleNamespace())  # type: ignore[arg-type]
    monitor.published(1000, 1300)
    monitor.published(2000, 1900)
    assert tape("wake") == [300, 0]
    time.sleep(0.002)
    monitor.taken(1000)
    monitor.taken(7)  # of a state that it never published
    assert len(tape("state_to_command")) == 1
    assert 2 * MS <= tape("state_to_command")[0] < 500 * MS
    assert monitor._latency.count == 1, "the monitor's own numbers go on"
    for stamp in range(3000, 3000 + 2 * recorded_node.KEPT):
        monitor.published(stamp, stamp)
    assert len(monitor._out) == recorded_node.KEPT


def test_the_policy_monitor_notes_when_a_tick_began(
    tape: Callable[[str], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic_ns()
    monkeypatch.setattr(RecordedAssembler, "taken_ns", begun - 40_000)
    stamp = time.time_ns() - 3 * MS
    record: Any = SimpleNamespace(durations_ns=(1, 2, 3), inputs=SimpleNamespace(state=SimpleNamespace(stamp_ns=stamp)))
    monitor = RecordedPolicyMonitor()
    monitor.ticked(record, 1, 5_000, begun)
    assert tape("taken_to_tick") == [40_000]
    assert tape("tick_lateness") == [5_000]
    assert 2.9 * MS < tape("stamp_to_tick")[0] < 500 * MS
    assert (monitor.ticks, monitor.missed) == (1, 1)


def test_first_uses_of_images_are_noted_where_their_own_delay_is_known(
    tape: Callable[[str], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [True, False]

    def ticked(self: Any, record: Any) -> list[Use]:
        self._unknown += 0 if known.pop(0) else 1
        return [Use(5 * MS, 17 * MS, 40 * MS)]

    monkeypatch.setattr(DepthTiming, "ticked", ticked)
    timing = RecordedDepthTiming.__new__(RecordedDepthTiming)
    timing._unknown = 0
    record: Any = None
    assert len(timing.ticked(record)) == len(timing.ticked(record)) == 1
    found = {part: tape(part) for part in PARTS}
    assert found == {
        "depth_to_command": [5 * MS], "depth_tick_wait": [17 * MS], "depth_network_wait": [40 * MS],
        "depth_total": [22 * MS],
    }  # fmt: skip


def test_the_assembler_notes_when_a_part_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[Any] = []
    monkeypatch.setattr(
        policy_node.StateAssembler, "_part", lambda self, topic, message: parts.append((topic, message))
    )
    before = time.monotonic_ns()
    RecordedAssembler.__new__(RecordedAssembler)._part("imu/data", "message")
    assert before <= RecordedAssembler.taken_ns <= time.monotonic_ns()
    assert parts == [("imu/data", "message")]


@pytest.mark.parametrize("name", ["robot_node", "policy_node"])
def test_the_recorded_node_is_the_node(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def played(args: Any) -> int:
        seen.append((args, robot_node.RobotMonitor, policy_node.PolicyMonitor, policy_node.StateAssembler))  # type: ignore[attr-defined]
        return 7

    for module, attribute in (
        (robot_node, "RobotMonitor"),
        (policy_node, "PolicyMonitor"),
        (policy_node, "StateAssembler"),
        (policy_node, "DepthTiming"),
    ):
        monkeypatch.setattr(module, attribute, getattr(module, attribute))  # so that it is put back
    monkeypatch.setattr(robot_node if name == "robot_node" else policy_node, "main", played)
    result = tmp_path / "tape.json"
    assert recorded_node.main([str(result), name, "--ros-args", "-p", "robot:=go2"]) == 7
    assert seen == [
        ([name, "--ros-args", "-p", "robot:=go2"], RecordedRobotMonitor, RecordedPolicyMonitor, RecordedAssembler)
    ]
    assert result.exists()
