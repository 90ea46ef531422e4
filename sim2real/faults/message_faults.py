"""What becomes of a JointState or Image message on its way between two nodes. It knows the fields and no ROS."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from robot_policies.exceptions import InputError, expected

HUGE = 1e6  # [rad], far beyond any joint


def _nan(message: Any) -> None:
    message.position[0] = math.nan


def _short(message: Any) -> None:
    message.position = message.position[:-1]


def _huge(message: Any) -> None:
    message.position = [HUGE] * len(message.position)


def _names(message: Any) -> None:
    message.name = [f"{name}_of_another_robot" for name in message.name]


def _profile(message: Any) -> None:
    message.header.frame_id = "nobody/000000000000"


def _old(message: Any) -> None:
    message.header.stamp.sec -= 10


def _future(message: Any) -> None:
    message.header.stamp.sec += 10


def _far(message: Any) -> None:
    message.data = bytes(len(message.data))


def _nothing(message: Any) -> None:
    message.data = b"\xff" * len(message.data)  # no number, as float32


def _few_rows(message: Any) -> None:
    message.data = message.data[: len(message.data) // 2]


def _encoding(message: Any) -> None:
    message.encoding = "8UC1"


CHANGES: dict[str, Callable[[Any], None]] = {
    "nan": _nan,
    "short": _short,
    "huge": _huge,
    "names": _names,
    "profile": _profile,
    "old": _old,
    "future": _future,
    "image_holes": _far,
    "image_nan": _nothing,
    "image_short": _few_rows,
    "image_encoding": _encoding,
}
FLOW = ("lost", "late", "doubled", "reordered", "frozen", "still", "torn")
NAMES = (*FLOW, *CHANGES)


@dataclass
class MessageFaults:
    """The one active fault, and what it holds back."""

    name: str = ""
    delay: float = 0.0  # [s], of ``late``
    left: float = math.inf  # messages that it still meets
    _late: list[tuple[float, Any]] = field(default_factory=list)
    _kept: Any = None

    def start(self, request: Mapping[str, Any]) -> None:
        """Begin ``name`` for ``count`` messages, or for good. Raises InputError."""
        name = str(request.get("name"))
        if name not in NAMES:
            raise InputError(expected("fault of messages", name, NAMES))
        self.delay, self.left = float(request.get("delay", 0.0)), float(request.get("count", math.inf))
        self.name, self._kept = name, None

    def clear(self) -> None:
        """Let messages through again."""
        self.name, self._kept = "", None

    def take(self, message: Any, now: float) -> list[Any]:
        """Return what goes out now instead of ``message``, in order."""
        if not self.name or self.left <= 0:
            return [*self.due(now), message]
        self.left -= 1
        if self.name in CHANGES:
            changed = copy.deepcopy(message)
            CHANGES[self.name](changed)
            return [changed]
        return self._flow(message, now)

    def due(self, now: float) -> list[Any]:
        """Return late messages whose time has come."""
        out = [message for at, message in self._late if at <= now]
        self._late = [(at, message) for at, message in self._late if at > now]
        return out

    def _flow(self, message: Any, now: float) -> list[Any]:
        message = copy.deepcopy(message)
        if self.name == "late":
            self._late.append((now + self.delay, message))
            return self.due(now)
        if self.name == "doubled":
            return [message, message]
        if self.name == "frozen":
            self._kept = self._kept or message
            return [self._kept]
        if self.name == "still":  # what it shows is that of the first, its stamp its own
            self._kept = self._kept or message
            message.data = self._kept.data
            return [message]
        if self.name == "torn":
            before, self._kept = self._kept or message, copy.deepcopy(message)
            part = "data" if hasattr(message, "data") else "position"
            new, old = getattr(message, part), getattr(before, part)
            half = len(new) // 2
            setattr(message, part, new[:half] + old[half:])
            return [message]
        if self.name == "reordered":
            before, self._kept = self._kept, message if self._kept is None else None
            return [] if before is None else [message, before]
        return []
