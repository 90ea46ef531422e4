"""Golden runs: recordings that are run again by every version, on every processor, with the bundle as it is now.

A recording replays bit by bit only on the machine that made it: matrix products add in an order that depends on the
processor. So the network's output is compared within the tolerance of golden.npz, and what was recorded then is handed
on: the rounding of a network does not travel from tick to tick. Everything else is compared within ``ROUNDING``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from robot_policies import resources
from robot_policies.bundle.golden import ABSOLUTE, RELATIVE
from robot_policies.bundle.golden import ROUNDING as OF_LARGEST
from robot_policies.bundle.load import Bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording.compare import Rounding
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.replay import POLICY_CALLS, ROBOT_CALLS, Outcome, replay
from robot_policies.control.recording.steps import Call, Gap, StepFile
from robot_policies.control.recording.subjects import Subjects
from robot_policies.policies.policy import Policy, PolicyClass
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import (
    Action,
    Array,
    Array32,
    GainProfile,
    JointCommand,
    Observation,
    PolicyInputs,
    PolicyRecord,
)

# float64: sine, cosine and arc tangent of the system's libm are within 1 in the last place (2.2e-16) of each other on
# all x86 processors, and some ten operations follow. float32: an image is resized by two matrix products of up to 106
# terms, and a float64 that is off by a bit may round to the next float32 (1.2e-7).
ROUNDING = Rounding(single=2e-6, double=1e-12)


class RecordedOutputs:
    """What the networks gave then, tick by tick, and how far what they give now is away.

    Attributes:
        worst: the largest difference, in units of the tolerance.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self._record: PolicyRecord | None = None

    def note(self, steps: StepFile) -> Iterator[Call | Gap]:
        """Give the calls, and know each one's output while it is run again."""
        for item in steps:
            result = item.result if isinstance(item, Call) else None
            self._record = result if isinstance(result, PolicyRecord) else None
            yield item

    def instead_of(self, raw: Array32, gains: str) -> Array32:
        """Return what was recorded where ``raw`` is near enough to it, else ``raw`` itself.

        Args:
            raw: what the networks give now.
            gains: name of the policy's gain profile: the record is of the one that commanded, which may be another.
        """
        record = self._record
        if record is None or record.command.gain_profile.partition("/")[0] != gains.partition("/")[0]:
            return raw
        recorded = record.action.raw
        if recorded.shape != raw.shape or recorded.dtype != raw.dtype:
            return raw
        allowed = ABSOLUTE + RELATIVE * np.abs(recorded) + OF_LARGEST * np.abs(recorded).max()
        share = float((np.abs(raw.astype(np.float64) - recorded) / allowed).max())
        self.worst = max(self.worst, share)
        return recorded if share <= 1.0 else raw


class Fed:
    """A policy whose networks run, and whose output is the recorded one where the two agree."""

    def __init__(self, policy: Policy, outputs: RecordedOutputs) -> None:
        """Wrap ``policy``."""
        self._policy, self._outputs = policy, outputs
        self.gains: GainProfile = policy.gains
        self.graph = policy.graph

    def reset(self) -> None:
        """See ``Policy``."""
        self._policy.reset()

    def observe(self, inputs: PolicyInputs, tick: int) -> Observation:
        """See ``Policy``."""
        return self._policy.observe(inputs, tick)

    def infer(self, observation: Observation, tick: int) -> Array32:
        """See ``Policy``."""
        return self._outputs.instead_of(self._policy.infer(observation, tick), self.gains.name)

    def decode(self, raw: Array32, stamp_ns: int) -> tuple[Action, JointCommand]:
        """See ``Policy``."""
        return self._policy.decode(raw, stamp_ns)

    def follow(self, joint_pos: Array) -> None:
        """See ``Policy``."""
        self._policy.follow(joint_pos)


class FedSubjects(Subjects):
    """Makes the two halves of a recording anew, the policy half fed with the outputs that were recorded."""

    def __init__(self, run: Path, outputs: RecordedOutputs) -> None:
        """Take the folder of a recording."""
        super().__init__(run)
        self._outputs = outputs

    def _step(self, bundle: Bundle, spec: RobotSpec) -> PolicyStep:
        policy = cast(PolicyClass, resources.plugin("policies", bundle.contract.kind))(bundle, spec)
        return PolicyStep(bundle, spec, Fed(policy, self._outputs))


@dataclass(frozen=True)
class Golden:
    """What running a golden run again has shown.

    Attributes:
        policy, robot: of the two halves.
        missing: what could not be run again, one line each.
        worst: largest difference of a network's output, in units of the tolerance.
    """

    policy: Outcome
    robot: Outcome
    missing: tuple[str, ...]
    worst: float

    @property
    def differences(self) -> list[str]:
        """The first difference of each half, and what is missing; empty where all is as it was."""
        halves = (("policy", self.policy), ("robot", self.robot))
        found = [f"{name}: first difference at {half.first}" for name, half in halves if half.first is not None]
        return [*found, *self.missing]


def run_golden(run: Path) -> Golden:
    """Run a golden run again with what is installed. Raises ``RobotPoliciesError`` where it cannot begin."""
    outputs = RecordedOutputs()
    subjects = FedSubjects(run, outputs)
    policy_steps, robot_steps = (StepFile(run / f"{topic}.mcap", topic) for topic in (POLICY, ROBOT))
    policy = replay(outputs.note(policy_steps), subjects.policy, POLICY_CALLS, resets=True, rounding=ROUNDING)
    robot = replay(robot_steps, subjects.robot, ROBOT_CALLS, resets=False, rounding=ROUNDING)
    missing = [*policy_steps.missing, *policy.missing, *robot_steps.missing, *robot.missing]
    for name, half in (("policy", policy), ("robot", robot)):
        if not half.ticks:
            missing.append(f"{name}: no tick could be run again")
    return Golden(policy, robot, tuple(missing), outputs.worst)
