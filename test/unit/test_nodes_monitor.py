"""What the robot node tells: modes and trips once each with their times, falls and latency; and how it is told."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from helpers.safety import DT, Bench, profile
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.control.lease import Lease
from robot_policies.nodes import diagnostics, robot_monitor
from robot_policies.nodes.conversions import NS, to_ns
from robot_policies.nodes.robot_monitor import RobotMonitor
from robot_policies.safety.state_machine import Request
from robot_policies.types import owned


class Watched:
    """A robot step of the safety tests with its monitor."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.monitor = RobotMonitor(self.bench.step)

    def cycle(self, truth: Any = None, **state: Any) -> bool:
        self.bench.cycle(**state)
        return self.monitor.cycle(self.bench.record, truth, 1000)

    def told(self, key: str) -> Any:
        return self.monitor.values()[key]


def tilted(angle: float) -> Any:
    return (np.cos(angle / 2), np.sin(angle / 2), 0.0, 0.0)


def truth(angle: float = 0.0, contacts: tuple[str, ...] = ()) -> Any:
    return SimpleNamespace(quat_wxyz=owned(tilted(angle)), ground_contacts=contacts)


def test_a_change_is_told_once() -> None:
    watched = Watched()
    assert watched.cycle()  # the first mode
    assert not watched.cycle()
    watched.bench.ask(Request.ARM)
    assert watched.cycle() and not watched.cycle()
    stamps = [stamp for _, stamp in watched.told("modes")]
    assert [mode for mode, _ in watched.told("modes")] == ["disarmed", "damping"]
    assert stamps[1] - stamps[0] == 2 * 5_000_000
    assert watched.monitor.message() == "damping" and watched.monitor.level() == diagnostics.OK


def test_that_the_robot_is_ready_is_a_change_too() -> None:
    watched = Watched()
    watched.bench.damping()
    watched.cycle()
    watched.bench.ask(Request.STAND)
    changes = [watched.cycle() for _ in range(400)]
    assert changes[0] and sum(changes) == 2  # stand, and then its ramp done
    assert watched.told("ready") is True


def test_a_trip_is_told_once_with_everything_about_it() -> None:
    watched = Watched()
    watched.bench.damping()
    watched.cycle()
    watched.bench.ask(Request.ESTOP)
    assert watched.cycle() and not watched.cycle()
    (trip,) = watched.told("trips")
    wanted = {"name": "estop", "mode": "damping", "landing": "damping", "detail": "asked for"}
    assert {key: trip[key] for key in wanted} == wanted and trip["stamp_ns"] > 0
    assert watched.monitor.level() == diagnostics.ERROR
    assert watched.monitor.message() == "landing:damping: estop: asked for"
    assert watched.monitor.mode_text == "landing:damping"


def test_a_second_trip_is_told_beside_the_first_and_a_new_latch_again() -> None:
    watched = Watched()
    watched.bench.damping()
    watched.bench.ask(Request.ESTOP)
    watched.cycle()
    watched.bench.step.trip("robot", "no answer", watched.bench.now)
    assert watched.cycle()
    assert [trip["name"] for trip in watched.told("trips")] == ["estop", "robot"]
    assert watched.bench.ask(Request.RESET).ok
    assert watched.cycle()  # the latch is gone
    assert len(watched.told("trips")) == 2
    watched.bench.ask(Request.ESTOP)
    assert watched.cycle()
    assert [trip["name"] for trip in watched.told("trips")] == ["estop", "robot", "estop"]


def test_reset_and_the_same_trip_within_one_cycle_is_a_trip_of_its_own() -> None:
    watched = Watched()
    watched.bench.damping()
    watched.bench.ask(Request.ESTOP)
    watched.cycle()
    watched.bench.ask(Request.RESET)
    watched.bench.ask(Request.ESTOP)
    assert watched.cycle()
    assert len(watched.told("trips")) == 2


def test_what_is_told_is_bounded() -> None:
    watched = Watched()
    watched.bench.damping()
    for _ in range(robot_monitor.KEPT):
        watched.bench.ask(Request.ESTOP)
        watched.cycle()
        watched.bench.ask(Request.RESET)
        watched.cycle()
    assert len(watched.told("trips")) == len(watched.told("modes")) == robot_monitor.KEPT


def test_a_refusal_is_a_warning() -> None:
    watched = Watched()
    watched.bench.step.refuse_command("names", "tail_joint", 1)
    assert watched.monitor.level() == diagnostics.WARN
    assert watched.told("refusals") == {"command_names": 1} and watched.told("last_refusal") == "tail_joint"


def test_a_fall_counts_only_while_a_policy_walks() -> None:
    watched = Watched()
    watched.bench.damping()
    watched.cycle(truth(contacts=("base",)))  # it lies, as it should
    assert watched.monitor.fell is False and watched.told("max_tilt_rad") == 0.0
    watched.bench.active()
    watched.cycle(truth())
    assert watched.told("mode") == "active" and watched.monitor.fell is False
    watched.cycle(truth(0.99))
    assert watched.monitor.fell is False and watched.told("max_tilt_rad") == 0.99
    watched.cycle(truth(0.0, ("FL_thigh",)))
    assert watched.monitor.fell is True
    watched.cycle(truth())
    assert watched.monitor.fell is True  # it stays


