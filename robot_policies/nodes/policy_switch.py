"""Switching between the policies of a policy node: its services, and the topic that says who commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import InputError
from robot_policies.nodes.runtime import LATCHED


class PolicySwitch:
    """``switch`` and ``switch_to/<bundle>`` under a policy node's name, and ``commanding_policy``."""

    def __init__(self, node: Node, step: SwitchingStep) -> None:
        """Offer a service for each policy of ``step``, and one for the next of them."""
        self._node, self._step = node, step
        self._told: str | None = None
        self._topic = node.create_publisher(String, "commanding_policy", LATCHED)
        own = node.get_name()
        self._services = [node.create_service(Trigger, f"{own}/switch", self._answer(step.next))]
        for name in step.names:
            self._services.append(
                node.create_service(Trigger, f"{own}/switch_to/{name}", self._answer(partial(str, name)))
            )
        self.tell(False)

    def tell(self, active: bool) -> bool:
        """Publish who commands where that has changed: a bundle, ``stand``, or "" where this node does not.

        Returns:
            Whether it has changed.
        """
        commanding = self._step.commanding if active else ""
        if commanding == self._told:
            return False
        self._told = commanding
        self._topic.publish(String(data=commanding))
        if active:
            self._node.get_logger().info(f"{commanding} commands" + (f": {self.why}" if self.why else ""))
        return True

    @property
    def why(self) -> str:
        """Why the policy that was asked for does not command, or commands blind; "" where neither is so."""
        return self._step.why if self._step.commanding else ""

    def values(self) -> dict[str, Any]:
        """Return what /diagnostics says of it."""
        step = self._step
        return {"policies": list(step.names), "wanted": step.wanted, "commanding": self._told or "", "why": self.why}

    def close(self) -> None:
        """Take services and topic back."""
        for service in self._services:
            self._node.destroy_service(service)
        self._node.destroy_publisher(self._topic)

    def _answer(self, name: Callable[[], str]) -> Callable[[Any, Any], Any]:
        def callback(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            asked = name()
            try:
                self._step.switch(asked)
            except InputError as error:
                response.success, response.message = False, str(error)
            else:
                response.success, response.message = True, f"{asked} commands"
            return response

        return callback
