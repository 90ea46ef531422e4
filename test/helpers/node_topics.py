"""What a node subscribes to, kept by something that stands for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PARTS = ("imu/data", "foot_contacts", "joint_states")
START = 50_000_000_000  # [ns]


class Topics:
    """Stands for a node: keeps what is subscribed."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[[Any], None]] = {}
        self.kinds: dict[str, type] = {}

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any) -> None:
        self.callbacks[topic], self.kinds[topic] = callback, kind
