"""What only the topics of a recording show: where the base was, latency on the wire, what nodes say of themselves.

Reads the few messages that it needs from their CDR bytes, so that a report needs no ROS.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mcap.records import Message

from robot_policies.control.recording.read import Bag, read_bag
from robot_policies.exceptions import RecordingError
from robot_policies.types import Array

BAG = "topics_0.mcap"
BAD = (struct.error, IndexError, ValueError)  # of bytes that are no such message; UnicodeDecodeError is a ValueError
ODOMETRY, JOINTS, DIAGNOSTICS = (
    "nav_msgs/msg/Odometry",
    "sensor_msgs/msg/JointState",
    "diagnostic_msgs/msg/DiagnosticArray",
)


@dataclass(frozen=True)
class Base:
    """Where the base was, by its stamps."""

    source: str  # topic
    stamp_ns: np.ndarray[Any, np.dtype[np.int64]]  # (k,)
    position: Array  # (k, 3) [m] in the frame of the topic
    quat_wxyz: Array  # (k, 4) rotates base to that frame
    lin_vel: Array  # (k, 3) [m/s], base frame
    ang_vel: Array  # (k, 3) [rad/s], base frame


@dataclass(frozen=True)
class WireHistory:
    """What the topics show; empty where there are none."""

    truth: Base | None = None  # of the simulator
    odom: Base | None = None
    latency: Array = field(default_factory=lambda: np.zeros(0))  # (k,) [s], see ``_latency``
    reported: dict[str, dict[str, Any]] = field(default_factory=dict)  # last values of each node on /diagnostics

    @property
    def base(self) -> Base | None:
        """The simulator's word where there is one, else the robot's."""
        return self.truth or self.odom


class Cdr:
    """Reads little-endian CDR, as ROS 2 writes it: every number at a multiple of its size, from behind the header."""

    def __init__(self, data: bytes) -> None:
        """Take a message. Raises ``ValueError`` where it is not little-endian CDR."""
        if data[:2] != b"\x00\x01":
            raise ValueError("not little-endian CDR")
        self._data, self._at = data, 4

    def numbers(self, code: str, count: int = 1) -> tuple[Any, ...]:
        """Return ``count`` numbers of the ``struct`` code. Raises ``struct.error`` where they end too early."""
        size = struct.calcsize(f"<{code}")
        self._at += -(self._at - 4) % size
        values = struct.unpack_from(f"<{count}{code}", self._data, self._at)
        self._at += count * size
        return values

    def text(self) -> str:
        """Return a string."""
        (size,) = self.numbers("I")
        begin, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ValueError("it ends too early")
        return self._data[begin : self._at].rstrip(b"\0").decode()

    def stamp_ns(self) -> int:
        """Return a time [ns]."""
        (sec,), (nanosec,) = self.numbers("i"), self.numbers("I")
        return int(sec) * 1_000_000_000 + int(nanosec)


def read_wire(run: Path, missing: list[str]) -> WireHistory:
    """Return what the topics of a recording show; what cannot be read is added to ``missing``."""
    if not (run / BAG).is_file():
        missing.append(f"{BAG}: no such file: where the base was, latency and diagnostics are not known")
        return WireHistory()
    try:
        bag = read_bag(run / BAG)
    except RecordingError as error:
        missing.append(str(error))
        return WireHistory()
    missing.extend(bag.missing)
    return WireHistory(
        _base(bag, "ground_truth/odom", missing), _base(bag, "odom", missing), _latency(bag), _reported(bag, missing)
    )


def _base(bag: Bag, name: str, missing: list[str]) -> Base | None:
    """Return the odometry on a topic of that name, whatever its namespace."""
    topic = _topic(bag, name, ODOMETRY)
    rows, damaged = [], 0
    for message in bag.of(topic):
        try:
            rows.append(_odometry(Cdr(message.data)))
        except BAD:
            damaged += 1
    if damaged:
        missing.append(f"{BAG}: {damaged} damaged messages on {topic}")
    if not rows:
        return None
    stamps, poses = zip(*rows, strict=True)
    table = np.array(poses)
    order = np.argsort(np.array(stamps, dtype=np.int64), kind="stable")
    table = table[order]
    xyzw = table[:, 3:7]
    return Base(
        topic,
        np.array(stamps, dtype=np.int64)[order],
        table[:, :3],
        xyzw[:, [3, 0, 1, 2]],
        table[:, 7:10],
        table[:, 10:],
    )


def _odometry(cdr: Cdr) -> tuple[int, tuple[float, ...]]:
    """Return the stamp [ns] and position, orientation (xyzw), linear and angular velocity."""
    stamp_ns = cdr.stamp_ns()
    cdr.text(), cdr.text()  # frames
    pose = cdr.numbers("d", 7)
    cdr.numbers("d", 36)
    return stamp_ns, (*pose, *cdr.numbers("d", 6))


def _latency(bag: Bag) -> Array:
    """Return [s] from the receipt of a joint state to that of the command that answers it, both at the recorder."""
    states, commands = (_receipts(bag, name) for name in ("joint_states", "joint_command"))
    return np.array([(commands[stamp] - states[stamp]) / 1e9 for stamp in commands if stamp in states])


def _receipts(bag: Bag, name: str) -> dict[int, int]:
    receipts: dict[int, int] = {}
    for message in bag.of(_topic(bag, name, JOINTS)):
        try:
            receipts.setdefault(Cdr(message.data).stamp_ns(), message.log_time)
        except BAD:
            continue  # ``_base`` tells of damage; a pair less changes no percentile
    return receipts


def _reported(bag: Bag, missing: list[str]) -> dict[str, dict[str, Any]]:
    reported: dict[str, dict[str, Any]] = {}
    damaged = 0
    for message in bag.of(_topic(bag, "diagnostics", DIAGNOSTICS)):
        try:
            reported.update(_statuses(message))
        except BAD:
            damaged += 1
    if damaged:
        missing.append(f"{BAG}: {damaged} damaged messages on /diagnostics")
    return reported


def _statuses(message: Message) -> Iterator[tuple[str, dict[str, Any]]]:
    cdr = Cdr(message.data)
    cdr.stamp_ns(), cdr.text()
    for _ in range(*cdr.numbers("I")):
        cdr.numbers("B")
        name = cdr.text()
        cdr.text(), cdr.text()  # message, hardware
        pairs = [(cdr.text(), cdr.text()) for _ in range(*cdr.numbers("I"))]
        yield name, {key: _decoded(text) for key, text in pairs}


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _topic(bag: Bag, name: str, kind: str) -> str:
    """Return the first topic called ``name``, in whatever namespace, of that type; "" where there is none."""
    channels = bag.channels.values()
    fitting = [c for c in channels if c.schema_id in bag.schemas and bag.schemas[c.schema_id].name == kind]
    found = [c.topic for c in fitting if c.topic == f"/{name}" or c.topic.endswith(f"/{name}")]
    # ground_truth/odom ends as odom does
    return next((topic for topic in sorted(found) if "/ground_truth/" not in topic or "/" in name), "")
