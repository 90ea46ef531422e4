"""The robot's own wire in a recording: the bytes that went in and out at its driver, as a ROS 2 bag, ``wire.mcap``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from robot_policies.control.recording.bag import BagWriter, ChannelKind
from robot_policies.nodes.bag_metadata import offered
from robot_policies.nodes.message_definitions import definition
from robot_policies.robots.wire_log import WireLog, WireTopic

FILE = "wire.mcap"


class WireRecording:
    """Hands what a driver has kept to the thread that writes."""

    def __init__(self, folder: Path, log: WireLog, warn: Callable[[str], object]) -> None:
        """Begin the file. Raises ``RecordingError``."""
        self._log = log
        self._bag = BagWriter(folder / FILE, "ros2", compressed=True, warn=warn)
        self._channels: dict[str, ChannelKind] = {}

    def flush(self) -> None:
        """Hand on what went over the wire since the last call."""
        for message in self._log.take():
            self._bag.add(self._channel(message.topic), message.number, message.stamp_ns, message.data)

    def values(self) -> dict[str, Any]:
        """Return what /diagnostics says of it."""
        bag = self._bag
        return {"wire_recorded": bag.written, "wire_dropped": bag.dropped, "recording_error": bag.error}

    def close(self) -> None:
        """Write everything and end the file."""
        self.flush()
        self._bag.close()

    def _channel(self, topic: WireTopic) -> ChannelKind:
        channel = self._channels.get(topic.name)
        if channel is None:
            text = (topic.definition or definition(topic.kind)).encode()
            facts = (("offered_qos_profiles", offered(False, False)), ("layout", topic.layout))
            known = tuple((name, value) for name, value in facts if value)
            channel = ChannelKind(topic.name, topic.kind, "ros2msg" if text else "", text, "cdr", known)
            self._channels[topic.name] = channel
        return channel
