"""What a policy node asks of the robot node: to accept its gains, and the command lease.

Gains are parameters of the robot node, and the lease is a service of the same standard type (docs/topics.md), so that
no message type of our own is needed. A lifecycle transition must know the answer before it returns, so this client has
a node of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.client import Client
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
        # Without the process's own arguments: `-r __node:=other` would give both nodes one name.
        self._node = Node(
            name,
            context=node.context,
            namespace=node.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
        )
        parameters = f"{robot_node}/set_parameters_atomically"
        self._gains = self._node.create_client(SetParametersAtomically, parameters)
        self._lease = self._node.create_client(SetParametersAtomically, "command_lease")
        self._spinner = Spinner(self._node)

    def set_gain_profile(self, gains: GainProfile) -> None:
        """Offer the gains of a bundle. Raises ``RobotError`` with the robot node's reason."""
        stiffness, damping = gains.stiffness.tolist(), gains.damping.tolist()
        values = {"name": gains.name, "stiffness": stiffness, "damping": damping}
        self._set(self._gains, {f"gain_profile.{key}": value for key, value in values.items()})

    def take_lease(
        self, control_dt_ns: int, gain_profiles: Sequence[str], inputs: tuple[str, ...], tilt: float = 0.0
    ) -> int:
        """Become the one who commands; return the moment [ns] after which the first state is due.

        Args:
            control_dt_ns: how often it will command.
            gain_profiles: accepted ones that its commands will name, the first one first.
            inputs: what it uses.
            tilt: that its bundle allows the base [rad]; the robot's safety file has the least and the most.

        Raises:
            RobotError: the robot node refuses, with its reason, or does not answer.
        """
        first, *others = gain_profiles
        terms: dict[str, Any] = {
            "control_dt_ns": control_dt_ns,
            "gain_profile": first,
            "inputs": list(inputs),
            "tilt": tilt,
        }
        if others:
            terms["other_profiles"] = others
        return int(self._set(self._lease, {"holder": self._holder, **terms}))

    def release_lease(self, error: str | None = None) -> None:
        """Give the lease back; with an ``error`` the robot lands. Raises ``RobotError``."""
        self._set(self._lease, {"holder": self._holder, "release": True, "error": error or ""})

    def close(self) -> None:
        """Forget the robot node."""
        self._spinner.close()
        self._node.destroy_node()

    def _set(self, client: Client, values: Mapping[str, Any]) -> str:
        end = time.monotonic() + ANSWER_LIMIT
        while not client.service_is_ready():
            if time.monotonic() > end:
                found = f"no {client.srv_name} in {ANSWER_LIMIT:g} s"
                raise RobotError(expected(f"the robot node {self._robot_node}", found, "start it in this namespace"))
            self._spinner.spin_for(0.02)
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        future = client.call_async(SetParametersAtomically.Request(parameters=parameters))
        if not self._spinner.spin_until(future, ANSWER_LIMIT):
            raise RobotError(expected(f"an answer of {self._robot_node}", f"none in {ANSWER_LIMIT:g} s", "a live node"))
        result = future.result().result
        if not result.successful:
            raise RobotError(result.reason)
        return str(result.reason)
