"""The dead-man logic of the page's pad, in a time of its own."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("rclpy")

from robot_policies.nodes.velocity_ranges import ZERO, Velocity
from robot_policies.nodes.viewer_pad import HOLD_LIMIT, PERIOD, YIELD, ZEROS, Pad

FORWARD = Velocity(0.5, 0.0, 0.1)


class Source:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.sent: list[Velocity] = []
        self.other_at = -math.inf

    def publish(self, velocity: Velocity, stamp_ns: int) -> None:
        assert stamp_ns == 7
        self.sent.append(velocity)


class Rig:
    """A pad whose loop runs every 40 ms."""

    def __init__(self) -> None:
        self.source, self.said, self.now = Source(), [], 100.0
        self.pad = Pad(self.source, lambda: 7, self.said.append)  # type: ignore[arg-type]

    def run(self, seconds: float, client: int | None = None, velocity: Velocity = FORWARD) -> list[Velocity]:
        """Let time pass, with ``client`` holding if given; return what went out."""
        before = len(self.source.sent)
        end, due = self.now + seconds, self.now
        while self.now < end - 1e-9:
            if client is not None and self.now >= due:
                due += 0.1
                self.pad.held(client, velocity, self.now)
            self.pad.step(self.now)
            self.now += 0.04
        return self.source.sent[before:]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_nothing_goes_out_while_nobody_holds(rig: Rig) -> None:
    assert rig.run(2.0) == []
    assert not rig.pad.driving


def test_it_sends_at_its_rate_while_it_is_held(rig: Rig) -> None:
    sent = rig.run(2.0, client=1)
    assert set(sent) == {FORWARD}
    assert 2.0 / PERIOD - 2 <= len(sent) <= 2.0 / PERIOD + 2
    assert rig.pad.driving


def test_zeros_and_then_silence_after_a_release(rig: Rig) -> None:
    rig.run(1.0, client=1)
    rig.pad.released(1)
    assert rig.run(2.0) == ZEROS * [ZERO]


def test_a_browser_that_says_nothing_more_has_let_go(rig: Rig) -> None:
    rig.run(1.0, client=1)
    sent = rig.run(2.0)
    assert sent[-ZEROS:] == ZEROS * [ZERO]
    on = sent[:-ZEROS]
    assert set(on) == {FORWARD}
    assert len(on) <= HOLD_LIMIT / PERIOD + 1


def test_the_first_browser_drives_and_the_second_is_told(rig: Rig) -> None:
    rig.run(0.5, client=1)
    rig.pad.held(2, Velocity(-1.0, 0.0, 0.0), rig.now)
    assert set(rig.run(0.2)) == {FORWARD}
    assert "another browser" in rig.said[-1]
    rig.pad.released(2)
    assert set(rig.run(0.1, client=1)) == {FORWARD}, "whoever does not hold cannot let go for another"
    rig.pad.released(1)
    rig.run(1.0)
    assert Velocity(-1.0, 0.0, 0.0) in rig.run(0.5, client=2, velocity=Velocity(-1.0, 0.0, 0.0))


def test_it_gives_way_to_a_source_that_goes_on_until_it_is_held_anew(rig: Rig) -> None:
    rig.run(0.2, client=1)
    rig.source.other_at = rig.now  # still within the time that the other has to become silent
    assert set(rig.run(1.5, client=1)) == {FORWARD}
    rig.source.other_at = 100.0 + YIELD + 0.1
    assert rig.run(1.0, client=1) == []
    assert "another source" in rig.said[-1]
    rig.pad.released(1)
    assert rig.run(1.0) == [], "zeros would be commands too"
    assert set(rig.run(0.5, client=1)) == {FORWARD}


def test_a_loop_that_stood_still_does_not_send_a_burst(rig: Rig) -> None:
    rig.run(0.3, client=1)
    rig.now += 5.0
    rig.pad.held(1, FORWARD, rig.now)
    rig.pad.step(rig.now)
    before = len(rig.source.sent)
    for _ in range(20):
        rig.pad.step(rig.now)
    assert len(rig.source.sent) - before <= 1
