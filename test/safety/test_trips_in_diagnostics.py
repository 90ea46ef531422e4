"""Every trip in every mode as the robot node tells it on /diagnostics: latched, with all about it, until reset."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from helpers import safety as kit
from helpers.safety import Bench
from helpers.trip_causes import CASES, Cause, wild

from robot_policies.nodes import diagnostics
from robot_policies.nodes.robot_monitor import RobotMonitor
from robot_policies.safety.state_machine import Request
from robot_policies.types import Mode


class Listener:
    """A node to publish with, and what it published last."""

    def create_publisher(self, kind: type, topic: str, depth: int) -> Listener:
        assert topic == "/diagnostics"
        return self

    def get_fully_qualified_name(self) -> str:
        return "/robot_node"

    def publish(self, message: Any) -> None:
        (self.status,) = message.status


def on_the_wire(monitor: RobotMonitor) -> tuple[bytes, str, dict[str, Any]]:
    """Return level, message and values as a subscriber of /diagnostics reads them."""
    listener = Listener()
    told = diagnostics.Diagnostics(listener, "go2")  # type: ignore[arg-type]
    told.publish(1, monitor.level(), monitor.message(), monitor.values())
    return listener.status.level, listener.status.message, diagnostics.read(listener.status)


@pytest.mark.parametrize(("trip", "cause", "mode"), CASES)
def test_each_trip_is_seen(trip: str, cause: Cause, mode: Mode) -> None:
    bench = Bench().to(mode)
    monitor = RobotMonitor(bench.step)
    monitor.note(bench.now)
    known = len(monitor.values()["trips"])
    cause(bench)
    if not (mode is Mode.LANDING and trip == "policy"):  # that one put it there
        assert monitor.note(bench.now)
        new = on_the_wire(monitor)[2]["trips"][known]
        wanted = {"name": trip, "mode": mode.value, "landing": kit.LANDINGS[trip, mode]}
        assert {key: new[key] for key in wanted} == wanted
        assert new["detail"] and new["stamp_ns"] > 0
    level, message, told = on_the_wire(monitor)
    assert level == DiagnosticStatus.ERROR
    assert trip in told["latched"] and f"{trip}: " in message
    assert told["lease"] == "" and told["gain_profile"] == ""
    reset_re_arms(bench, monitor)


def reset_re_arms(bench: Bench, monitor: RobotMonitor) -> None:
    """The way back without a relaunch: reset, arm, stand, and the next policy may command."""
    bench.cycles(2)
    assert bench.ask(Request.RESET).ok
    for request in (Request.ARM, Request.STAND):
        assert bench.ask(request).ok
    while not bench.step.ramp_done:
        bench.cycle()
    assert bench.lease().ok
    monitor.note(bench.now)
    level, message, told = on_the_wire(monitor)
    assert (message, told["latched"]) == ("active", [])
    assert level == (DiagnosticStatus.WARN if bench.step.refusals else DiagnosticStatus.OK)


def test_a_command_over_a_limit_is_counted_by_name_before_it_trips() -> None:
    bench = Bench().active()
    monitor = RobotMonitor(bench.step)
    wild(bench)
    told = on_the_wire(monitor)[2]
    assert told["clamps"] == bench.step.clamp_counts
    assert told["clamps"]["joint_pos FL_hip_joint"] >= kit.CLAMP_CYCLES


def test_a_malformed_command_is_counted_by_its_reason() -> None:
    bench = Bench().active()
    monitor = RobotMonitor(bench.step)
    assert bench.command(gain_profile="other") is not None
    level, message, told = on_the_wire(monitor)
    assert level == DiagnosticStatus.WARN
    assert told["refusals"] == {"command_profile": 1}
    assert "other" in told["last_refusal"]
