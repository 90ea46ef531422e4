"""A recording of numbers on one topic, and what is read of it."""

from __future__ import annotations

import time
from pathlib import Path

from robot_policies.control.recording.bag import BagWriter, ChannelKind
from robot_policies.control.recording.read import read_bag

CHANNEL = ChannelKind("numbers", "test/Number", "text", b"a number", "text", (("key", "value"),))


def wait_for(condition: object, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def write(path: Path, count: int = 40, size: int = 100) -> BagWriter:
    bag = BagWriter(path, "ros2")
    for number in range(1, count + 1):
        assert bag.add(CHANNEL, number, number, number.to_bytes(4, "little") * (size // 4))
    return bag


def sequences(path: Path) -> list[int]:
    return [message.sequence for message in read_bag(path).of("numbers")]
