"""Step records: every call that changes one half of the flow, with its arguments and what came of it.

``JournaledSwitchingStep`` and ``JournaledRobotStep`` are the two halves with a journal. Calls are noted as they return
and become bytes at ``flush``, which the owner calls once the command of the tick is on its way: values are frozen and
own their arrays, so they are then still what they were.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from robot_policies.bundle.load import Bundle
from robot_policies.control.recording.bag import FAILED, BagWriter, ChannelKind, reason
from robot_policies.control.recording.codec import SCHEMA, Encoder
from robot_policies.control.recording.folder import kept_names
from robot_policies.control.robot_step import RobotStep
from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import RobotPoliciesError

ENCODING = "robot_policies"  # of messages and schema: docs/recording.md
SCHEMA_NAME = "robot_policies/StepRecord"
BEGIN = "begin"
POLICY, ROBOT = "policy_steps", "robot_steps"  # topics

Method = TypeVar("Method", bound=Callable[..., Any])


class Journal:
    """Writes the calls of one object to a file ``<topic>.mcap``.

    A message is the tuple (name of the method, positional arguments, named ones, result, error or None); the first one
    is (``begin``, (), what the object was made of, None, None).
    """

    def __init__(self, folder: Path, topic: str, warn: Callable[[str], object], compressed: bool = False) -> None:
        """Begin the file in ``folder``, with zstd where ``compressed``. Raises ``RecordingError``."""
        self._channel = ChannelKind(topic, SCHEMA_NAME, ENCODING, SCHEMA, ENCODING)
        self._bag = BagWriter(folder / f"{topic}.mcap", "", compressed, warn)
        self._encoder = Encoder()
        self._pending: list[tuple[Any, ...]] = []
        self._sequence = 0
        self.inside = False  # a noted call is under way: what it calls itself is part of it

    def begin(self, **facts: Any) -> None:
        """Say what the object whose calls follow is made of."""
        self.note(BEGIN, (), facts, None, None)

    def note(self, name: str, args: tuple[Any, ...], named: dict[str, Any], result: Any, error: str | None) -> None:
        """Keep a call until ``flush``."""
        self._pending.append((name, args, named, result, error))

    def flush(self) -> None:
        """Hand the calls so far to the thread that writes. What cannot be recorded ends the recording, nothing else."""
        for call in self._pending:
            self._sequence += 1
            if not self._bag.add(self._channel, self._sequence, time.time_ns(), self._encoded(call)):
                self._encoder.forget()
        self._pending.clear()

    def _encoded(self, call: tuple[Any, ...]) -> bytes:
        """Return a call as bytes; b"" where the recording has ended, or ends as it cannot be written."""
        if self._bag.error:
            return b""
        try:
            return self._encoder.encode(call)
        except FAILED as error:
            self._bag.fail(f"a step record cannot be written ({call[0]}): {reason(error)}")
            return b""

    def values(self) -> dict[str, Any]:
        """Return what /diagnostics says of it."""
        bag = self._bag
        return {"steps_recorded": bag.written, "steps_dropped": bag.dropped, "recording_error": bag.error}

    def close(self) -> None:
        """Write everything and end the file."""
        self.flush()
        self._bag.close()


def journaled(method: Method) -> Method:
    """Return ``method``, noted in ``self.journal`` where there is one."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        journal: Journal | None = self.journal
        if journal is None or journal.inside:
            return method(self, *args, **named)
        journal.inside = True
        try:
            result = method(self, *args, **named)
        except RobotPoliciesError as error:
            journal.note(method.__name__, args, named, None, str(error))
            raise
        finally:
            journal.inside = False
        journal.note(method.__name__, args, named, result, None)
        return result

    return cast(Method, call)


class JournaledSwitchingStep(SwitchingStep):
    """The policy half, with a journal."""

    journal: Journal | None = None
    reset = journaled(SwitchingStep.reset)
    check_start = journaled(SwitchingStep.check_start)
    switch = journaled(SwitchingStep.switch)
    watch = journaled(SwitchingStep.watch)
    __call__ = journaled(SwitchingStep.__call__)

    def begin(self, journal: Journal | None, robot: str, bundles: Sequence[Bundle]) -> None:
        """Note calls in ``journal`` from now on; ``bundles`` of ``robot`` are what this is made of."""
        self.journal = journal
        if journal is not None:
            names = kept_names([bundle.folder for bundle in bundles])
            journal.begin(robot=Path(robot).stem, bundles=names, control_dt_ns=self.control_dt_ns)


class JournaledRobotStep(RobotStep):
    """The robot half, with a journal."""

    journal: Journal | None = None
    request = journaled(RobotStep.request)
    set_gain_profile = journaled(RobotStep.set_gain_profile)
    take_lease = journaled(RobotStep.take_lease)
    release_lease = journaled(RobotStep.release_lease)
    take_command = journaled(RobotStep.take_command)
    refuse_command = journaled(RobotStep.refuse_command)
    trip = journaled(RobotStep.trip)
    cycle = journaled(RobotStep.cycle)
    cycle_without_state = journaled(RobotStep.cycle_without_state)

    def begin(self, journal: Journal | None, robot: str, safety: str) -> None:
        """Note calls in ``journal`` from now on; names of robot and safety file are what this is made of."""
        self.journal = journal
        if journal is not None:
            rate = float(self.spec.state_rate)
            journal.begin(robot=Path(robot).stem, safety=Path(safety).stem, state_rate=rate)
