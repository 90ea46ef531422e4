"""What nodes told on /diagnostics, by node, and rates from their counters."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from robot_policies.nodes.viewer_facts import SILENT, Facts


def told(name: str, stamp_ns: int = 0, message: str = "", **values: object) -> DiagnosticArray:
    items = [KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]
    array = DiagnosticArray(status=[DiagnosticStatus(name=name, message=message, hardware_id="go2", values=items)])
    array.header.stamp.sec, array.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    return array


def test_each_namespace_hears_its_own_nodes() -> None:
    ours, theirs = Facts("/"), Facts("/r1")
    for facts in (ours, theirs):
        facts.take(told("/robot_node", message="stand", mode="stand"))
        facts.take(told("/r1/robot_node", mode="active"))
        facts.take(told("somebody", mode="x"))
    assert (ours.robot["mode"], theirs.robot["mode"]) == ("stand", "active")
    assert (ours.robot["message"], ours.robot["hardware_id"]) == ("stand", "go2")
    assert set(ours.nodes) == set(theirs.nodes) == {"robot_node"}
    assert ours.policy == {}


def test_rates_are_those_of_the_counters_on_the_robots_clock() -> None:
    facts = Facts("/")
    assert facts.rate("robot_node") is None
    for k in range(20):
        facts.take(told("/robot_node", 500_000_000 * k, cycles=100 * k))
        facts.take(told("/policy_node", 250_000_000 * k, ticks=7))
    assert facts.rate("robot_node") == pytest.approx(200.0)
    assert facts.rate("policy_node") == 0.0
    facts.take(told("/robot_node", 11_000_000_000, cycles=3))
    assert facts.rate("robot_node") is None, "a node that was started anew counts anew"


def test_a_node_that_is_silent_is_gone() -> None:
    now = 50.0
    facts = Facts("/", lambda: now)
    for k in range(3):
        facts.take(told("/robot_node", 500_000_000 * k, cycles=100 * k))
    assert facts.alive("robot_node")
    now += SILENT + 0.1
    assert not facts.alive("robot_node")
    assert facts.rate("robot_node") is None
    assert not facts.alive("policy_node")
