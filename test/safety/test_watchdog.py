"""Silence, measured in control periods and in seconds."""

from __future__ import annotations

import pytest
from helpers import safety as kit

from robot_policies.safety.watchdog import CommandWatchdog, slowest_ns

MS = kit.MS
START = 5_000 * MS
LIMITS = kit.go2_limits()


@pytest.mark.parametrize(
    ("control_dt", "limit"),
    [(2 * MS, 8 * MS), (10 * MS, 40 * MS), (19 * MS, 76 * MS), (20 * MS, 80 * MS), (30 * MS, 80 * MS)],
)
def test_four_ticks_but_never_more_than_80_ms(control_dt: int, limit: int) -> None:
    watchdog = CommandWatchdog(LIMITS, control_dt, START)
    assert watchdog.limit_ns == limit
    now = START + 10_000 * MS
    for age in (0, limit - 1, limit):
        assert watchdog.check(now - age, now) is None
    silence = watchdog.check(now - limit - 1, now)
    assert silence is not None
    assert f"limit {limit / 1e9:g} s" in silence
    assert "0.500 s old" in str(watchdog.check(now - 500 * MS, now))


def test_the_grace_covers_the_first_ticks_and_no_more() -> None:
    watchdog = CommandWatchdog(LIMITS, 20 * MS, START)
    for stamp in (None, START):
        assert watchdog.check(stamp, START) is None
        assert watchdog.check(stamp, START + kit.GRACE) is None
    now = START + kit.GRACE + 1
    assert watchdog.check(None, now) == "no command within 0.300 s of activation"
    assert watchdog.check(START, now) is not None
    assert watchdog.check(now - 80 * MS, now) is None


def test_without_grace_the_first_command_is_due_at_once() -> None:
    watchdog = CommandWatchdog(kit.with_limits(command_grace_ns=0), 20 * MS, START)
    assert watchdog.check(None, START) is None
    assert watchdog.check(None, START + 1) is not None


def test_the_slowest_policy_leaves_room_for_half_a_period() -> None:
    assert slowest_ns(LIMITS) == 53_333_333
    slowest = CommandWatchdog(LIMITS, slowest_ns(LIMITS), START)
    assert slowest.limit_ns >= 1.49 * slowest_ns(LIMITS)
