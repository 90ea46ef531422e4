"""How the robot node passes time: what is due in lockstep is what the policy node answers, number by number."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from helpers.bundles import standing
from hypothesis import given
from hypothesis import strategies as st
from rclpy.task import Future

from robot_policies.exceptions import LockstepTimeout
from robot_policies.nodes import waiting
from robot_policies.nodes.policy_node import PolicyNode
from robot_policies.nodes.waiting import LockstepWait, RealTimeWait
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
DT = 20_000_000
CYCLE = 5_000_000


class Spinner:
    """Serves nothing; keeps what was asked of it."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.waited: list[float] = []
        self.on_wait: Any = lambda: None

    def spin_for(self, seconds: float) -> None:
        self.slept.append(seconds)

    def spin_until(self, future: Future, seconds: float) -> bool:
        self.waited.append(seconds)
        self.on_wait()
        return bool(future.done())


def lockstep(speed: float = 0.0, now_ns: int = 0) -> tuple[LockstepWait, Spinner]:
    spinner = Spinner()
    return LockstepWait(spinner, speed, lambda: now_ns), spinner  # type: ignore[arg-type]


def held(wait: LockstepWait, spinner: Spinner, answer_ns: int | None = None) -> bool:
    """Return whether the simulator waits before its next step; ``answer_ns`` is answered while it does."""
    before = len(spinner.waited)
    spinner.on_wait = (lambda: wait.answered(answer_ns)) if answer_ns is not None else (lambda: None)
    wait(0)
    return len(spinner.waited) > before


class FakePolicyNode:
    """``PolicyNode._tick`` with a step that keeps the stamps at which it ticked."""

    def __init__(self, control_dt_ns: int, granted_ns: int) -> None:
        self.ticks: list[tuple[int, int]] = []
        self._deadline_ns: int | None = None
        self._granted_ns = granted_ns
        self._step = self
        self.control_dt_ns = control_dt_ns
        self._topics = SimpleNamespace(velocity=SimpleNamespace(at=lambda stamp: None), images=lambda stamp: {})
        self._commands = SimpleNamespace(publish=lambda message: None)
        self._switch = SimpleNamespace(tell=lambda active: False)
        self._message = SimpleNamespace(fill=lambda command: None)
        self._monitor = self
        self._journal = None
        self.lateness: list[int] = []

    def _clock_ns(self) -> None:
        return None

    def __call__(self, inputs: Any, now_ns: int | None) -> Any:
        self._stamp = inputs.state.stamp_ns
        return SimpleNamespace(command=None)

    def ticked(self, record: Any, missed: int, late_ns: int, begun_ns: int) -> None:
        self.ticks.append((self._stamp, missed))
        self.lateness.append(late_ns)

    def see(self, stamp_ns: int) -> bool:
        before = len(self.ticks)
        PolicyNode._tick(self, standing(SPEC, stamp_ns))  # type: ignore[arg-type]
        return len(self.ticks) > before


@given(
    st.integers(0, 10**12),
    st.lists(st.integers(1, 90_000_000), min_size=1, max_size=80),
    st.integers(1_000_000, 60_000_000),
)
def test_due_is_exactly_what_the_policy_node_answers(start: int, steps: list[int], control_dt_ns: int) -> None:
    """States at any stamps, with gaps: the simulator waits after those, and only those, at which the policy ticks."""
    wait, spinner = lockstep()
    policy = FakePolicyNode(control_dt_ns, granted_ns=start)
    wait.expect(control_dt_ns)
    assert not policy.see(start)  # the state of the grant itself is not due
    stamp = start
    for step in steps:
        stamp += step
        wait.published(stamp)
        ticked = policy.see(stamp)
        assert held(wait, spinner, answer_ns=stamp) is ticked


@given(st.lists(st.integers(1, 90_000_000), min_size=1, max_size=80))
def test_every_deadline_is_met_or_counted_as_missed(steps: list[int]) -> None:
    policy, stamp = FakePolicyNode(DT, granted_ns=0), 0
    for step in steps:
        stamp += step
        policy.see(stamp)
    first = policy.ticks[0][0]
    assert first == steps[0] and policy.ticks[0][1] == 0 and policy.lateness[0] == 0
    last = policy.ticks[-1][0]
    # Deadlines lie on a grid from the first tick on, whatever the lateness of each.
    assert len(policy.ticks) + sum(missed for _, missed in policy.ticks) == (last - first) // DT + 1
    on_grid = zip(policy.ticks, policy.lateness, strict=True)
    assert all((stamp - late - first) % DT == 0 and late >= 0 for (stamp, _), late in on_grid)


def test_a_late_state_does_not_move_the_grid() -> None:
    policy = FakePolicyNode(DT, granted_ns=0)
    ticked = [stamp for stamp in (CYCLE, 4 * CYCLE, 6 * CYCLE, 8 * CYCLE, 9 * CYCLE, 17 * CYCLE) if policy.see(stamp)]
    assert ticked == [CYCLE, 6 * CYCLE, 9 * CYCLE, 17 * CYCLE]
    assert [missed for _, missed in policy.ticks] == [0, 0, 0, 1]


def test_nothing_is_due_before_a_lease_and_after_it() -> None:
    wait, spinner = lockstep()
    wait.published(CYCLE)
    assert not held(wait, spinner)
    wait.expect(DT)
    wait.published(2 * CYCLE)
    wait.expect(None)  # the lease has ended: by a trip, or given back
    assert not held(wait, spinner)
    wait.published(3 * CYCLE)
    assert not held(wait, spinner)


