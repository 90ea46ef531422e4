"""What recording costs in the loop: the two halves with a journal each and without, in turns, on the same deadlines.

In turns, so that whatever else the machine does hits both alike.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from robot_policies.control.pacing import MonotonicClock, Pacer
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording.journal import (
    POLICY,
    ROBOT,
    Journal,
    JournaledRobotStep,
    JournaledSwitchingStep,
)
from robot_policies.safety.limits import load_safety
from sim2real.benchmark.walk import Walk, same

PERIOD_NS = 20_000_000  # [ns], 50 Hz


class Side:
    """Both halves as the nodes have them, recorded into a folder or not."""

    def __init__(self, walk: Walk, folder: Path | None) -> None:
        """Take the first tick of the walk."""
        spec, safety = walk.spec, walk.spec.name
        policy = JournaledSwitchingStep(PolicyStep(walk.bundle, spec))
        robot = JournaledRobotStep(spec, load_safety(safety, spec))
        journals = [None if folder is None else Journal(folder, topic, _say) for topic in (POLICY, ROBOT)]
        policy.begin(journals[0], spec.name, [walk.bundle])
        robot.begin(journals[1], spec.name, safety)
        walk.again(robot, policy)
        self._walk, self._policy, self._robot = walk, policy, robot
        self._at = walk.start - 1  # cycle of the newest tick
        self._rest(())

    def tick(self, number: int) -> tuple[int, int]:
        """Take tick ``number`` of the walk, its next one; return what each half took [ns], its recording included.

        Raises:
            RobotError: the command is not the recorded one.
        """
        walk, policy, robot = self._walk, self._policy, self._robot
        self._at += walk.decimation
        inputs, following = walk.ticks[number].inputs, walk.states[self._at + 1]
        begun = time.perf_counter_ns()
        made = policy(inputs, inputs.state.stamp_ns)
        _flush(policy.journal)
        stepped = time.perf_counter_ns()
        refusal = robot.take_command(made.command, inputs.state.stamp_ns)
        robot.cycle(following, following.stamp_ns)
        _flush(robot.journal)
        done = time.perf_counter_ns()
        same(made, walk.ticks[number], refusal, robot.mode)
        self._rest((following,))
        return stepped - begun, done - stepped

    def _rest(self, taken: Sequence[object]) -> None:
        """Cycle up to the state of the next tick, beyond those that were ``taken`` after this one."""
        for state in self._walk.states[self._at + 1 + len(taken) : self._at + self._walk.decimation + 1]:
            self._robot.cycle(state, state.stamp_ns)
        _flush(self._policy.journal)
        _flush(self._robot.journal)

    def close(self) -> None:
        """End the files."""
        for journal in (self._policy.journal, self._robot.journal):
            if journal is not None:
                journal.close()


def recorded(walk: Walk, ticks: int) -> dict[str, list[int]]:
    """Return what each half takes per tick [ns], plain and recorded, at 50 Hz; ``ticks`` of both together."""
    names = [f"{half}_half_{kind}" for kind in ("plain", "recorded") for half in ("policy", "robot")]
    samples: dict[str, list[int]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        sides = {"plain": Side(walk, None), "recorded": Side(walk, Path(folder))}
        pacer = Pacer(PERIOD_NS, MonotonicClock())
        for number in range(1, max(ticks // 2, 1) + 1):
            for kind, side in sides.items():
                pacer.wait()
                for half, took in zip(("policy", "robot"), side.tick(number), strict=True):
                    samples[f"{half}_half_{kind}"].append(took)
        for side in sides.values():
            side.close()
    return samples


def _flush(journal: Journal | None) -> None:
    if journal is not None:
        journal.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
