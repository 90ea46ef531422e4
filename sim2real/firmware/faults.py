"""Faults on the way out of the robot: what a state says, and what becomes of its packet.

A fault is a name with numbers, active for a time, for a count of states, or until ``clear``. Those that act on the body
or on the modes are in ``control``; these here act on readings and packets.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from robot_policies.exceptions import InputError, expected
from sim2real.firmware.readings import MOTORS, Readings

# name -> its numbers with their defaults
WIRE: dict[str, dict[str, float]] = {
    "drop": {"share": 1.0},  # of the states
    "delay": {"delay": 0.05},  # [s] that each state comes later
    "duplicate": {"copies": 1},
    "reorder": {},  # each two states change places
    "freeze": {},  # the same state again and again, byte by byte
    "corrupt": {"byte": 100},  # of the record; its checksum stays as it was
    "bad_crc": {},
    "torn": {},  # its second half is that of the state before
    "long": {"bytes": 8},  # so many too many at the end
    "short": {"bytes": 100},  # so many are missing at the end; DDS itself refuses to send such a record
    "mute": {},  # no state, no answer, and no command is heard
}
VALUES: dict[str, dict[str, float]] = {
    "nan": {"motor": 0},  # its position
    "nan_imu": {},  # the attitude
    "frozen_values": {},  # old values under a new tick
    "temperature": {"motor": 0, "celsius": 100},
    "motor_error": {"motor": 0, "code": 1},
    "lost": {"motor": 0, "packets": 100},
    "battery": {"percent": 3},
    "clock_jump": {"milliseconds": 1000},  # of the tick, forwards or backwards
    "joint_jump": {"motor": 0, "radians": 1.0},  # an encoder that has slipped
}
KINDS = WIRE | VALUES
_WHOLE = ("motor", "byte", "bytes", "copies", "code", "packets", "percent", "milliseconds")


@dataclass
class Fault:
    """One active fault."""

    name: str
    numbers: Mapping[str, float]
    until: float = math.inf  # [s] of the board's time
    left: int | None = None  # states that it still meets; None: any number


@dataclass
class Faults:
    """The active faults, and what they have held back.

    Attributes:
        impossible: names that this robot's wire cannot carry.
        counts: how many states each fault has met.
    """

    impossible: tuple[str, ...] = ()
    active: dict[str, Fault] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    _random: random.Random = field(default_factory=lambda: random.Random(0))
    _late: list[tuple[float, bytes]] = field(default_factory=list)
    _held: bytes | None = None
    _before: bytes = b""
    _frozen: bytes | None = None
    _values: Readings | None = None

    def start(
        self, name: str, numbers: Mapping[str, float], now: float, seconds: float | None, count: int | None
    ) -> None:
        """Begin a fault, in the place of one of the same name. Raises InputError for a name or number that is not."""
        known = [kind for kind in KINDS if kind not in self.impossible]
        if name not in known:
            raise InputError(expected("fault", name, known))
        unknown = sorted(set(numbers) - set(KINDS[name]))
        if unknown:
            raise InputError(expected(f"numbers of {name}", ", ".join(unknown), KINDS[name]))
        given = KINDS[name] | dict(numbers)
        for key, value in given.items():
            _check(f"{name}: {key}", key, value)
        self._frozen = self._values = None
        self.active[name] = Fault(name, given, math.inf if seconds is None else now + seconds, count)

    def clear(self) -> None:
        """End all faults; what they hold back is lost."""
        self.active.clear()
        self._late.clear()
        self._held = self._frozen = self._values = None

    def expire(self, now: float) -> None:
        """Forget faults whose time or count is over."""
        for name, fault in list(self.active.items()):
            if now >= fault.until or fault.left == 0:
                del self.active[name]

    @property
    def muted(self) -> bool:
        """Whether the network is away."""
        return "mute" in self.active

    def falsify(self, readings: Readings) -> Readings:
        """Change what a state says; returns the same object, or an older one."""
        if self._meets("frozen_values"):
            kept = self._values = self._values or readings
            kept.tick = readings.tick
            readings = kept
        for name, change in _CHANGES.items():
            if self._meets(name):
                change(readings, self.active[name].numbers)
        return readings

    def crc_error(self) -> int:
        """Return what is added to the checksum of the next state."""
        return int(self._meets("bad_crc"))

    def send(self, packet: bytes, now: float) -> list[bytes]:
        """Return what really goes out now, in order, where ``packet`` should."""
        if self._meets("mute") or (
            self._meets("drop") and self._random.random() < self.active["drop"].numbers["share"]
        ):
            return self._due(now)
        if self._meets("freeze"):
            packet = self._frozen = self._frozen or packet
        packet = self._torn(packet)
        if self._meets("delay"):
            self._late.append((now + self.active["delay"].numbers["delay"], packet))
            return self._due(now)
        packets = [packet]
        if self._meets("duplicate"):
            packets *= 1 + int(self.active["duplicate"].numbers["copies"])
        return self._due(now) + self._swapped(packets)

    def _torn(self, packet: bytes) -> bytes:
        if self._meets("corrupt"):
            place = 4 + int(self.active["corrupt"].numbers["byte"]) % (len(packet) - 4)
            packet = packet[:place] + bytes([packet[place] ^ 0xFF]) + packet[place + 1 :]
        whole = packet
        if self._meets("torn") and self._before:
            packet = packet[: len(packet) // 2] + self._before[len(packet) // 2 :]
        if self._meets("long"):
            packet += bytes(int(self.active["long"].numbers["bytes"]))
        if self._meets("short"):
            packet = packet[: -int(self.active["short"].numbers["bytes"]) or None]
        self._before = whole
        return packet

    def _swapped(self, packets: list[bytes]) -> list[bytes]:
        """Hold every second packet back until the next has gone."""
        if self._held is not None:
            packets, self._held = [*packets, self._held], None
        elif self._meets("reorder"):
            self._held, packets = packets[-1], packets[:-1]
        return packets

    def _due(self, now: float) -> list[bytes]:
        due = [packet for at, packet in self._late if at <= now]
        self._late = [(at, packet) for at, packet in self._late if at > now]
        return due

    def _meets(self, name: str) -> bool:
        fault = self.active.get(name)
        if fault is None or fault.left == 0:
            return False
        if fault.left is not None:
            fault.left -= 1
        self.counts[name] = self.counts.get(name, 0) + 1
        return True


def _check(what: str, key: str, value: float) -> None:
    whole = key in _WHOLE
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(expected(what, value, "a number"))
    if (whole and value != int(value)) or (key == "motor" and not 0 <= value < MOTORS):
        raise InputError(expected(what, value, f"0 to {MOTORS - 1}" if key == "motor" else "a whole number"))
    if key not in ("milliseconds", "radians") and value < 0:
        raise InputError(expected(what, value, "0 or more"))


def _nan(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.pos[int(numbers["motor"])] = math.nan


def _nan_imu(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.quat_wxyz = [math.nan] * 4


def _temperature(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.temperature[int(numbers["motor"])] = min(int(numbers["celsius"]), 255)


def _error(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.error[int(numbers["motor"])] = int(numbers["code"])


def _lost(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.lost[int(numbers["motor"])] += int(numbers["packets"])


def _battery(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.soc = int(numbers["percent"])


def _clock(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.tick = (readings.tick + int(numbers["milliseconds"])) & 0xFFFFFFFF


def _joint(readings: Readings, numbers: Mapping[str, float]) -> None:
    readings.pos[int(numbers["motor"])] += numbers["radians"]


_CHANGES: dict[str, Callable[[Readings, Mapping[str, float]], None]] = {
    "nan": _nan,
    "nan_imu": _nan_imu,
    "temperature": _temperature,
    "motor_error": _error,
    "lost": _lost,
    "battery": _battery,
    "clock_jump": _clock,
    "joint_jump": _joint,
}
