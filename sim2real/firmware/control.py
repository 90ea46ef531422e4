"""The side door of a peer: faults, pushes, the remote and questions, as one JSON object a datagram on 127.0.0.1.

It is not on the robot's network, so it works while that is mute. Every request gets one answer, ``{"ok": true, ...}``
or ``{"ok": false, "error": ...}``. docs/hil.md lists the requests.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Mapping
from typing import Any

from robot_policies.exceptions import InputError, RobotError, expected
from sim2real.firmware.board import Board
from sim2real.firmware.faults import KINDS, Faults
from sim2real.firmware.judge import Judge
from sim2real.firmware.remote import remote_bytes
from sim2real.firmware.services import MODES

HOST = "127.0.0.1"
LONGEST = 4096  # bytes of a request
Request = Mapping[str, Any]


class Control:
    """Serves the side door of one board."""

    def __init__(self, board: Board, faults: Faults, judge: Judge, port: int) -> None:
        """Listen on ``port`` of this machine, 0 for a free one. Raises RobotError where it is taken."""
        self._board, self._faults, self._judge = board, faults, judge
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((HOST, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise RobotError(expected(f"control port {port}", str(error), "a free UDP port, or 0")) from error
        self.port = int(self._socket.getsockname()[1])
        self.status: Callable[[], dict[str, Any]] = dict
        self._requests: dict[str, Callable[[Request], dict[str, Any]]] = {
            "status": self._status,
            "fault": self._fault,
            "clear": self._clear,
            "push": self._push,
            "tilt": self._tilt,
            "hold_joint": self._hold,
            "release_joints": self._release,
            "remote": self._remote,
            "mode": self._mode,
        }

    def serve(self) -> None:
        """Answer everything that has come."""
        while True:
            try:
                data, sender = self._socket.recvfrom(LONGEST)
            except BlockingIOError:
                return
            self._socket.sendto(json.dumps(self.answer(data)).encode(), sender)

    def answer(self, data: bytes) -> dict[str, Any]:
        """Return the answer to one request."""
        try:
            request = json.loads(data)
            name = request["do"] if isinstance(request, dict) else None
            if name not in self._requests:
                raise InputError(expected("do", name, self._requests))
            return {"ok": True, **self._requests[name](request)}
        except InputError as error:
            return {"ok": False, "error": str(error)}
        except (ValueError, KeyError) as error:
            return {"ok": False, "error": expected("a request", repr(error), '{"do": ...}')}

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

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
