"""Reads an MCAP file as far as it can be read: whole, cut off, or with damaged chunks. Says what is missing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, Footer, McapRecord, Message, Schema
from mcap.stream_reader import CRCValidationError, StreamReader, breakup_chunk
from zstandard import ZstdError

from robot_policies.exceptions import RecordingError, expected

BAD = (
    McapError, CRCValidationError, ZstdError, struct.error, ValueError, EOFError, KeyError, UnicodeDecodeError,
    RuntimeError, MemoryError, OverflowError,
)  # fmt: skip
RECORD_LIMIT = 1 << 30  # bytes: a length beyond it is damage


@dataclass
class Bag:
    """What could be read of a file.

    Attributes:
        schemas: by number.
        channels: by number.
        messages: in the order of the file.
        missing: what could not be read, one line each.
    """

    path: Path
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def of(self, topic: str) -> Iterator[Message]:
        """Return the messages of a topic."""
        numbers = {number for number, channel in self.channels.items() if channel.topic == topic}
        return (message for message in self.messages if message.channel_id in numbers)

    @property
    def topics(self) -> list[str]:
        """The topics, sorted."""
        return sorted({channel.topic for channel in self.channels.values()})


def read_bag(path: Path) -> Bag:
    """Return all of ``path`` that can be read. Raises ``RecordingError`` where there is no such file."""
    bag = Bag(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise RecordingError(expected(f"a recording at {path}", error.strerror, "an .mcap file")) from error
    with stream:
        records = StreamReader(stream, emit_chunks=True, record_size_limit=RECORD_LIMIT).records
        ended = False
        while True:
            try:
                record = next(records)
            except StopIteration:
                break
            except BAD as error:
                what = "it is cut off" if not ended else "its end is damaged"
                bag.missing.append(f"{path.name}: {what} after {len(bag.messages)} messages ({_name(error)})")
                break
            ended = ended or isinstance(record, Footer)
            _take(record, bag)
    _drop_nameless(bag)
    return bag


def _drop_nameless(bag: Bag) -> None:
    """Leave out messages of a channel that nothing describes: it stood in a chunk that is damaged."""
    named = [message for message in bag.messages if message.channel_id in bag.channels]
    if len(named) < len(bag.messages):
        bag.missing.append(f"{bag.path.name}: the topic of {len(bag.messages) - len(named)} messages")
        bag.messages = named


def _take(record: McapRecord, bag: Bag) -> None:
    if isinstance(record, Chunk):
        try:
            inner = breakup_chunk(record, validate_crc=True)
        except BAD as error:
            bag.missing.append(f"{bag.path.name}: a damaged chunk after {len(bag.messages)} messages ({_name(error)})")
            return
        for item in inner:
            _take(item, bag)
    elif isinstance(record, Schema):
        bag.schemas[record.id] = record
    elif isinstance(record, Channel):
        bag.channels[record.id] = record
    elif isinstance(record, Message):
        bag.messages.append(record)


def _name(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()
