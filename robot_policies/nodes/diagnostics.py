"""What a node tells on ``/diagnostics``: one status, its numbers as key and value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from robot_policies.nodes.conversions import set_stamp

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Diagnostics:
    """Publishes one node's status under its own full name."""

    def __init__(self, node: Node, hardware_id: str) -> None:
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._status = DiagnosticStatus(name=node.get_fully_qualified_name(), hardware_id=hardware_id)
        self._message = DiagnosticArray(status=[self._status])

    def publish(self, stamp_ns: int, level: bytes, message: str, values: Mapping[str, Any]) -> None:
        """Publish the status; lists and mappings become JSON."""
        set_stamp(self._message.header.stamp, stamp_ns)
        self._status.level, self._status.message = level, message
        self._status.values = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
        self._publisher.publish(self._message)


def read(status: DiagnosticStatus) -> dict[str, Any]:
    """Return the values of a status by key; what is JSON is decoded."""
    values: dict[str, Any] = {}
    for item in status.values:
        try:
            values[item.key] = json.loads(item.value)
        except json.JSONDecodeError:
            values[item.key] = item.value
    return values


def _text(value: Any) -> str:
    return value if isinstance(value, str) and not _is_json(value) else json.dumps(value)


def _is_json(text: str) -> bool:
    """Return whether ``read`` would take ``text`` for something else, as in a policy of the name ``2024``."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True
