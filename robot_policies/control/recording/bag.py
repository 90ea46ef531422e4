"""An MCAP file that a thread of its own writes, so that nobody who hands it a message waits for a disk.

What waits to be written is bounded; what would be too much is dropped and counted. The file ends in a whole chunk at
least every ``FLUSH_S``, so that a killed process leaves all but that. A disk that fails ends the recording alone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcap.writer import CompressionType, Writer

from robot_policies.exceptions import RecordingError

FLUSH_S = 0.25  # [s]
CHUNK_BYTES = 256 * 1024
MOST_WAITING = 64 * 1024 * 1024  # bytes, in messages that are not written yet
LIBRARY = "robot_policies"
END_LIMIT = 5.0  # [s] for what waits to be written at the end


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
        dropped: messages that did not fit, or came after the disk had failed.
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

    def close(self) -> None:
        """Write what waits, and end the file. Waits ``END_LIMIT`` at most."""
        self._queue.put(None)
        self._thread.join(END_LIMIT)

    def _run(self) -> None:
        try:
            self._writer.start(self._profile, LIBRARY)
            self._serve()
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        except OSError as error:
            self.error = f"{self.path}: the recording has ended: {error.strerror}"
            self._warn(self.error)
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
                self._writer.flush()  # type: ignore[no-untyped-call]

    def _write(self, channel: ChannelKind, sequence: int, stamp_ns: int, data: bytes) -> None:
        number = self._channels.get(channel.topic)
        if number is None:
            schema = self._writer.register_schema(channel.schema_name, channel.schema_encoding, channel.schema)
            number = self._writer.register_channel(channel.topic, channel.encoding, schema, dict(channel.metadata))
            self._channels[channel.topic] = number
        self._writer.add_message(number, stamp_ns, data, stamp_ns, sequence)
        self._taken_bytes += len(data)
        self.written += 1

    def _give_up(self) -> None:
        """Free what was buffered for a disk that takes nothing more; what was in memory of the file is lost."""
        try:
            self._file.close()
        except OSError:  # its buffer cannot be written either
            return
