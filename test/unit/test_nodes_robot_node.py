"""The robot node's loop, on a robot that fails."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from robot_policies.exceptions import LockstepTimeout, RobotError
from robot_policies.nodes import robot_node
from robot_policies.nodes.robot_node import RobotNode
from robot_policies.safety.state_machine import Request
from robot_policies.types import Mode


class Landing:
    """A robot node's parts around its loop."""

    def __init__(self, failing: Callable[[int], bool], mode: Mode = Mode.STAND) -> None:
        self.now, self.reads, self.asked, self.sent = 0, 0, list[Any](), list[str]()
        self.failing = failing
        self._robot = SimpleNamespace(now_ns=lambda: self.now, write=lambda command: command)
        self._step = SimpleNamespace(
            mode=mode,
            request=lambda request, now: self.asked.append(request),
            cycle_without_state=lambda detail, now: f"damping: {detail}",
            spec=SimpleNamespace(state_rate=200.0),
        )
        self._wait = SimpleNamespace(expect=lambda dt: self.asked.append(dt))
        self._topics = SimpleNamespace(sent=self.sent.append)
        self._monitor = SimpleNamespace(level=lambda: b"\x02", values=dict, note=lambda now: False)
        self._diagnostics = SimpleNamespace(publish=lambda *values: None)
        self._spinner = SimpleNamespace(spin_for=self.spend)
        self._node = SimpleNamespace(
            get_logger=lambda: SimpleNamespace(error=lambda text: None, info=lambda text: None)
        )
        self._recordings = ()
        self._lost_ns: int | None = None
        self._stop = SimpleNamespace(requested=False)

    def spend(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    def cycle(self) -> None:
        self.reads += 1
        if self.failing(self.reads):
            raise RobotError("the cable is unplugged")
        self.sent.append("cycle")
        self.now += 5_000_000

    _cycle = RobotNode._cycle
    _land = RobotNode._land
    _without_state = RobotNode._without_state


def test_a_landing_lasts_half_a_second_and_goes_on_without_a_state() -> None:
    node = Landing(lambda k: 10 <= k < 20)
    node._land()  # type: ignore[misc]
    assert node.asked == [None, Request.DAMP]  # nobody is waited for any more
    assert len(node.sent) == 100 and node.sent[9:19] == ["damping: the cable is unplugged"] * 10
    assert node.now >= robot_node.LANDING_TIME * 1e9


def test_a_disarmed_robot_is_left_as_it_is() -> None:
    node = Landing(lambda k: False, Mode.DISARMED)
    node._land()  # type: ignore[misc]
    assert node.reads == 0 and Request.DAMP not in node.asked


def test_a_robot_that_stays_lost_is_given_up_after_the_limit_and_one_that_comes_back_is_not() -> None:
    node = Landing(lambda k: k > 3)
    with pytest.raises(RobotError, match="unplugged"):
        for _ in range(1000):
            node._cycle()  # type: ignore[misc]
    assert robot_node.LOST_LIMIT <= (node.now - 15_000_000) * 1e-9 < robot_node.LOST_LIMIT + 0.02
    flaky = Landing(lambda k: k % 100 != 0)  # half a second each time
    for _ in range(2000):
        flaky._cycle()  # type: ignore[misc]


def test_a_lockstep_that_nobody_answers_ends_the_run() -> None:
    node = Landing(lambda k: False)

    def cycle() -> None:
        raise LockstepTimeout("none for 5 s")

    node.cycle = cycle  # type: ignore[method-assign]
    with pytest.raises(LockstepTimeout):
        node._cycle()  # type: ignore[misc]
    assert node.sent == []
