"""The step records of one process, read back: calls in their order, and what is missing among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.records import Message

from robot_policies.control.recording.codec import SCHEMA
from robot_policies.control.recording.decode import Decoder
from robot_policies.control.recording.journal import ENCODING
from robot_policies.control.recording.read import Bag, read_bag
from robot_policies.exceptions import RecordingError, expected


@dataclass(frozen=True)
class Call:
    """One call of a half of the flow."""

    number: int  # in the file, from 1
    stamp_ns: int  # wall time of its recording
    name: str  # of the method, or ``begin``
    args: tuple[Any, ...]
    named: dict[str, Any]
    result: Any
    error: str | None


@dataclass(frozen=True)
class Gap:
    """Calls that are missing before the next one, and why."""

    count: int
    why: str

    def __str__(self) -> str:
        return f"{self.count} step record{'s' if self.count > 1 else ''} missing: {self.why}"


class StepFile:
    """``<topic>.mcap`` of a recording.

    Attributes:
        missing: what of the file could not be read, one line each.
    """

    def __init__(self, path: Path, topic: str) -> None:
        """Read it. Raises ``RecordingError`` where there is no such file, or no step record in it."""
        bag = read_bag(path)
        self.missing = bag.missing
        schema = _schema(bag, topic)
        try:
            self._decoder = Decoder(schema)
        except RecordingError as error:
            raise RecordingError(f"{path.name}: {error}") from error
        self._messages = [*bag.of(topic)] if topic in bag.topics else bag.nameless

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Call | Gap]:
        """Return calls and gaps in their order; once only, as images are shared between messages."""
        last = 0
        for message in self._messages:
            if message.sequence > last + 1:
                yield Gap(message.sequence - last - 1, "dropped while it was recorded, or damaged")
            last = message.sequence
            try:
                yield _call(message, self._decoder.decode(message.data))
            except (RecordingError, ValueError, TypeError) as wrong:
                yield Gap(1, str(wrong))


def _call(message: Message, value: Any) -> Call:
    """Return the call that a message holds. Raises ``ValueError`` or ``TypeError`` where it holds none."""
    name, args, named, result, error = value
    known = isinstance(name, str) and isinstance(args, tuple) and isinstance(named, dict)
    if not known or not isinstance(error, (str, type(None))):
        raise ValueError("a step record that is no call")
    return Call(message.sequence, message.log_time, name, args, named, result, error)


def _schema(bag: Bag, topic: str) -> bytes:
    """Return what the values of ``topic`` are made of: as the file says, or, where that is lost, as of this version."""
    channels = [c for c in bag.channels.values() if c.topic == topic and c.message_encoding == ENCODING]
    if channels or (bag.nameless and not bag.channels):
        ours = [schema.data for schema in bag.schemas.values() if schema.encoding == ENCODING]
        if not ours:
            bag.missing.append(f"{bag.path.name}: the form of its step records: that of this version is taken")
        return ours[0] if ours else SCHEMA
    found = "; ".join([", ".join(bag.topics) or "no topic", *bag.missing])
    raise RecordingError(expected(f"{bag.path.name}: step records on {topic}", found, "a recording of a run"))
