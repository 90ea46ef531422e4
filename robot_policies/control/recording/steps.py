"""The step records of one process, read back: calls in their order, and what is missing among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        self._decoder = Decoder(schema)
        self._messages = list(bag.of(topic))

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
                name, args, named, result, error = self._decoder.decode(message.data)
            except (RecordingError, ValueError, TypeError) as wrong:
                yield Gap(1, str(wrong))
            else:
                yield Call(message.sequence, message.log_time, str(name), args, named, result, error)


def _schema(bag: Bag, topic: str) -> bytes:
    for channel in bag.channels.values():
        if channel.topic == topic and channel.message_encoding == ENCODING and channel.schema_id in bag.schemas:
            return bag.schemas[channel.schema_id].data
    found = "; ".join([", ".join(bag.topics) or "no topic", *bag.missing])
    raise RecordingError(expected(f"{bag.path.name}: step records on {topic}", found, "a recording of a run"))
