"""The step records of a node: opened from its parameter ``record``, told on /diagnostics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rclpy.node import Node

from robot_policies.control.recording.journal import Journal
from robot_policies.exceptions import RecordingError

PARAMETER = "record"  # folder of the recording, "" for none


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


def flush(journal: Journal | None) -> None:
    """Hand on what was noted, once the outputs of a tick are on their way."""
    if journal is not None:
        journal.flush()


def close(journal: Journal | None) -> None:
    """End the recording of this node."""
    if journal is not None:
        journal.close()


def values(journal: Journal | None) -> dict[str, Any]:
    """Return what /diagnostics says of the recording; nothing where there is none."""
    return {} if journal is None else journal.values()
