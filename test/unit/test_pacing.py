from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import time

import pytest

from robot_policies.control import pacing
from robot_policies.control.pacing import MonotonicClock, Pacer

MS = 1_000_000


class FakeClock:
    """Time passes in sleeps, late by ``late``, and where a test lets it."""

    def __init__(self) -> None:
        self.now, self.late, self.slept = 1_000 * MS, 0, list[int]()

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, deadline_ns: int) -> None:
        self.slept.append(deadline_ns)
        self.now = max(self.now, deadline_ns) + self.late


def test_work_does_not_move_the_deadlines() -> None:
    clock = FakeClock()
    pacer = Pacer(20 * MS, clock)
    for k in range(50):
        assert pacer.wait() == 0
        assert clock.now == 1_000 * MS + (k + 1) * 20 * MS
        clock.now += 4 * MS  # the work
    assert pacer.missed == 0
    assert pacer.lateness.count == 50


def test_waking_late_does_not_move_the_deadlines() -> None:
    clock = FakeClock()
    clock.late = 3 * MS
    pacer = Pacer(20 * MS, clock)
    assert [pacer.wait() for _ in range(5)] == [3 * MS] * 5
    assert clock.now == 1_000 * MS + 5 * 20 * MS + 3 * MS
    assert pacer.lateness.max_ns == 3 * MS


@pytest.mark.parametrize(
    ("work", "late", "missed"),
    [(19, 0, 0), (20, 0, 0), (21, 1, 0), (39, 19, 0), (40, 0, 1), (45, 5, 1), (60, 0, 2), (1000, 0, 49)],
)
def test_a_long_cycle_runs_the_next_one_at_once_and_skips_whole_periods(work: int, late: int, missed: int) -> None:
    clock = FakeClock()
    pacer = Pacer(20 * MS, clock)
    pacer.wait()
    phase = clock.now % (20 * MS)
    clock.now += work * MS
    assert pacer.wait() == late * MS
    assert pacer.missed == missed
    pacer.wait()
    assert clock.now % (20 * MS) == phase  # the phase is kept


def test_the_machines_clock() -> None:
    clock = MonotonicClock()
    before = clock.now_ns()
    clock.sleep_until(before + 5 * MS)
    assert clock.now_ns() >= before + 5 * MS
    begun = time.monotonic_ns()
    clock.sleep_until(before)
    assert time.monotonic_ns() - begun < 50 * MS
    assert Pacer(2 * MS).wait() >= 0


def in_a_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_prepare_goes_on_without_what_is_not_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    did: list[str] = []

    def not_permitted(*_: object) -> None:
        raise PermissionError("no")

    def not_there(*_: object) -> None:
        raise AttributeError("not Linux")

    monkeypatch.setattr(os, "sched_setscheduler", not_permitted)
    monkeypatch.setattr(pacing, "timer_slack", not_there)
    monkeypatch.setattr(pacing, "freeze_garbage", lambda: did.append("frozen"))
    pacing.prepare(warnings.append, 42)
    assert warnings == [
        "SCHED_FIFO 42 not permitted; valid: rtprio in limits.conf, or CAP_SYS_NICE; going on without",
        "not Linux; going on without",
    ]
    assert did == ["frozen"]


def test_scheduling_asks_for_fifo(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, kind, p: asked.append((pid, kind, p.sched_priority)))
    pacing.real_time(50)
    threads = {int(thread) for thread in os.listdir("/proc/self/task")}
    assert os.getpid() in threads
    assert {pid for pid, _, _ in asked} == threads  # all of them: the middleware's too
    assert {(kind, priority) for _, kind, priority in asked} == {(os.SCHED_FIFO, 50)}


def test_timer_slack_is_set_for_this_thread() -> None:
    code = (
        "from robot_policies.control.pacing import timer_slack; import ctypes; timer_slack(1234);"
        "print(ctypes.CDLL(None).prctl(30, 0, 0, 0, 0))"  # PR_GET_TIMERSLACK
    )
    assert in_a_process(code) == "1234"


def test_a_kernel_that_refuses_timer_slack_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses:
        def prctl(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Refuses())
    with pytest.raises(OSError, match="timer slack not permitted"):
        pacing.timer_slack()


def test_garbage_is_frozen_and_not_collected_any_more() -> None:
    code = (
        "import gc; from robot_policies.control.pacing import freeze_garbage; freeze_garbage();"
        "print(gc.isenabled(), gc.get_freeze_count() > 1000)"
    )
    assert in_a_process(code) == "False True"
    assert gc.isenabled()
