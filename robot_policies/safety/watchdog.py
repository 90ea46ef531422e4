"""Silence of the one who commands is a fault. The watchdog lives with the robot, so it outlives the policy."""

from __future__ import annotations

from robot_policies.safety.limits import SECOND, SafetyLimits


class CommandWatchdog:
    """How old the newest command may be, for one holder of the lease.

    The limit is ``ticks`` control periods, but never more than ``max_age``: a slow policy does not make its silence
    safe. During the grace after activation nothing is too old, since the first ticks run with cold caches.
    """

    def __init__(self, limits: SafetyLimits, control_dt_ns: int, start_ns: int) -> None:
        """Watch from ``start_ns`` on, for a command every ``control_dt_ns``."""
        self.limit_ns = min(round(limits.command_ticks * control_dt_ns), limits.command_age_ns)
        self._start_ns = start_ns
        self._grace_end_ns = start_ns + limits.command_grace_ns

    def check(self, stamp_ns: int | None, now_ns: int) -> str | None:
        """Return what is wrong at ``now_ns``, if anything.

        Args:
            stamp_ns: stamp of the newest accepted command [ns]; None before the first.
            now_ns: the robot's clock [ns].
        """
        if now_ns <= self._grace_end_ns:
            return None
        if stamp_ns is None:
            return f"no command within {(now_ns - self._start_ns) / SECOND:.3f} s of activation"
        age_ns = now_ns - stamp_ns
        if age_ns > self.limit_ns:
            return f"newest command {age_ns / SECOND:.3f} s old; limit {self.limit_ns / SECOND:g} s"
        return None


def slowest_ns(limits: SafetyLimits) -> int:
    """Return the longest control period that the watchdog can watch [ns]: one command may be half a period late."""
    return limits.command_age_ns * 2 // 3
