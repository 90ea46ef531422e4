"""What a node itself records: opened from its parameter ``record``, told on /diagnostics."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from rclpy.node import Node

from robot_policies.control.recording.journal import Journal
from robot_policies.exceptions import RecordingError
from robot_policies.nodes.wire_recording import WireRecording
from robot_policies.robots.robot import Robot, SpeaksWire

PARAMETER = "record"  # folder of the recording, "" for none
ERROR = "recording_error"


class Recording(Protocol):
    """A file that a node writes beside its work."""

    def flush(self) -> None:
        """Hand on what was noted."""

    def values(self) -> dict[str, Any]:
        """Return what /diagnostics says of it."""
        ...

    def close(self) -> None:
        """Write everything and end the file."""


def open_journal(node: Node, topic: str) -> Journal | None:
    """Declare the parameter and return the journal that it asks for; None, with a warning, where it cannot be."""
    if not node.has_parameter(PARAMETER):
        node.declare_parameter(PARAMETER, "")
    folder = str(node.get_parameter(PARAMETER).value)
    if not folder:
        return None
    try:
        return Journal(Path(folder), topic, node.get_logger().warning)
    except RecordingError as error:
        node.get_logger().warning(str(error))
        return None


def open_wire(node: Node, robot: Robot) -> WireRecording | None:
    """Return the recording of the robot's own wire, where it has one and the run is recorded; as ``open_journal``."""
    folder = str(node.get_parameter(PARAMETER).value)
    if not folder or not isinstance(robot, SpeaksWire):
        return None
    try:
        return WireRecording(Path(folder), robot.wire_log, node.get_logger().warning)
    except RecordingError as error:
        node.get_logger().warning(str(error))
        return None


def flush(*recordings: Recording | None) -> None:
    """Hand on what was noted, once the outputs of a tick are on their way."""
    for recording in recordings:
        if recording is not None:
            recording.flush()


def close(*recordings: Recording | None) -> None:
    """End the recordings of this node."""
    for recording in recordings:
        if recording is not None:
            recording.close()


def values(*recordings: Recording | None) -> dict[str, Any]:
    """Return what /diagnostics says of the recordings; nothing where there is none."""
    told: dict[str, Any] = {}
    for recording in recordings:
        if recording is not None:
            found = recording.values()
            errors = (told.get(ERROR, ""), found.get(ERROR, ""))
            told |= {**found, ERROR: "; ".join(filter(None, errors))}
    return told