def test_the_end_of_a_lease_frees_a_simulator_that_waits() -> None:
    wait, spinner = lockstep()
    wait.expect(DT)
    wait.published(CYCLE)
    spinner.on_wait = lambda: wait.expect(None)
    wait(2 * CYCLE)  # no LockstepTimeout
    assert spinner.waited == [waiting.LOCKSTEP_LIMIT]


def test_a_new_lease_begins_its_own_grid() -> None:
    wait, spinner = lockstep()
    wait.expect(DT)
    wait.published(CYCLE)
    assert held(wait, spinner, CYCLE)
    wait.expect(None)
    wait.expect(DT)
    wait.published(2 * CYCLE)
    assert held(wait, spinner, 2 * CYCLE)
    for k in (3, 4, 5):
        wait.published(k * CYCLE)
        assert not held(wait, spinner)
    wait.published(6 * CYCLE)
    assert held(wait, spinner, 6 * CYCLE)


def test_only_an_answer_to_the_due_state_counts() -> None:
    wait, spinner = lockstep()
    wait.expect(DT)
    wait.published(7 * CYCLE)
    wait.answered(7 * CYCLE - 1)
    spinner.on_wait = lambda: wait.answered(7 * CYCLE - 1)
    with pytest.raises(LockstepTimeout, match=f"stamp {7 * CYCLE}; found none for 5 s"):
        wait(0)
    assert held(wait, spinner, 7 * CYCLE)
    assert not held(wait, spinner)
    wait.answered(7 * CYCLE)  # twice: nothing waits for it


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_simulated_time_keeps_to_the_speed(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    now = [100.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    clock = [0]
    spinner = Spinner()
    wait = LockstepWait(spinner, speed, lambda: clock[0])  # type: ignore[arg-type]

    def sleep(seconds: float) -> None:
        now[0] += max(seconds, 0.0)

    spinner.spin_for = sleep  # type: ignore[method-assign]
    for k in range(1, 201):
        now[0] += 0.0003  # what a step costs
        wait(k * CYCLE)
        clock[0] = k * CYCLE
    assert now[0] - 100.0 == pytest.approx(1.0 / speed, rel=1e-6)
    now[0] += 10.0  # the machine stalls
    begun = now[0]
    for k in range(201, 401):
        wait(k * CYCLE)
        clock[0] = k * CYCLE
    # The first step is taken at once and at most 0.1 s is caught up: no race to catch up with the 10 s.
    assert now[0] - begun == pytest.approx(199 * 0.005 / speed - 0.1, abs=1e-6)


def test_speed_0_never_sleeps() -> None:
    wait, spinner = lockstep(speed=0.0)
    for k in range(10):
        wait(k * CYCLE)
    assert spinner.slept == [0.0] * 10  # it serves what is there


class Clock:
    """A robot's clock that passes in spins and sleeps only."""

    def __init__(self, spinner: Spinner, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept, self._spinner = 3_000_000, list[float](), spinner
        monkeypatch.setattr(spinner, "spin_for", self._spin)
        monkeypatch.setattr(waiting.time, "sleep", self._sleep)

    def _spin(self, seconds: float) -> None:
        self._spinner.slept.append(seconds)
        self.now += max(round(seconds * 1e9), 0)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1e9)


def test_real_time_serves_until_shortly_before_the_stamp_and_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    spinner = Spinner()
    clock = Clock(spinner, monkeypatch)
    wait = RealTimeWait(spinner, lambda: clock.now)  # type: ignore[arg-type]
    wait.expect(DT)
    wait.published(CYCLE)
    wait(CYCLE)
    wait.answered(CYCLE)
    wait.expect(None)
    assert spinner.slept == [pytest.approx(0.002 - waiting.GUARD)] and spinner.waited == []
    assert clock.slept == [pytest.approx(waiting.GUARD)], "callbacks are served up to the deadline"
    assert clock.now == CYCLE


@pytest.mark.parametrize(("behind", "slept"), [(-100_000, [0.0001]), (0, []), (2_000_000, [])])
def test_real_time_that_is_behind_serves_what_waits(
    behind: int, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    spinner = Spinner()
    clock = Clock(spinner, monkeypatch)
    clock.now = CYCLE + behind
    RealTimeWait(spinner, lambda: clock.now)(CYCLE)  # type: ignore[arg-type]
    assert len(spinner.slept) == 1 and spinner.slept[0] <= 0.0, "a robot that is late would hear nobody"
    assert clock.slept == pytest.approx(slept)


def test_a_clock_that_is_set_back_meanwhile_does_not_put_the_robot_to_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    spinner = Spinner()
    clock = Clock(spinner, monkeypatch)
    monkeypatch.setattr(spinner, "spin_for", lambda seconds: setattr(clock, "now", -10_000_000_000))
    RealTimeWait(spinner, lambda: clock.now)(CYCLE)  # type: ignore[arg-type]
    assert clock.slept == [waiting.GUARD]


def test_a_real_spinner_gives_up_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import rclpy
    from rclpy.context import Context
    from rclpy.node import Node

    from robot_policies.nodes import runtime

    monkeypatch.setattr(waiting, "LOCKSTEP_LIMIT", 0.2)
    rclpy.init(domain_id=95)  # the executor of runtime.Spinner is of the default context
    assert isinstance(rclpy.get_default_context(), Context)
    node = Node("waits", start_parameter_services=False)
    spinner = runtime.Spinner(node)
    try:
        wait = LockstepWait(spinner, 0.0, lambda: 0)
        wait.expect(DT)
        wait.published(CYCLE)
        begun = time.monotonic()
        with pytest.raises(LockstepTimeout):
            wait(2 * CYCLE)
        assert time.monotonic() - begun >= 0.2
        wait.answered(CYCLE)
        wait(2 * CYCLE)
    finally:
        spinner.close()
        node.destroy_node()
        rclpy.shutdown()
