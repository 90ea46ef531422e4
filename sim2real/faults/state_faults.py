"""What becomes of a simulated robot's state on its way to the robot node; names as on the firmware peer's wire."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.types import RobotState

SECOND = 1_000_000_000  # [ns]
# name -> its numbers with their defaults
STATE: dict[str, dict[str, float]] = {
    "drop": {},  # no state
    "delay": {"delay": 0.05},  # [s] that each state comes later
    "freeze": {},  # the same state again and again, its stamp too
    "frozen_values": {},  # old values under a new stamp
    "nan": {"motor": 0},  # its position
    "nan_imu": {},  # the attitude
    "short": {},  # a position is missing
    "joint_jump": {"motor": 0, "radians": 1.0},  # an encoder that has slipped
    "joint_speed": {"motor": 0, "speed": 80.0},  # [rad/s]
    "clock_jump": {"milliseconds": 1000},  # of the robot's clock, forwards or backwards
    "unreadable": {},  # the robot cannot be read
}


@dataclass
class Fault:
    """One active fault."""

    numbers: Mapping[str, float]
    until_ns: float = math.inf
    left: float = math.inf  # states that it still meets


@dataclass
class StateFaults:
    """The active faults, and what they have held back."""

    active: dict[str, Fault] = field(default_factory=dict)
    _late: deque[tuple[int, RobotState]] = field(default_factory=deque)
    _frozen: RobotState | None = None

    def start(self, request: Mapping[str, Any], now_ns: int) -> None:
        """Begin a fault: ``name``, its numbers, ``seconds`` or ``count``. Raises InputError for what is not known."""
        name = str(request.get("name"))
        if name not in STATE:
            raise InputError(expected("fault", name, STATE))
        unknown = sorted(set(request) - {"do", "name", "seconds", "count", *STATE[name]})
        if unknown:
            raise InputError(expected(f"numbers of {name}", ", ".join(unknown), STATE[name]))
        numbers = STATE[name] | {key: float(request[key]) for key in STATE[name] if key in request}
        if not all(math.isfinite(value) for value in numbers.values()):
            raise InputError(expected(f"numbers of {name}", numbers, "finite numbers"))
        until_ns = now_ns + float(request.get("seconds", math.inf)) * SECOND
        self._frozen = None
        self.active[name] = Fault(numbers, until_ns, float(request.get("count", math.inf)))

    def clear(self) -> None:
        """End all faults; what they hold back is lost."""
        self.active.clear()
        self._late.clear()
        self._frozen = None

    @property
    def clock_ns(self) -> int:
        """Return how far the robot's clock has jumped [ns]."""
        fault = self.active.get("clock_jump")
        return 0 if fault is None else int(fault.numbers["milliseconds"] * 1e6)

    def apply(self, state: RobotState, now_ns: int) -> RobotState | None:
        """Return what the robot node gets instead of ``state``; None where nothing comes.

        Raises:
            RobotError: the fault ``unreadable``.
        """
        self._expire(now_ns)
        if self._meets("unreadable"):
            raise RobotError(expected("a robot that can be read", "a fault was asked for", "the robot"))
        for name, change in _CHANGES.items():
            if self._meets(name):
                state = change(state, self.active[name].numbers)
        state = self._old(state)
        if self._meets("drop"):
            return None
        return self._delayed(state, now_ns) if self._meets("delay") else state

    def _old(self, state: RobotState) -> RobotState:
        if self._meets("freeze"):
            state = self._frozen = self._frozen or state
        if self._meets("frozen_values"):
            self._frozen = self._frozen or state
            state = replace(self._frozen, stamp_ns=state.stamp_ns)
        return state

    def _delayed(self, state: RobotState, now_ns: int) -> RobotState | None:
        self._late.append((now_ns + int(self.active["delay"].numbers["delay"] * SECOND), state))
        return self._late.popleft()[1] if self._late[0][0] <= now_ns else None

    def _expire(self, now_ns: int) -> None:
        for name, fault in list(self.active.items()):
            if now_ns >= fault.until_ns or fault.left <= 0:
                del self.active[name]

    def _meets(self, name: str) -> bool:
        fault = self.active.get(name)
        if fault is None or fault.left <= 0:
            return False
        fault.left -= 1
        return True


def _changed(values: Any, place: float, value: float) -> Any:
    array = np.array(values)
    array[int(place) % len(array)] = value
    return array


def _nan(state: RobotState, numbers: Mapping[str, float]) -> RobotState:
    return replace(state, joint_pos=_changed(state.joint_pos, numbers["motor"], math.nan))


def _nan_imu(state: RobotState, numbers: Mapping[str, float]) -> RobotState:
    return replace(state, base_quat_wxyz=np.full(4, math.nan))


def _short(state: RobotState, numbers: Mapping[str, float]) -> RobotState:
    return replace(state, joint_pos=state.joint_pos[:-1])


def _jump(state: RobotState, numbers: Mapping[str, float]) -> RobotState:
    motor = int(numbers["motor"])
    return replace(state, joint_pos=_changed(state.joint_pos, motor, state.joint_pos[motor] + numbers["radians"]))


def _speed(state: RobotState, numbers: Mapping[str, float]) -> RobotState:
    return replace(state, joint_vel=_changed(state.joint_vel, numbers["motor"], numbers["speed"]))


_CHANGES: dict[str, Callable[[RobotState, Mapping[str, float]], RobotState]] = {
    "nan": _nan,
    "nan_imu": _nan_imu,
    "short": _short,
    "joint_jump": _jump,
    "joint_speed": _speed,
}
