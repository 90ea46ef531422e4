"""What an operator's device calls: services of the robot node, and the policy node's switch. Nothing waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

NAMES = ("stand", "damp", "estop", "reset")
RETRY = 0.2  # [s] an emergency stop without an answer is sent again

Report = Callable[[str, bool, str], None]  # service, whether it did what was asked, what it says


class RobotServices:
    """Calls ``arm``, ``disarm``, ``stand``, ``damp``, ``estop``, ``reset`` and ``switch``; tells each result once."""

    def __init__(self, node: Node, report: Report, policy_node: str = "policy_node") -> None:
        """Make the clients; ``report`` is told every result, ``policy_node`` has ``switch``."""
        self._report = report
        self._clients: dict[str, Client] = {name: node.create_client(Trigger, name) for name in NAMES}
        self._clients["switch"] = node.create_client(Trigger, f"{policy_node}/switch")
        self._arm = node.create_client(SetBool, "arm")
        self._estop_sent: float | None = None  # monotonic [s], while no answer has come

    def call(self, name: str) -> None:
        """Ask for one service; an ``estop`` is repeated by ``poll`` until the robot node has answered."""
        again = name == "estop" and self._estop_sent is not None
        if name == "estop":
            self._estop_sent = time.monotonic()
        client = self._arm if name in ("arm", "disarm") else self._clients[name]
        if not client.service_is_ready():
            if not again:
                self._report(name, False, f"no {'policy' if name == 'switch' else 'robot'} node answers here")
            return
        request = SetBool.Request(data=name == "arm") if client is self._arm else Trigger.Request()
        client.call_async(request).add_done_callback(lambda future: self._done(name, future))

    def poll(self, now: float) -> None:
        """Send an unanswered ``estop`` again; ``now`` is the monotonic clock [s]."""
        if self._estop_sent is not None and now - self._estop_sent >= RETRY:
            self.call("estop")

    def _done(self, name: str, future: Future) -> None:
        if future.cancelled() or future.exception() is not None:
            self._report(name, False, "no answer")
            return
        if name == "estop":
            self._estop_sent = None
        response = future.result()
        self._report(name, bool(response.success), str(response.message))
