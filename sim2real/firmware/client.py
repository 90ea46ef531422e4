"""The other end of a peer's side door, for whatever makes faults happen."""

from __future__ import annotations

import json
import socket
from typing import Any

from robot_policies.exceptions import RobotError, expected

HOST = "127.0.0.1"
LIMIT = 2.0  # [s] for an answer
LONGEST = 65536  # bytes of an answer


class SideDoor:
    """Asks one peer on this machine."""

    def __init__(self, port: int) -> None:
        """Connect to the ``control`` port that the peer tells in its first line."""
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(LIMIT)
        self._socket.connect((HOST, port))

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer, ``ok`` or not. Raises RobotError where nobody answers."""
        try:
            self._socket.send(json.dumps(request).encode())
            answer = json.loads(self._socket.recv(LONGEST))
        except (TimeoutError, ConnectionError) as error:
            found = f"{error} within {LIMIT:g} s"
            raise RobotError(
                expected(f"an answer of the peer at port {self._port}", found, "a peer that runs")
            ) from error
        return dict(answer)

    def do(self, verb: str, /, **numbers: Any) -> dict[str, Any]:
        """Return the answer to what must be granted. Raises RobotError where it is not."""
        answer = self.ask({"do": verb, **numbers})
        if not answer["ok"]:
            raise RobotError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
