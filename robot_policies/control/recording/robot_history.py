"""The robot half over time: states, targets, modes, trips and what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.control.lease import Lease
from robot_policies.control.recording.columns import Columns, flat, stamp
from robot_policies.control.recording.journal import BEGIN
from robot_policies.control.recording.steps import Call
from robot_policies.safety.state_machine import Reply, Request
from robot_policies.types import Array, Mode, RobotRecord, RobotState, Trip

Stamps = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Event:
    """Something that happened once."""

    stamp_ns: int
    what: str  # such as "stand", or the name of a trip
    detail: str = ""
    trip: bool = False
    refused: bool = False


@dataclass(frozen=True)
class RobotHistory:
    """Rows are robot cycles, ``n`` joints in robot order; NaN where a cycle has no such value."""

    name: str  # of the robot file
    stamp_ns: Stamps  # (k,)
    joint_pos: Array  # (k, n) [rad]
    joint_vel: Array  # (k, n) [rad/s]
    joint_effort: Array  # (k, n) [N m]
    base_quat_wxyz: Array  # (k, 4)
    base_ang_vel: Array  # (k, 3) [rad/s], base frame
    base_lin_vel: Array  # (k, 3) [m/s], base frame; (k, 0) where nothing estimates it
    asked: Array  # (k, n) [rad], the held target
    sent: Array  # (k, n) [rad], the target after the filter
    command_age: Array  # (k,) [s], state's stamp - stamp that the held command answers
    modes: tuple[Mode, ...]  # (k,)
    clamps: tuple[tuple[str, ...], ...]  # (k,)
    events: tuple[Event, ...]  # in the order of the recording


class RobotReader:
    """Takes the calls of the robot half."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._name = ""
        self._rows = Columns()
        self._stamps: list[int] = []
        self._modes: list[Mode] = []
        self._clamps: list[tuple[str, ...]] = []
        self._events: list[Event] = []
        self._latched: tuple[Trip, ...] = ()

    def take(self, call: Call) -> None:
        """Add what ``call`` shows."""
        if call.name == BEGIN:
            self._name = str(call.named.get("robot", ""))
        elif call.name == "cycle" and isinstance(call.result, RobotRecord):
            self._cycle(call.result)
        elif call.name in _TELLERS:
            self._events.append(_TELLERS[call.name](call))

    def _cycle(self, record: RobotRecord) -> None:
        state, held, safe = record.state, record.command, record.safe
        if not isinstance(state, RobotState) or not isinstance(record.mode, Mode):
            raise TypeError("a cycle without a state or a mode")
        stamp_ns, clamps, trips = stamp(state.stamp_ns), tuple(str(c) for c in record.clamps), tuple(record.trips)
        new = [_trip(trip) for trip in trips if trip not in self._latched]
        self._rows.add(
            joint_pos=state.joint_pos,
            joint_vel=state.joint_vel,
            joint_effort=state.joint_effort,
            base_quat_wxyz=state.base_quat_wxyz,
            base_ang_vel=state.base_ang_vel,
            base_lin_vel=state.base_lin_vel,
            asked=None if held is None else held.joint_pos,
            sent=None if safe is None else safe.joint_pos,
            command_age=None if held is None else (stamp_ns - stamp(held.stamp_ns)) / 1e9,
        )
        self._stamps.append(stamp_ns)
        self._modes.append(record.mode)
        self._clamps.append(clamps)
        self._events.extend(new)
        self._latched = trips

    def history(self) -> RobotHistory:
        """Return everything so far."""
        table = self._rows.array
        return RobotHistory(
            name=self._name,
            stamp_ns=np.array(self._stamps, dtype=np.int64),
            joint_pos=table("joint_pos"),
            joint_vel=table("joint_vel"),
            joint_effort=table("joint_effort"),
            base_quat_wxyz=table("base_quat_wxyz"),
            base_ang_vel=table("base_ang_vel"),
            base_lin_vel=table("base_lin_vel"),
            asked=table("asked"),
            sent=table("sent"),
            command_age=flat(table("command_age")),
            modes=tuple(self._modes),
            clamps=tuple(self._clamps),
            events=tuple(self._events),
        )


def _trip(trip: Trip) -> Event:
    return Event(
        stamp(trip.stamp_ns), str(trip.name), f"in {trip.mode.value}: {trip.detail}; landing: {trip.landing}", trip=True
    )


def _request(call: Call) -> Event:
    asked, stamp_ns = call.args
    if not isinstance(asked, Request):
        raise TypeError("a request that is none")
    return _answered(stamp(stamp_ns), asked.value, call.result)


def _take_lease(call: Call) -> Event:
    lease, stamp_ns = call.args
    if not isinstance(lease, Lease):
        raise TypeError("a lease that is none")
    return _answered(stamp(stamp_ns), "lease taken", call.result)


def _release_lease(call: Call) -> Event:
    event = _answered(stamp(call.args[1]), "lease given back", call.result)
    error = call.args[2] if len(call.args) > 2 else call.named.get("error")
    return event if error is None else Event(event.stamp_ns, "lease ended by an error", str(error), refused=True)


def _refused_command(call: Call) -> Event:
    reason, message, stamp_ns = call.args
    return Event(stamp(stamp_ns), f"command refused: {reason}", str(message), refused=True)


def _without_state(call: Call) -> Event:
    detail, stamp_ns = call.args
    return Event(stamp(stamp_ns), "cycle without a state", str(detail), refused=True)


def _answered(stamp_ns: int, what: str, reply: Any) -> Event:
    if not isinstance(reply, Reply):
        return Event(stamp_ns, what)
    return Event(stamp_ns, what if reply.ok else f"{what} refused", reply.message, refused=not reply.ok)


_TELLERS = {
    "request": _request,
    "take_lease": _take_lease,
    "release_lease": _release_lease,
    "refuse_command": _refused_command,
    "cycle_without_state": _without_state,
}
