"""Reads an MCAP file as far as it can be read: whole, cut off, or damaged anywhere. Says what is missing.

What can be no record is passed over up to the next whole chunk, which its checksum tells from other bytes.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    Channel,
    Chunk,
    DataEnd,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    Schema,
)
from mcap.stream_reader import CRCValidationError, breakup_chunk
from zstandard import ZstdError

from robot_policies.exceptions import RecordingError, expected

BAD = (
    McapError, CRCValidationError, ZstdError, struct.error, ValueError, EOFError, KeyError, UnicodeDecodeError,
    RuntimeError, MemoryError, OverflowError,
)  # fmt: skip
MAGIC = b"\x89MCAP0\r\n"  # at both ends of a file
BLOCK = 65536  # bytes that are read, or lost, at once
HEAD = 9  # bytes of a record before its content: kind (uint8), length (uint64)
FOOTER_SIZE = 20  # bytes of its content
SUMMARY = frozenset(int(kind) for kind in Opcode)  # kinds of record from the end of the data on
DATA = SUMMARY - {
    *(Opcode.CHUNK_INDEX, Opcode.ATTACHMENT_INDEX, Opcode.METADATA_INDEX, Opcode.STATISTICS, Opcode.SUMMARY_OFFSET)
}  # fmt: skip
# Read whole, so that a chunk whose kind is damaged is not taken for one of them.
SMALL: dict[int, Any] = {
    **{Opcode.HEADER: Header, Opcode.SCHEMA: Schema, Opcode.CHANNEL: Channel, Opcode.MESSAGE_INDEX: MessageIndex},
    **{Opcode.ATTACHMENT: Attachment, Opcode.METADATA: Metadata, Opcode.DATA_END: DataEnd},
}


@dataclass
class Bag:
    """What could be read of a file.

    Attributes:
        schemas: by number.
        channels: by number.
        messages: in the order of the file.
        nameless: messages of a channel that nothing describes any more: that stood in what is damaged.
        missing: what could not be read, one line each.
    """

    path: Path
    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    nameless: list[Message] = field(default_factory=list)
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
        with path.open("rb", buffering=0) as file:
            data = _bytes_of(file.fileno(), bag)
    except OSError as error:
        raise RecordingError(expected(f"a recording at {path}", error.strerror, "an .mcap file")) from error
    _walk(data, bag)
    _part_nameless(bag)
    return bag


def _bytes_of(file: int, bag: Bag) -> bytes:
    """Return the bytes of an open file, zeros for blocks that cannot be read. Raises OSError where none can be."""
    size = os.fstat(file).st_size
    blocks, lost, why = [], 0, OSError()
    for at in range(0, size, BLOCK):
        try:
            blocks.append(os.pread(file, BLOCK, at))
        except OSError as error:
            blocks.append(bytes(min(BLOCK, size - at)))
            lost, why = lost + len(blocks[-1]), error
    if lost:
        if lost == size:
            raise why
        bag.missing.append(f"{bag.path.name}: {lost} bytes that the disk does not give ({why.strerror})")
    return b"".join(blocks)


def _walk(data: bytes, bag: Bag) -> None:
    """Read record after record."""
    at, kind, kinds = (len(MAGIC) if data.startswith(MAGIC) else 0), 0, DATA
    while kind != Opcode.FOOTER:
        end = _end_of(data, at, kinds)
        if end is None:
            begin, at = at, _next_chunk(data, at)
            if at == len(data):
                _miss(bag, "its end is damaged" if kinds is SUMMARY else "it is cut off")
                return
            _miss(bag, f"{at - begin} damaged bytes")
            continue
        kind = data[at]
        whole = _read(kind, data[at + HEAD : end], bag)
        at, kinds = end, SUMMARY if whole and kind == Opcode.DATA_END else kinds
    if data[at:] != MAGIC:
        _miss(bag, "its end is damaged")


def _end_of(data: bytes, at: int, kinds: frozenset[int]) -> int | None:
    """Return where the record that begins at ``at`` ends; None where none of ``kinds`` can, or it does not end."""
    if at + HEAD > len(data) or data[at] not in kinds:
        return None
    size = int.from_bytes(data[at + 1 : at + HEAD], "little")
    end = at + HEAD + size
    return end if end <= len(data) and (data[at] != Opcode.FOOTER or size == FOOTER_SIZE) else None


def _next_chunk(data: bytes, at: int) -> int:
    """Return where the next whole chunk begins after ``at``, whatever is between; the end of ``data`` without one."""
    while (at := data.find(Opcode.CHUNK, at + 1)) >= 0:
        end = _end_of(data, at, DATA)
        if end is None:
            continue
        with contextlib.suppress(*BAD):
            breakup_chunk(Chunk.read(ReadDataStream(io.BytesIO(data[at + HEAD : end]))), validate_crc=True)
            return at
    return len(data)


def _read(opcode: int, content: bytes, bag: Bag) -> bool:
    """Take what one record of the file holds, and return whether it is whole; what cannot be read of it is named."""
    stream = ReadDataStream(io.BytesIO(content))
    try:
        if opcode == Opcode.CHUNK:
            _take(breakup_chunk(Chunk.read(stream), validate_crc=True), bag)
        elif opcode == Opcode.MESSAGE:
            _take([Message.read(stream, len(content))], bag)
        elif opcode in SMALL:
            record = SMALL[opcode].read(stream)
            if stream.count != len(content):
                raise ValueError(f"{stream.count} of {len(content)} bytes")
            _take([record], bag)
    except BAD as error:
        word = "chunk" if opcode == Opcode.CHUNK else "record"
        _miss(bag, f"a damaged {word}", f" ({type(error).__name__} {error})")
        return False
    return True


def _take(records: Iterable[McapRecord], bag: Bag) -> None:
    """Keep what is read. What describes a topic may stand in the file several times: the first is within a checksum."""
    for record in records:
        if isinstance(record, Schema):
            bag.schemas.setdefault(record.id, record)
        elif isinstance(record, Channel):
            bag.channels.setdefault(record.id, record)
        elif isinstance(record, Message):
            bag.messages.append(record)


def _miss(bag: Bag, what: str, why: str = "") -> None:
    bag.missing.append(f"{bag.path.name}: {what} after {len(bag.messages)} messages{why}")


def _part_nameless(bag: Bag) -> None:
    bag.nameless = [message for message in bag.messages if message.channel_id not in bag.channels]
    if bag.nameless:
        bag.missing.append(f"{bag.path.name}: the topic of {len(bag.nameless)} messages")
        bag.messages = [message for message in bag.messages if message.channel_id in bag.channels]
