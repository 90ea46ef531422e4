"""Both nodes quiet and with every core busy, with SCHED_FIFO and without: the same pair of processes throughout."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from robot_policies.exceptions import RobotError
from sim2real.benchmark.children import busy, fifo_permitted
from sim2real.benchmark.figures import Report
from sim2real.benchmark.stack import Stack, within

NO_FIFO = "without SCHED_FIFO: the right is missing (rtprio in limits.conf, or CAP_SYS_NICE)"
DIAGNOSTICS_LIMIT = 5.0  # [s], ten times their period


class Phases:
    """Runs the phases and keeps when each was.

    Attributes:
        spans: suffix of the names -> from when to when (monotonic [ns]).
        notes: suffix -> what is to be said beside the figures.
    """

    def __init__(self, scratch: Path, robot: Mapping[str, object], forward: float) -> None:
        """Take the parameters of the robot node, and how fast to walk [m/s]."""
        self.spans: dict[str, tuple[int, int]] = {}
        self.notes: dict[str, str] = {}
        self._tripped: set[str] = set()
        self._permitted = fifo_permitted()
        self._forward = forward
        self._stack = Stack(scratch, robot)

    def run(self, seconds: float, others: float) -> None:
        """Run all phases, the first one for ``seconds`` and each other one for ``others`` [s].

        Raises:
            RobotError: the nodes do not come to run at all. A phase that fails is a note, and its span is empty.
        """
        with self._stack as stack:
            stack.walk()
            for fifo in (True, False) if self._permitted else (False,):
                for loaded in (False, True):
                    suffix = ("" if fifo or not self._permitted else "_no_fifo") + ("_loaded" if loaded else "")
                    if not self._permitted:
                        self.note(suffix, NO_FIFO)
                    try:
                        self._phase(suffix, fifo, loaded, seconds if suffix == "" else others)
                    except RobotError as error:
                        self.spans[suffix] = (0, 0)
                        self.note(suffix, str(error))

    def fill(self, report: Report, names: Mapping[str, str]) -> None:
        """Add the samples of every phase, once the nodes have ended. ``names``: of the tape -> of the report."""
        samples = self._stack.samples()
        for taped, name in names.items():
            for suffix, span in self.spans.items():
                values, note = within(samples.get(taped, []), span), self.notes.get(suffix, "")
                if not values and suffix in self._tripped:
                    report.note(f"{name}{suffix}", note)  # a robot that lands at once is what was found
                else:
                    report.add(f"{name}{suffix}", values, note)

    def note(self, suffix: str, text: str) -> None:
        """Say something beside the figures of a phase."""
        self.notes[suffix] = "; ".join(filter(None, (self.notes.get(suffix, ""), text)))

    def _phase(self, suffix: str, fifo: bool, loaded: bool, seconds: float) -> None:
        stack, operator = self._stack, self._stack.operator
        stack.schedule(self._permitted)  # to get up, where the last phase has tripped
        awake(stack, self._forward)
        stack.schedule(fifo)
        with busy((os.cpu_count() or 1) if loaded else 0, stack.scratch):
            begun = time.monotonic_ns()
            operator.drive(seconds, self._forward)
            self.spans[suffix] = (begun, time.monotonic_ns())
        told(stack)
        if operator.robot.get("mode") != "active":
            self._tripped.add(suffix)
            self.note(suffix, f"tripped: {operator.robot.get('message')}")


def awake(stack: Stack, forward: float) -> None:
    """Walk again after a landing."""
    operator = stack.operator
    told(stack)
    if operator.robot.get("mode") != "active":
        operator.stand()
        operator.activate(configured=True)
        operator.drive(0.5, forward)


def told(stack: Stack) -> tuple[int, float]:
    """Hear the robot node, and return its cycles and the time [s] of hearing them."""
    operator, before = stack.operator, stack.operator.told["/robot_node"]
    operator.wait(lambda: operator.told["/robot_node"] > before, DIAGNOSTICS_LIMIT, "diagnostics of the robot node")
    return int(operator.robot["cycles"]), time.monotonic()