def test_a_tilt_over_1_rad_is_a_fall_with_or_without_ground_truth() -> None:
    for known in (truth(1.01), None):
        watched = Watched()
        watched.bench.active()
        watched.cycle(known, **({} if known else {"base_quat_wxyz": owned(tilted(1.01))}))
        assert watched.monitor.fell is True
    watched = Watched()
    watched.bench.active()
    watched.cycle(truth(0.3), base_quat_wxyz=owned(tilted(1.2)))  # what is true is believed before an IMU
    assert watched.monitor.fell is False and watched.told("max_tilt_rad") == 0.3


def test_a_policy_that_climbs_may_rear_up_and_scrape_its_trunk_as_far_as_its_bundle_allows() -> None:
    for angle, fell in ((1.25, False), (1.35, True)):
        watched = Watched()
        watched.bench.stand()
        gains = profile()
        assert watched.bench.step.set_gain_profile(gains).ok
        lease = Lease("policy_node", DT, gains.name, ("state",), tilt=1.3)
        assert watched.bench.step.take_lease(lease, watched.bench.now).ok
        watched.cycle(truth())
        assert watched.told("mode") == "active"
        watched.cycle(truth(angle, ("base",)))
        assert watched.monitor.fell is fell


def test_a_robot_that_left_active_by_tipping_over_has_fallen_when_it_is_down() -> None:
    watched = Watched()
    watched.bench.active()
    watched.bench.step.trip("tilt", "0.81 rad", watched.bench.now)  # of a robot whose limit is lower
    watched.cycle(truth(0.8, ("base",)))
    assert watched.told("mode") == "landing:damping" and watched.monitor.fell is False  # every landing ends so
    watched.cycle(truth(1.3))
    assert watched.monitor.fell is True
    carried = Watched()  # tipped over by hand, and no policy ever walked
    carried.bench.damping()
    carried.bench.step.trip("tilt", "1.3 rad", carried.bench.now)
    carried.cycle(truth(1.3))
    assert carried.monitor.fell is False


def test_latency_is_from_the_stamp_of_the_state_to_the_taking_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000_000_000]
    monkeypatch.setattr(robot_monitor.time, "monotonic_ns", lambda: clock[0])
    watched = Watched()
    monitor = watched.monitor
    monitor.published(stamp_ns=500, now_ns=500 + 200_000)  # 0.2 ms after its stamp
    clock[0] += 1_500_000
    monitor.taken(500)
    monitor.taken(501)  # a stamp that was never published
    assert watched.told("latency_ms")["max"] == pytest.approx(1.7)
    assert watched.told("lateness_ms")["max"] == pytest.approx(0.2)
    monitor.published(stamp_ns=900, now_ns=900)
    clock[0] += 3_000_000
    monitor.published(stamp_ns=1000, now_ns=1000)
    clock[0] += 1_000_000
    monitor.taken(900)  # not the newest
    assert watched.told("latency_ms")["max"] == pytest.approx(4.0)
    monitor.published(stamp_ns=10**9, now_ns=0)  # a clock that was set back: no negative lateness
    clock[0] += 5_000_000
    monitor.taken(10**9)
    assert watched.told("latency_ms")["max"] == pytest.approx(5.0)


def test_the_latency_of_a_cycle_is_that_of_the_active_lease() -> None:
    watched = Watched()
    watched.bench.active()
    watched.cycle()
    assert watched.told("lease") and watched.told("gain_profile")
    assert watched.told("cycles") == 1 and watched.told("cycle_ms")["max"] == 0.001
    assert DT == 20_000_000
    json.dumps(watched.monitor.values())  # it goes out as JSON


# Diagnostics.


class FakeNode:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def get_fully_qualified_name(self) -> str:
        return "/a/robot_node"

    def create_publisher(self, kind: type, topic: str, depth: int) -> Any:
        assert (kind, topic) == (DiagnosticArray, "/diagnostics")
        return SimpleNamespace(publish=self.sent.append)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=6))
def test_values_come_back_as_they_were(values: dict[str, Any]) -> None:
    node = FakeNode()
    diagnostics.Diagnostics(node, "go2").publish(5 * NS, diagnostics.WARN, "said", values)  # type: ignore[arg-type]
    (message,) = node.sent
    assert to_ns(message.header.stamp) == 5 * NS
    (status,) = message.status
    assert (status.name, status.hardware_id, status.message) == ("/a/robot_node", "go2", "said")
    assert status.level == diagnostics.WARN
    assert diagnostics.read(status) == values


def test_plain_text_is_shown_plainly() -> None:
    node = FakeNode()
    values = {"mode": "active", "empty": "", "policy": "2024"}
    diagnostics.Diagnostics(node, "go2").publish(0, diagnostics.OK, "", values)  # type: ignore[arg-type]
    shown = {item.key: item.value for item in node.sent[0].status[0].values}
    assert shown == {"mode": "active", "empty": "", "policy": '"2024"'}
