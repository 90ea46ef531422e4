"""The topics of a recording by time: which messages a page needs to show a moment, or to go on from one to the next."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.serialization import deserialize_message

from robot_policies.control.recording.read import read_bag
from robot_policies.exceptions import RecordingError, expected
from robot_policies.types import Array

TOPICS = "topics_0.mcap"
CLOCK, JOINTS = "/clock", "joint_states"
NS = 1_000_000_000
STAMPED = 12  # bytes of CDR: 4 that say how it is encoded, the second of them its byte order; then a stamp of 8

Places = npt.NDArray[np.int64]


class TopicBag:
    """The bag of one run.

    Attributes:
        prefix: the robot's namespace, with a slash at its end.
        times: of every message [s] since the first, on the robot's clock in lockstep, else on that of the recorder.
        begin_ns: what that clock said then.
        missing: what of the file could not be read, one line each.
    """

    def __init__(self, run: Path) -> None:
        """Read the topics of the recording in the folder ``run``.

        Raises:
            RecordingError: there is no such file, or no robot's state in it.
        """
        bag = read_bag(run / TOPICS)
        self.missing = list(bag.missing)
        names = {number: channel.topic for number, channel in bag.channels.items()}
        known = [channel for channel in bag.channels.values() if channel.schema_id in bag.schemas]
        self.kinds = {channel.topic: bag.schemas[channel.schema_id].name for channel in known}
        self._messages = bag.messages
        self._names = [names[message.channel_id] for message in bag.messages]
        self._places: dict[str, list[int]] = {}
        for place, name in enumerate(self._names):
            self._places.setdefault(name, []).append(place)
        states = sorted(name for name in self._places if name.rpartition("/")[2] == JOINTS)
        if not states:
            found = "; ".join([", ".join(bag.topics) or "no topic", *bag.missing])
            raise RecordingError(expected(f"{run / TOPICS}: {JOINTS}", found, "the recording of a run"))
        self.prefix = states[0].removesuffix(JOINTS)
        stamps = self._stamps()
        self.begin_ns = int(stamps[0])
        self.times: Array = (stamps - self.begin_ns).astype(np.float64) * 1e-9
        self._decoded: dict[str, type] = {}

    @property
    def length(self) -> float:
        """Time of the last message [s]."""
        return float(self.times[-1])

    def at(self, time: float) -> int:
        """Return how many messages there are up to ``time`` [s], that moment included."""
        return int(np.searchsorted(self.times, time, "right"))

    def places(self, topic: str, begin: int, end: int) -> Places:
        """Return the places of a topic's messages from ``begin`` on and before ``end``."""
        known = np.asarray(self._places.get(topic, ()), np.int64)
        return known[np.searchsorted(known, begin) : np.searchsorted(known, end)]

    def name(self, place: int) -> str:
        """Return the topic of a message."""
        return self._names[place]

    def message(self, place: int) -> Any:
        """Return the message there.

        Raises:
            RecordingError: its bytes are not those of its type.
        """
        topic = self._names[place]
        kind = self._decoded.get(topic)
        try:
            if kind is None:
                package, _, name = self.kinds[topic].split("/")
                kind = self._decoded[topic] = getattr(importlib.import_module(f"{package}.msg"), name)
            return deserialize_message(self._messages[place].data, kind)
        except (RuntimeError, ImportError, AttributeError, KeyError, ValueError) as error:
            raise RecordingError(f"{topic}: a message that cannot be read: {_short(error)}") from error

    def _stamps(self) -> Places:
        """Return the time of every message [ns]: none is before the one before it in the file."""
        stamps: Places = np.array([message.log_time for message in self._messages], np.int64)
        if CLOCK in self._places:
            # The states tell the time too: the recorder may have found them before the clock.
            telling = np.array(sorted(self._places[CLOCK] + self._places[self.prefix + JOINTS]), np.int64)
            told = np.array([first_stamp(self._messages[place].data) for place in telling.tolist()], np.int64)
            newest = np.searchsorted(telling, np.arange(len(stamps)), "right") - 1
            stamps = np.maximum.accumulate(told)[np.maximum(newest, 0)]
        return np.maximum.accumulate(stamps)


def first_stamp(data: bytes) -> int:
    """Return the stamp [ns] that a serialized Clock, or message with a header, begins with; 0 where it is too short."""
    if len(data) < STAMPED:
        return 0  # as late as the one before it
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, STAMPED - 8)
    return int(seconds) * NS + int(nanoseconds)


def sampled(places: Places, times: Array, period: float) -> Places:
    """Return the last of ``places`` in each ``period`` [s]."""
    if not len(places):
        return places
    cells = np.floor(times[places] / period)
    last: Places = places[np.append(cells[1:] != cells[:-1], True)]
    return last


def newest_before(places: Places, others: Iterable[int]) -> Places:
    """Return, for each of ``others``, the last of ``places`` before it; each once."""
    found = np.searchsorted(places, np.asarray(list(others), np.int64)) - 1
    chosen: Places = np.unique(places[found[found >= 0]])
    return chosen


def _short(error: Exception) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())}"[:160]
