"""Depth to command: what is own cost, what was waited for, and which ticks count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from helpers.bundles import contract_of
from helpers.offline import SPEC
from helpers.seeing import seeing_contract
from sensor_msgs.msg import TimeReference

from robot_policies.contract import Contract
from robot_policies.nodes.depth_timing import KEPT, DepthTiming, Use
from robot_policies.nodes.policy_monitor import PolicyMonitor
from robot_policies.schema import parse

MS = 1_000_000
TICK = 20 * MS


def contract(period: int = 1) -> Contract:
    return parse(Contract, {**seeing_contract(SPEC, period=period), "format": 1, "files": {}}, "test")


class Rig:
    """A timing with a clock that is set by hand."""

    def __init__(self, period: int = 1) -> None:
        self.now = 0
        self.timing = DepthTiming(contract(period), lambda: self.now)

    def image(self, captured: int, due: int | None, here: int) -> None:
        """Moments in ms."""
        if due is not None:
            self.timing.due("depth", captured * MS, due * MS)
        self.now = here * MS
        self.timing.received("depth", captured * MS)

    def tick(
        self, number: int, stamp: int, published: int, captured: int | None, profile: str = "seeing/0"
    ) -> list[Use]:
        """A tick whose newest image is that of ``captured``; moments in ms."""
        self.now = published * MS
        depth = {} if captured is None else {"depth": SimpleNamespace(stamp_ns=captured * MS)}
        inputs = SimpleNamespace(state=SimpleNamespace(stamp_ns=stamp * MS), depth=depth)
        record: Any = SimpleNamespace(
            tick=number, inputs=inputs, command=SimpleNamespace(gain_profile=profile), durations_ns=(1, 2, 3)
        )
        return self.timing.ticked(record)


def test_own_cost_is_the_command_less_the_image_its_delay_and_the_wait() -> None:
    rig = Rig()
    rig.image(captured=0, due=100, here=103)
    # command 122 - image 0 - delay 100 - wait (from 103 to the state of 120) = 5
    assert rig.tick(0, stamp=120, published=122, captured=0) == [Use(5 * MS, 17 * MS, 0)]
    told = rig.timing.values()
    assert told["depth_images"] == 1 and told["depth_images_of_unknown_delay"] == 0
    for part, value in (("to_command", 5.0), ("tick_wait", 17.0), ("network_wait", 0.0), ("total", 22.0)):
        assert told[f"depth_{part}_ms"]["p50"] == pytest.approx(value, rel=0.01, abs=0.001), part
        assert set(told[f"depth_{part}_ms"]) == {"p50", "p95", "p99", "max"}


def test_an_image_that_comes_while_a_state_is_under_way_waits_for_nothing() -> None:
    rig = Rig()
    rig.image(captured=0, due=100, here=121)
    assert rig.tick(0, stamp=120, published=123, captured=0) == [Use(23 * MS, 0, 0)]


def test_only_the_first_tick_with_an_image_counts() -> None:
    rig = Rig()
    rig.image(0, 100, 101)
    assert len(rig.tick(0, 120, 121, 0)) == 1
    assert rig.tick(1, 140, 141, 0) == [] and rig.tick(2, 160, 161, None) == []
    rig.image(33, 133, 170)
    assert rig.tick(3, 180, 181, 33) == [Use(38 * MS, 10 * MS, 0)]


def test_the_wait_for_a_network_of_a_longer_period_is_told_apart() -> None:
    rig = Rig(period=5)
    rig.image(0, 100, 101)
    assert rig.tick(3, 120, 121, 0) == [] and rig.tick(4, 140, 141, 0) == []
    assert rig.tick(5, 160, 162, 0) == [Use(3 * MS, 19 * MS, 40 * MS)]
    assert rig.timing.values()["depth_total_ms"]["p50"] == pytest.approx(22.0, rel=0.01)


def test_an_image_that_is_passed_by_a_newer_one_before_its_network_is_due_does_not_count() -> None:
    rig = Rig(period=5)
    rig.image(0, 100, 101)
    rig.tick(4, 140, 141, 0)
    rig.image(33, 133, 145)
    assert rig.tick(5, 160, 162, 33) == [Use(14 * MS, 15 * MS, 0)]
    assert rig.timing.values()["depth_images"] == 1


def test_without_a_known_delay_the_cost_counts_from_the_receipt_and_says_so() -> None:
    rig = Rig()
    rig.image(0, None, 103)
    assert rig.tick(0, 120, 122, 0) == [Use(2 * MS, 17 * MS, 0)]
    told = rig.timing.values()
    assert (told["depth_images"], told["depth_images_of_unknown_delay"]) == (1, 1)


@pytest.mark.parametrize("profile", ["go2_walk/0123", "stand", "seeing2/1"])
def test_a_tick_on_which_somebody_else_commands_uses_no_image(profile: str) -> None:
    rig = Rig()
    rig.image(0, 100, 101)
    assert rig.tick(0, 120, 121, 0, profile) == []
    assert rig.timing.values() == {}
    assert len(rig.tick(1, 140, 141, 0)) == 1


def test_an_image_of_unknown_receipt_does_not_count() -> None:
    """Such as one that came before an activation of long ago."""
    rig = Rig()
    for captured in range(KEPT + 1):
        rig.image(captured, captured, captured)
    assert rig.tick(0, 120, 121, 0) == []
    assert len(rig.tick(0, 140, 141, 1)) == 1


def test_an_image_from_before_an_activation_does_not_count() -> None:
    rig, monitor = Rig(), PolicyMonitor()
    monitor.depth = rig.timing
    rig.image(0, 100, 101)
    monitor.activated()
    assert rig.tick(0, 120, 121, 0) == []
    rig.image(33, 133, 134)
    assert len(rig.tick(1, 140, 141, 33)) == 1


def test_the_camera_says_when_the_delay_was_over() -> None:
    rig = Rig()
    message = TimeReference(time_ref=Time(sec=1, nanosec=5))
    message.header.stamp = Time(sec=0, nanosec=7)
    rig.timing._on_due("depth")(message)
    assert rig.timing._due["depth"] == {7: 1_000_000_005}


def test_the_monitor_tells_it_and_a_blind_policy_has_none() -> None:
    rig, monitor = Rig(), PolicyMonitor()
    assert not any(key.startswith("depth") for key in monitor.values())
    monitor.depth = rig.timing
    rig.image(0, 100, 101)
    record: Any = SimpleNamespace(
        tick=0,
        inputs=SimpleNamespace(state=SimpleNamespace(stamp_ns=120 * MS), depth={"depth": SimpleNamespace(stamp_ns=0)}),
        command=SimpleNamespace(gain_profile="seeing/0"),
        durations_ns=(1, 2, 3),
    )
    monitor.ticked(record, 0, 0, 0)
    assert monitor.values()["depth_images"] == 1
    blind = parse(Contract, {**contract_of(SPEC), "format": 1, "files": {}}, "test")
    assert DepthTiming(blind).values() == {}
