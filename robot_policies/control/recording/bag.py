"""An MCAP file that a thread of its own writes, so that nobody who hands it a message waits for a disk.

What waits to be written is bounded; what would be too much is dropped and counted. The file ends in a whole chunk at
least every ``FLUSH_S``, so that a killed process leaves all but that. Whatever fails ends the recording alone, and says
why. What describes a topic stands in the file twice from the start: a damaged chunk does not make the others nameless.
"""

from __future__ import annotations

import queue
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcap.data_stream import RecordBuilder
from mcap.exceptions import McapError
from mcap.records import Channel, Schema
from mcap.writer import CompressionType, Writer
from zstandard import ZstdError

from robot_policies.exceptions import RecordingError

FLUSH_S = 0.25  # [s]
CHUNK_BYTES = 256 * 1024
MOST_WAITING = 64 * 1024 * 1024  # bytes, in messages that are not written yet
LIBRARY = "robot_policies"
END_LIMIT = 5.0  # [s] for what waits to be written at the end
# What a value or a message that is none leads to, here and in the packages that write.
FAILED = (
    *(TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError, AssertionError, BufferError),
    *(MemoryError, OSError, struct.error, McapError, ZstdError),
)


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """What a channel of a bag holds."""

    topic: str
    schema_name: str
    schema_encoding: str
    schema: bytes
    encoding: str
    metadata: tuple[tuple[str, str], ...] = ()


class BagWriter:
    """One file. ``add`` may be called from one thread, and takes microseconds.

    Attributes:
        written: messages that are in the file.
        dropped: messages that did not fit, or came after something had failed.
        error: why nothing more is written, "" while all is well.
    """

    def __init__(self, path: Path, profile: str, compressed: bool = False, warn: Callable[[str], object] = str) -> None:
        """Begin a file.

        Args:
            path: the file; its folder is made.
            profile: of MCAP: ``ros2``, or "".
            compressed: with zstd, in the thread.
            warn: told once, from the thread, why the recording ends.

        Raises:
            RecordingError: the file cannot be made.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
        except OSError as error:
            raise RecordingError(f"{path}: no recording: {error.strerror}") from error
        compression = CompressionType.ZSTD if compressed else CompressionType.NONE
        self._writer = Writer(self._file, chunk_size=CHUNK_BYTES, compression=compression)
        self.path, self._profile, self._warn = path, profile, warn
        self.written = self.dropped = 0
        self.error = ""
        self._waiting_bytes = self._taken_bytes = 0
        self._queue: queue.SimpleQueue[tuple[ChannelKind, int, int, bytes] | None] = queue.SimpleQueue()
        self._channels: dict[str, int] = {}
        self._descriptions = RecordBuilder()  # of topics that are new since the last flush
        self._thread = threading.Thread(target=self._run, name=f"bag {path.name}", daemon=True)
        self._thread.start()

    def add(self, channel: ChannelKind, sequence: int, stamp_ns: int, data: bytes) -> bool:
        """Take a message; return whether it will be written, as far as can be known now.

        Args:
            channel: where to.
            sequence: number of the message in its channel, so that a reader sees what is missing.
            stamp_ns: wall time of its receipt [ns].
            data: the message.
        """
        size = len(data)
        if self.error or self._waiting_bytes - self._taken_bytes + size > MOST_WAITING:
            self.dropped += 1
            return False
        self._waiting_bytes += size
        self._queue.put((channel, sequence, stamp_ns, data))
        return True

    def fail(self, why: str) -> None:
        """End the recording because of ``why``, which is said once; what was taken before is still written."""
        if not self.error:
            self.error = f"{self.path}: the recording has ended: {why}"
            self._warn(self.error)

    def close(self) -> None:
        """Write what waits, and end the file. Waits ``END_LIMIT`` at most."""
        self._queue.put(None)
        self._thread.join(END_LIMIT)
        if self._thread.is_alive():
            self.fail(f"not all was written within {END_LIMIT:g} s of its end")

    def _run(self) -> None:
        why = "its thread has ended"
        try:
            self._writer.start(self._profile, LIBRARY)
            self._serve()
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
            why = ""
        except FAILED as error:
            why = reason(error)
        finally:
            if why:
                self.fail(why)
                self._give_up()

    def _serve(self) -> None:
        flushed = time.monotonic()
        while True:
            try:
                item = self._queue.get(timeout=FLUSH_S)
            except queue.Empty:
                pass
            else:
                if item is None:
                    return
                self._write(*item)
            now = time.monotonic()
            if now - flushed >= FLUSH_S:
                flushed = now
                self._flush()

    def _flush(self) -> None:
        self._writer.flush()  # type: ignore[no-untyped-call]
        if self._descriptions.count:
            self._file.write(self._descriptions.end())  # type: ignore[no-untyped-call]
            self._file.flush()

    def _write(self, channel: ChannelKind, sequence: int, stamp_ns: int, data: bytes) -> None:
        number = self._channels.get(channel.topic)
        if number is None:
            number = self._channels[channel.topic] = self._register(channel)
        self._writer.add_message(number, stamp_ns, data, stamp_ns, sequence)
        self._taken_bytes += len(data)
        self.written += 1

    def _register(self, channel: ChannelKind) -> int:
        """Describe a topic in the chunk that is being written, and outside of chunks at the next flush."""
        metadata = dict(channel.metadata)
        schema = self._writer.register_schema(channel.schema_name, channel.schema_encoding, channel.schema)
        number = self._writer.register_channel(channel.topic, channel.encoding, schema, metadata)
        kind, encoding = channel.schema_encoding, channel.encoding
        Schema(id=schema, name=channel.schema_name, encoding=kind, data=channel.schema).write(self._descriptions)
        described = Channel(
            id=number, topic=channel.topic, message_encoding=encoding, metadata=metadata, schema_id=schema
        )
        described.write(self._descriptions)
        return int(number)

    def _give_up(self) -> None:
        """Free what was buffered for a file that takes nothing more; what was in memory of it is lost."""
        while not self._queue.empty():
            self.dropped += self._queue.get() is not None
        try:
            self._file.close()
        except OSError:  # its buffer cannot be written either
            return


def reason(error: BaseException) -> str:
    """Return what went wrong, in the system's words where it has some."""
    told = error.strerror if isinstance(error, OSError) else None
    return told or f"{type(error).__name__} {error}".strip()
