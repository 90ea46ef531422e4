"""What the nodes of one robot tell on /diagnostics: the newest values of each, and rates from their counters."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from robot_policies.nodes import diagnostics
from robot_policies.nodes.conversions import to_ns

SILENT = 2.0  # [s] after which a node that tells twice a second counts as gone
COUNTERS = {"robot_node": "cycles", "policy_node": "ticks"}
WINDOW = 6  # reports over which a rate is taken: 3 s


class Facts:
    """Keeps what the nodes in one namespace told last.

    Attributes:
        nodes: values by node name, with ``message`` and ``hardware_id`` beside them.
    """

    def __init__(self, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Listen for nodes of ``namespace``, such as ``/`` or ``/r1``; ``clock`` says when something is heard [s]."""
        self._clock = clock
        self._prefix = namespace.rstrip("/") + "/"
        self.nodes: dict[str, dict[str, Any]] = {}
        self._heard: dict[str, float] = {}
        self._counts: dict[str, deque[tuple[int, int]]] = {}

    def forget(self) -> None:
        """Forget everything, as another time of a recording comes."""
        for kept in (self.nodes, self._heard, self._counts):
            kept.clear()

    @property
    def robot(self) -> dict[str, Any]:
        """The robot node's values."""
        return self.nodes.get("robot_node", {})

    @property
    def policy(self) -> dict[str, Any]:
        """The policy node's values."""
        return self.nodes.get("policy_node", {})

    def take(self, message: DiagnosticArray) -> None:
        """Take a message of anybody."""
        for status in message.status:
            name = status.name.removeprefix(self._prefix)
            if name == status.name or "/" in name:
                continue  # another namespace's
            values = {**diagnostics.read(status), "message": status.message, "hardware_id": status.hardware_id}
            self.nodes[name] = values
            self._heard[name] = self._clock()
            count = values.get(COUNTERS.get(name, ""))
            if isinstance(count, int):
                self._counts.setdefault(name, deque(maxlen=WINDOW)).append((to_ns(message.header.stamp), count))

    def alive(self, node: str) -> bool:
        """Return whether ``node`` told something lately."""
        return self._clock() - self._heard.get(node, -math.inf) < SILENT

    def rate(self, node: str) -> float | None:
        """Return how often ``node`` cycles or ticks [Hz, on the robot's clock]; None: unknown."""
        counts = self._counts.get(node)
        if counts is None or len(counts) < 2 or not self.alive(node):
            return None
        (begin_ns, first), (end_ns, last) = counts[0], counts[-1]
        return (last - first) * 1e9 / (end_ns - begin_ns) if end_ns > begin_ns and last >= first else None
