"""What is asked of the robot node: services, gain profiles and the lease, also where the message is nonsense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from helpers import safety as kit
from helpers.safety import Bench
from hypothesis import given
from hypothesis import strategies as st
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from robot_policies.nodes.robot_requests import RobotRequests
from robot_policies.types import Mode

GAINS = {"name": "t/0", "stiffness": [20.0] * 12, "damping": [0.5] * 12}
TERMS = {"holder": "/me", "control_dt_ns": kit.DT, "gain_profile": "t/0", "inputs": ["state"]}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context, domain_id=94)
    node = Node("robot_node", context=context)
    node.declare_parameter("robot", "go2")
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


class Asked:
    """Requests of one robot step, called as rclpy calls them."""

    def __init__(self, node: Any) -> None:
        self.bench = Bench()
        self.leases: list[int | None] = []
        self.callbacks: dict[str, Any] = {}
        self.node = node
        self.requests = RobotRequests(self, self.bench.step, lambda: self.bench.now, self.leases.append)  # type: ignore[arg-type]

    def create_service(self, kind: type, name: str, callback: Any) -> None:
        self.callbacks[name] = callback

    def declare_parameter(self, name: str, default: Any) -> None:
        if not self.node.has_parameter(name):
            self.node.declare_parameter(name, default)

    def add_on_set_parameters_callback(self, callback: Any) -> None:
        self.node._on_set_parameters_callbacks.clear()
        self.node.add_on_set_parameters_callback(callback)

    def trigger(self, name: str) -> Any:
        return self.callbacks[name](Trigger.Request(), Trigger.Response())

    def arm(self, on: bool) -> Any:
        return self.callbacks["arm"](SetBool.Request(data=on), SetBool.Response())

    def set(self, **values: Any) -> Any:
        parameters = [Parameter(key.replace("__", "."), value=value) for key, value in values.items()]
        return self.node.set_parameters_atomically(parameters)

    def gains(self, **changes: Any) -> Any:
        values = {**GAINS, **changes}
        return self.set(**{f"gain_profile__{key}": value for key, value in values.items() if value is not None})

    def lease(self, **values: Any) -> Any:
        messages = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.raw_lease(messages)

    def raw_lease(self, messages: list[ParameterMessage]) -> Any:
        request = SetParametersAtomically.Request(parameters=messages)
        return self.callbacks["command_lease"](request, SetParametersAtomically.Response()).result


@pytest.fixture
def asked(node: Node) -> Asked:
    return Asked(node)


def test_each_service_asks_for_what_it_says(asked: Asked) -> None:
    assert set(asked.callbacks) == {"stand", "damp", "estop", "reset", "arm", "command_lease"}
    assert asked.arm(True).success and asked.bench.mode is Mode.DAMPING
    assert asked.trigger("stand").success and asked.bench.mode is Mode.STAND
    assert asked.trigger("damp").success and asked.bench.mode is Mode.DAMPING
    assert asked.trigger("estop").success and asked.bench.mode is Mode.LANDING
    refused = asked.trigger("stand")
    assert not refused.success and "estop" in refused.message
    assert asked.trigger("reset").success and asked.bench.mode is Mode.DAMPING
    assert asked.arm(False).success and asked.bench.mode is Mode.DISARMED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": None}, "whole"),
        ({"stiffness": None}, "whole"),
        ({"damping": None}, "whole"),
        ({"stiffness": [20.0] * 11}, "12"),
        ({"stiffness": [500.0] * 12}, "120"),
        ({"damping": [-0.5] * 12}, "damping"),
        ({"damping": [float("inf")] * 12}, "finite"),
        ({"name": ""}, "''"),
        ({"name": "damping"}, "'damping'"),
        ({"stiffness": "stiff"}, "type"),
        ({"stiffness": [True] * 12}, "type"),
        ({"stiffness": [20] * 12}, "type"),
        ({"name": 5}, "type"),
    ],
)
def test_gains_that_are_not_whole_or_beyond_the_limits_are_refused(
    asked: Asked, changes: dict[str, Any], words: str
) -> None:
    result = asked.gains(**changes)
    assert not result.successful and words in result.reason, result.reason
    assert dict(asked.bench.step.profiles) == {}


def test_whole_gains_are_accepted_as_they_are(asked: Asked) -> None:
    assert asked.gains(stiffness=[20.0 + i for i in range(12)]).successful
    profile = asked.bench.step.profiles["t/0"]
    assert profile.stiffness.tolist() == [20.0 + i for i in range(12)] and profile.damping.tolist() == [0.5] * 12


def test_other_parameters_cannot_change_while_running(asked: Asked) -> None:
    result = asked.set(robot="g1")
    assert not result.successful and "robot" in result.reason and "while running" in result.reason
    assert not asked.set(robot="g1", **{f"gain_profile__{key}": value for key, value in GAINS.items()}).successful
    assert not asked.set(use_sim_time=True).successful
    assert asked.node.get_parameter("robot").value == "go2" and dict(asked.bench.step.profiles) == {}


def test_a_granted_lease_answers_with_its_moment_and_a_returned_one_is_told(asked: Asked) -> None:
    assert asked.gains().successful
    asked.bench.stand()
    result = asked.lease(**TERMS)
    assert result.successful and int(result.reason) == asked.bench.now
    assert asked.leases == [kit.DT]
    lease = asked.bench.step.lease
    assert lease is not None and (lease.holder, lease.inputs) == ("/me", ("state",))
    assert not asked.lease(holder="/other", release=True).successful
    assert asked.leases == [kit.DT]  # a refusal changes nothing
    assert asked.lease(holder="/me", release=True, error="").successful
    assert asked.leases == [kit.DT, None] and asked.bench.mode is Mode.STAND and asked.bench.names == []


def test_a_lease_brings_the_tilt_of_its_policy(asked: Asked) -> None:
    assert asked.gains().successful
    asked.bench.stand()
    assert "tilt" in asked.lease(**TERMS, tilt=-1.0).reason
    assert asked.lease(**TERMS, tilt=1.25).successful
    assert asked.bench.step.lease is not None and asked.bench.step.lease.tilt == 1.25


def test_a_lease_given_back_with_an_error_lands(asked: Asked) -> None:
    assert asked.gains().successful
    asked.bench.stand()
    assert asked.lease(**TERMS).successful
    assert asked.lease(holder="/me", release=True, error="actor: not finite").successful
    assert asked.bench.names == ["policy"] and asked.bench.step.trips[0].detail == "actor: not finite"
    assert asked.leases == [kit.DT, None]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gain_profile": "never/accepted"}, "never/accepted"),
        ({"holder": ""}, "holder"),
        ({"control_dt_ns": 0}, "control_dt"),
        ({"control_dt_ns": 10**10}, "watchdog"),
        ({"control_dt_ns": 0.02}, "control_dt_ns"),
        ({"colour": "red"}, "colour"),
        ({"inputs": 5}, "iterable"),
        ({"inputs": [1, 2]}, "inputs"),
        ({"release": "yes"}, "release"),
    ],
)
def test_a_lease_with_wrong_terms_is_refused_with_the_reason(asked: Asked, changes: dict[str, Any], words: str) -> None:
    assert asked.gains().successful
    asked.bench.stand()
    result = asked.lease(**{**TERMS, **changes})
    assert not result.successful and words in result.reason, result.reason
    assert asked.bench.step.lease is None and asked.leases == []


def test_a_lease_of_no_fields_or_of_no_type_is_refused(asked: Asked) -> None:
    assert "holder" in asked.raw_lease([]).reason
    for kind in (99, 0):
        result = asked.raw_lease([ParameterMessage(name="holder", value=ParameterValue(type=kind))])
        assert not result.successful and result.reason


NAMES = ("holder", "control_dt_ns", "gain_profile", "inputs", "release", "error", "colour")


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 255)), max_size=6))
def test_no_call_of_any_types_ends_the_node(node: Node, fields: list[tuple[str, int]]) -> None:
    asked = Asked(node)
    messages = [ParameterMessage(name=name, value=ParameterValue(type=kind % 12)) for name, kind in fields]
    assert not asked.raw_lease(messages).successful  # nobody stands


def test_gains_are_not_changed_while_somebody_commands(asked: Asked) -> None:
    assert asked.gains().successful
    asked.bench.stand()
    assert asked.lease(**TERMS).successful
    result = asked.gains(name="t/1")
    assert not result.successful and "/me" in result.reason
