"""What a policy node asks of the robot node: to accept its gains, and the command lease.

Both are parameters of the robot node (docs/topics.md), set in one atomic call each, so that no message type of our own
is needed. A lifecycle transition must know the answer before it returns, so this client has a node of its own.
"""

from __future__ import annotations

import json
import time
from typing import Any

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter

from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes.runtime import Spinner
from robot_policies.types import GainProfile

ANSWER_LIMIT = 3.0  # [s]


class RobotClient:
    """Sets parameters of one robot node and waits for its answer."""

    def __init__(self, node: Node, robot_node: str) -> None:
        self._robot_node = robot_node
        self._holder = node.get_fully_qualified_name()
        name = f"{node.get_name()}_client"
        self._node = Node(name, context=node.context, namespace=node.get_namespace(), start_parameter_services=False)
        self._client = self._node.create_client(SetParametersAtomically, f"{robot_node}/set_parameters_atomically")
        self._spinner = Spinner(self._node)

    def set_gain_profile(self, gains: GainProfile) -> None:
        """Offer the gains of a bundle. Raises ``RobotError`` with the robot node's reason."""
        self._set(
            Parameter("gain_profile.name", value=gains.name),
            Parameter("gain_profile.stiffness", value=gains.stiffness.tolist()),
            Parameter("gain_profile.damping", value=gains.damping.tolist()),
        )

    def take_lease(self, control_dt_ns: int, gain_profile: str, inputs: tuple[str, ...]) -> int:
        """Become the one who commands; return the stamp [ns] after which the first state is due.

        Raises:
            RobotError: the robot node refuses, with its reason, or does not answer.
        """
        lease = {"holder": self._holder, "control_dt_ns": control_dt_ns, "gain_profile": gain_profile}
        reason = self._set(_lease({**lease, "inputs": list(inputs)}))
        return int(json.loads(reason)["granted_ns"])

    def release_lease(self, error: str | None = None) -> None:
        """Give the lease back; with an ``error`` the robot lands. Raises ``RobotError``."""
        self._set(_lease({"holder": self._holder, "release": True, "error": error}))

    def close(self) -> None:
        """Forget the robot node."""
        self._spinner.close()
        self._node.destroy_node()

    def _set(self, *parameters: Parameter) -> str:
        end = time.monotonic() + ANSWER_LIMIT
        while not self._client.service_is_ready():
            if time.monotonic() > end:
                found = f"no answer in {ANSWER_LIMIT:g} s"
                raise RobotError(expected(f"the robot node {self._robot_node}", found, "start it in this namespace"))
            self._spinner.spin_for(0.02)
        request = SetParametersAtomically.Request(parameters=[p.to_parameter_msg() for p in parameters])
        future = self._client.call_async(request)
        if not self._spinner.spin_until(future, ANSWER_LIMIT):
            raise RobotError(expected(f"an answer of {self._robot_node}", f"none in {ANSWER_LIMIT:g} s", "a live node"))
        result = future.result().result
        if not result.successful:
            raise RobotError(result.reason)
        return str(result.reason)


def _lease(value: dict[str, Any]) -> Parameter:
    return Parameter("command_lease", value=json.dumps(value))
