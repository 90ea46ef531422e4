"""The side door of a peer: faults, pushes, the remote and questions. docs/hil.md lists the requests.

It is not on the robot's network, so it works while that is mute.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from robot_policies.exceptions import InputError, expected
from sim2real.door import Door, Request
from sim2real.firmware.board import Board
from sim2real.firmware.faults import KINDS, Faults
from sim2real.firmware.judge import Judge
from sim2real.firmware.remote import remote_bytes
from sim2real.firmware.services import MODES


class Control(Door):
    """Serves the side door of one board."""

    def __init__(self, board: Board, faults: Faults, judge: Judge, port: int) -> None:
        """Listen on ``port`` of this machine, 0 for a free one. Raises RobotError where it is taken."""
        self._board, self._faults, self._judge = board, faults, judge
        self.status: Callable[[], dict[str, Any]] = dict
        verbs = {
            "status": self._status,
            "fault": self._fault,
            "clear": self._clear,
            "push": self._push,
            "tilt": self._tilt,
            "place": self._place,
            "hold_joint": self._hold,
            "release_joints": self._release,
            "remote": self._remote,
            "mode": self._mode,
        }
        super().__init__(port, verbs)

    def _status(self, request: Request) -> dict[str, Any]:
        judge, faults = self._judge, self._faults
        return {
            **self.status(),
            "pose": self._board.sport.pose,
            "sample": judge.newest,
            "limits": dict(judge.limits),
            "writers": len(judge.writers),
            "faults": sorted(faults.active),
            "met": dict(faults.counts),
        }

    def _fault(self, request: Request) -> dict[str, Any]:
        name = str(request.get("name"))
        known = {"do", "name", "seconds", "count", *KINDS.get(name, {})}
        unknown = sorted(set(request) - known)
        if unknown:
            raise InputError(expected(f"fault {name}", ", ".join(unknown), sorted(known)))
        numbers = {key: value for key, value in request.items() if key in KINDS.get(name, {})}
        seconds, count = request.get("seconds"), request.get("count")
        for key, value in (("seconds", seconds), ("count", count)):
            if value is not None and not _number(value) > 0:
                raise InputError(expected(f"fault {name}: {key}", value, "more than 0"))
        self._faults.start(name, numbers, self._board.time, seconds, None if count is None else int(count))
        return self._told(request)

    def _clear(self, request: Request) -> dict[str, Any]:
        self._faults.clear()
        self._board.body.release()
        return self._told(request)

    def _push(self, request: Request) -> dict[str, Any]:
        velocity = request.get("velocity")
        if not isinstance(velocity, list) or len(velocity) != 3:
            raise InputError(expected("push: velocity", velocity, "[x, y, z] in m/s"))
        x, y, z = (_number(value) for value in velocity)
        self._board.body.push((x, y, z))
        return self._told(request)

    def _tilt(self, request: Request) -> dict[str, Any]:
        self._board.body.tilt(_number(request.get("roll", 0.0)), _number(request.get("pitch", 0.0)))
        return self._told(request)

    def _place(self, request: Request) -> dict[str, Any]:
        self._board.body.place()
        return self._told(request)

    def _hold(self, request: Request) -> dict[str, Any]:
        motor, limit = request.get("motor"), request.get("limit", "upper")
        joints = len(self._board.body.spec.joint_names)
        if isinstance(motor, bool) or not isinstance(motor, int) or not 0 <= motor < joints:
            raise InputError(expected("hold_joint: motor", motor, f"0 to {joints - 1}"))
        if limit not in ("upper", "lower"):
            raise InputError(expected("hold_joint: limit", limit, "upper, lower"))
        self._board.body.hold(motor, limit == "upper")
        return self._told(request)

    def _release(self, request: Request) -> dict[str, Any]:
        self._board.body.release()
        return self._told(request)

    def _remote(self, request: Request) -> dict[str, Any]:
        buttons, axes = request.get("buttons", []), request.get("axes", {})
        if not isinstance(buttons, list) or not isinstance(axes, dict):
            raise InputError(expected("remote", request, "buttons: a list, axes: a map"))
        self._board.remote = remote_bytes(buttons, {axis: _number(value) for axis, value in axes.items()})
        return self._told(request)

    def _mode(self, request: Request) -> dict[str, Any]:
        name = request.get("name")
        if name not in ("", *MODES):
            raise InputError(expected("mode: name", repr(name), ('""', *MODES)))
        self._board.switch(str(name))
        return self._told(request)

    def _told(self, request: Request) -> dict[str, Any]:
        self._judge.event("control", request=dict(request))
        return {"t": round(self._board.time, 3)}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(expected("a number", repr(value), "a finite number"))
    return float(value)
