"""What others may ask of the robot node: its services, gain profiles, and the command lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from std_srvs.srv import SetBool, Trigger

from robot_policies.control.lease import Lease
from robot_policies.control.robot_step import RobotStep
from robot_policies.exceptions import SchemaError, expected
from robot_policies.safety.state_machine import Reply, Request
from robot_policies.schema import parse, schema
from robot_policies.types import GainProfile

LISTS = ("inputs", "other_profiles")
GAINS = ("gain_profile.name", "gain_profile.stiffness", "gain_profile.damping")


@schema
class LeaseRequest:
    """The fields of a call of ``command_lease``: taken, or given back with ``release``."""

    holder: str
    control_dt_ns: int = 0
    gain_profile: str = ""
    inputs: tuple[str, ...] = ()
    other_profiles: tuple[str, ...] = ()
    tilt: float = 0.0
    release: bool = False
    error: str = ""


class RobotRequests:
    """Hands requests to the ``RobotStep``; they act from its next cycle on."""

    def __init__(
        self, node: Node, step: RobotStep, now_ns: Callable[[], int], on_lease: Callable[[int | None], None]
    ) -> None:
        """Offer the services and parameters; ``on_lease`` is told the holder's control_dt [ns], or None."""
        self._step, self._now_ns, self._on_lease = step, now_ns, on_lease
        for request in (Request.STAND, Request.DAMP, Request.ESTOP, Request.RESET):
            node.create_service(Trigger, request.value, self._trigger(request))
        node.create_service(SetBool, "arm", self._arm)
        node.declare_parameter(GAINS[0], "")
        node.declare_parameter(GAINS[1], Parameter.Type.DOUBLE_ARRAY)
        node.declare_parameter(GAINS[2], Parameter.Type.DOUBLE_ARRAY)
        # A service of our own with a standard type: rclpy answers a granted parameter without the reason, and the
        # holder needs the moment of the grant.
        node.create_service(SetParametersAtomically, "command_lease", self._lease)
        node.add_on_set_parameters_callback(self._set)

    def _trigger(self, request: Request) -> Callable[[Any, Any], Any]:
        def callback(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            return _answer(self._step.request(request, self._now_ns()), response)

        return callback

    def _arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        asked = Request.ARM if request.data else Request.DISARM
        return _answer(self._step.request(asked, self._now_ns()), response)

    def _set(self, parameters: list[Parameter]) -> SetParametersResult:
        values = {parameter.name: parameter.value for parameter in parameters}
        fixed = sorted(name for name in values if name not in GAINS)
        if fixed:
            return _result(Reply(False, expected("parameters that can change while running", ", ".join(fixed), GAINS)))
        return _result(self._gains(values))

    def _gains(self, values: dict[str, Any]) -> Reply:
        if set(values) != set(GAINS):
            return Reply(False, expected("a gain profile, whole", ", ".join(sorted(values)), f"{GAINS} in one call"))
        name, stiffness, damping = (values[key] for key in GAINS)
        if "/" not in name:  # "damping" and the like are the names of the robot's own gains
            return Reply(False, expected("name of a gain profile", repr(name), "<bundle>/<hash of the gains>"))
        return self._step.set_gain_profile(GainProfile(name, np.array(stiffness), np.array(damping)))

    def _lease(
        self, request: SetParametersAtomically.Request, response: SetParametersAtomically.Response
    ) -> SetParametersAtomically.Response:
        """Give or take back the lease; the answer's reason is the moment of it [ns], or why not."""
        now_ns = self._now_ns()
        try:
            values = {p.name: parameter_value_to_python(p.value) for p in request.parameters}
            asked = parse(LeaseRequest, {k: list(v) if k in LISTS else v for k, v in values.items()}, "command_lease")
        except (SchemaError, TypeError, RuntimeError) as error:  # the last: a value of no type that ROS knows
            response.result = _result(Reply(False, str(error)))
            return response
        reply = self._apply(asked, now_ns)
        if reply.ok:
            self._on_lease(None if asked.release else asked.control_dt_ns)
            reply = Reply(True, str(now_ns))
        response.result = _result(reply)
        return response

    def _apply(self, asked: LeaseRequest, now_ns: int) -> Reply:
        if asked.release:
            return self._step.release_lease(asked.holder, now_ns, asked.error or None)
        terms = (asked.control_dt_ns, asked.gain_profile, asked.inputs, asked.other_profiles, asked.tilt)
        lease = Lease(asked.holder, *terms)
        return self._step.take_lease(lease, now_ns)


def _answer(reply: Reply, response: Any) -> Any:
    response.success, response.message = reply.ok, reply.message
    return response


def _result(reply: Reply) -> SetParametersResult:
    return SetParametersResult(successful=reply.ok, reason=reply.message)
