"""Where a process is told to misbehave and asked how it is: one JSON object a datagram on 127.0.0.1.

Every request gets one answer, ``{"ok": true, ...}`` or ``{"ok": false, "error": ...}``.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Optional

from robot_policies.exceptions import InputError, RobotError, expected

HOST = "127.0.0.1"
LONGEST = 4096  # bytes of a request
Request = Mapping[str, Any]
Verb = Callable[[Request], Optional[Mapping[str, Any]]]  # returns what the answer says beside ok


class Door:
    """Answers requests; ``sim2real.firmware.client.SideDoor`` asks."""

    def __init__(self, port: int, verbs: Mapping[str, Verb]) -> None:
        """Listen on ``port`` of this machine, 0 for a free one. Raises RobotError where it is taken."""
        self._verbs = dict(verbs)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((HOST, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise RobotError(expected(f"control port {port}", str(error), "a free UDP port, or 0")) from error
        self.port = int(self._socket.getsockname()[1])

    def serve(self) -> None:
        """Answer everything that has come."""
        while True:
            try:
                data, sender = self._socket.recvfrom(LONGEST)
            except BlockingIOError:
                return
            self._socket.sendto(json.dumps(self.answer(data)).encode(), sender)

    def answer(self, data: bytes) -> dict[str, Any]:
        """Do what one request asks and return the answer."""
        try:
            request = json.loads(data)
            name = request["do"] if isinstance(request, dict) else None
            if name not in self._verbs:
                raise InputError(expected("do", name, self._verbs))
            told = self._verbs[name](request) or {}
        except InputError as error:
            return {"ok": False, "error": str(error)}
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "error": expected("a request", repr(error), '{"do": ...}')}
        return {"ok": True, **told}

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def free_port() -> int:
    """Return a UDP port of loopback that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
