"""What went in and out at a robot's own wire, as the bytes that they were, until somebody records it."""

from __future__ import annotations

import struct
import time
from collections import Counter, deque
from dataclasses import dataclass

MOST_KEPT = 2000  # messages: a second of both ways at 1000 Hz each; what nobody takes goes, the oldest first
CDR = b"\x00\x01\x00\x00"  # header of what follows: little endian, no options
BYTES = "std_msgs/msg/UInt8MultiArray"


@dataclass(frozen=True)
class WireTopic:
    """What a ROS 2 bag calls one kind of message on the wire."""

    name: str
    kind: str  # of the message
    definition: str = ""  # of ``kind``, as ros2msg; "" for a type of ROS's own packages
    layout: str = ""  # of bytes within ``BYTES``: JSON of a numpy dtype


@dataclass(frozen=True)
class WireMessage:
    """One message, as it went over the wire."""

    topic: WireTopic
    number: int  # in its topic, from 1, so that a gap shows
    stamp_ns: int  # system time at which it was received or sent
    data: bytes  # CDR


class WireLog:
    """The newest messages, in their order. Of one thread."""

    def __init__(self) -> None:
        self._kept: deque[WireMessage] = deque(maxlen=MOST_KEPT)
        self._numbers: Counter[str] = Counter()

    def note(self, topic: WireTopic, data: bytes, stamp_ns: int | None = None) -> None:
        """Keep a message in CDR; ``stamp_ns`` is its system time, now where it is not given."""
        self._numbers[topic.name] += 1
        stamp_ns = time.time_ns() if stamp_ns is None else stamp_ns
        self._kept.append(WireMessage(topic, self._numbers[topic.name], stamp_ns, data))

    def take(self) -> list[WireMessage]:
        """Return what has come since the last call, oldest first."""
        taken = list(self._kept)
        self._kept.clear()
        return taken


def as_bytes(data: bytes) -> bytes:
    """Return what is no CDR as a message that is: a ``BYTES`` without dimensions, for ``WireLog.note``."""
    return CDR + struct.pack("<III", 0, 0, len(data)) + data
