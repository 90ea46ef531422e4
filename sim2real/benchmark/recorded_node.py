"""A node as the user starts it, that also keeps the raw samples of what its diagnostics show as percentiles.

``python -m sim2real.benchmark.recorded_node RESULT robot_node|policy_node --ros-args ...``: the node's own ``main``
with its monitor replaced by one that notes each sample with its time. The samples are written as the node ends.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot_policies.nodes import policy_node, robot_node
from robot_policies.nodes.depth_timing import PARTS, DepthTiming, Use
from robot_policies.nodes.policy_monitor import PolicyMonitor
from robot_policies.nodes.robot_monitor import RobotMonitor
from robot_policies.nodes.state_assembler import StateAssembler
from robot_policies.robots.robot import GroundTruth
from robot_policies.types import PolicyRecord, RobotRecord

KEPT = 256  # states that a command may still answer


class Tape:
    """Samples by name, each with the monotonic time at which it was taken [ns]."""

    def __init__(self) -> None:
        self._samples: dict[str, array[int]] = {}

    def add(self, name: str, value_ns: int) -> None:
        """Note a sample."""
        kept = self._samples.get(name)
        if kept is None:
            kept = self._samples[name] = array("q")
        kept.append(time.monotonic_ns())
        kept.append(value_ns)

    def write(self, path: Path) -> None:
        """Write name -> [[time, value], ...]."""
        pairs = {name: list(zip(kept[::2], kept[1::2], strict=True)) for name, kept in self._samples.items()}
        path.write_text(json.dumps(pairs), encoding="utf-8")


TAPE = Tape()


class RecordedRobotMonitor(RobotMonitor):
    """Notes how late each cycle woke up, and how long each command took."""

    def __init__(self, *args: Any) -> None:
        """As ``RobotMonitor``."""
        super().__init__(*args)
        self._out: dict[int, int] = {}
        self._answered = 0  # stamp of the newest command of a policy that went out [ns]

    def published(self, stamp_ns: int, now_ns: int) -> None:
        """Note the moment before the first part of a state is published."""
        super().published(stamp_ns, now_ns)
        TAPE.add("wake", max(now_ns - stamp_ns, 0))
        self._out[stamp_ns] = time.monotonic_ns()
        if len(self._out) > KEPT:
            del self._out[next(iter(self._out))]

    def taken(self, stamp_ns: int) -> None:
        """Note how long ago the state went out that a command answers."""
        if stamp_ns in self._out:
            TAPE.add("state_to_command", time.monotonic_ns() - self._out[stamp_ns])
        super().taken(stamp_ns)

    def cycle(self, record: RobotRecord, truth: GroundTruth | None, busy_ns: int) -> bool:
        """Note how long before now the state was stamped whose command has gone out in this cycle, once each."""
        safe = record.safe
        if safe is not None and "/" in safe.gain_profile and safe.stamp_ns != self._answered:
            self._answered = safe.stamp_ns
            TAPE.add("state_to_wire", time.time_ns() - safe.stamp_ns)
        return super().cycle(record, truth, busy_ns)


class RecordedPolicyMonitor(PolicyMonitor):
    """Notes when each tick began, against its state's stamp and against the message that completed the state."""

    def ticked(self, record: PolicyRecord, missed: int, late_ns: int, begun_ns: int) -> None:
        """Note a tick."""
        super().ticked(record, missed, late_ns, begun_ns)
        begun_system_ns = time.time_ns() - (time.monotonic_ns() - begun_ns)
        TAPE.add("tick_lateness", late_ns)
        TAPE.add("stamp_to_tick", begun_system_ns - record.inputs.state.stamp_ns)
        TAPE.add("taken_to_tick", begun_ns - RecordedAssembler.taken_ns)


class RecordedDepthTiming(DepthTiming):
    """Notes each first use of an image whose own delay is known."""

    def ticked(self, record: PolicyRecord) -> list[Use]:
        """Note a tick."""
        unknown, uses = self._unknown, super().ticked(record)
        for use in uses if self._unknown == unknown else ():
            for part, value in zip(PARTS, (use.own, use.tick_wait, use.network_wait, use.total), strict=True):
                TAPE.add(part, value)
        return uses


class RecordedAssembler(StateAssembler):
    """Notes when the newest part of a state was taken from the middleware (monotonic [ns])."""

    taken_ns = 0

    def _part(self, topic: str, message: Any) -> None:
        RecordedAssembler.taken_ns = time.monotonic_ns()
        super()._part(topic, message)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node, write its samples, and return its exit code."""
    result, name, *ros = sys.argv[1:] if args is None else list(args)
    for module, name_there, kind in (
        (robot_node, "RobotMonitor", RecordedRobotMonitor),
        (policy_node, "PolicyMonitor", RecordedPolicyMonitor),
        (policy_node, "StateAssembler", RecordedAssembler),
        (policy_node, "DepthTiming", RecordedDepthTiming),
    ):
        setattr(module, name_there, kind)
    node_main = {"robot_node": robot_node.main, "policy_node": policy_node.main}[name]
    code = node_main([name, *ros])
    TAPE.write(Path(result))
    return code


if __name__ == "__main__":
    sys.exit(main())
