"""From the robot's ticks to stamps of this machine.

A state that waited on its way would be stamped too new on receipt, and a stream that lags would look fresh. So a
stamp is the tick, plus the smallest difference between receipt and tick of the last one to two seconds: the way of
the fastest state. In that time two crystals part by 0.1 ms (at 50 ppm), which is how far a stamp may be wrong; it is
never later than the receipt.
"""

from __future__ import annotations

from robot_policies.exceptions import RobotError, expected

WINDOW_NS = 1_000_000_000  # [ns], after which a smallest difference is forgotten, at the latest after two
JUMP_NS = 50_000_000  # [ns], by which ticks may run ahead of receipt: ten times what drift and delay explain
WRAP = 1 << 32  # ticks are u32


class TickClock:
    """Unwraps ticks and maps them. ``skipped`` counts states whose tick was not newer, ``missed`` those in between."""

    def __init__(self, tick_ns: int, period_ns: int) -> None:
        """Take the length of a tick and the time between two states [ns]."""
        self._tick_ns, self._period_ns = tick_ns, period_ns
        self._tick: int | None = None
        self._device_ns = 0  # since the first state, by ticks
        self._best: list[int] = []  # smallest receipt - tick: of the previous window, of this one
        self._window_end = 0
        self._stamp_ns = 0
        self.skipped = self.missed = 0

    def stamp(self, tick: int, received_ns: int) -> int | None:
        """Return the stamp of the state of ``tick`` that came at ``received_ns``, or None if it is no newer state.

        Raises:
            RobotError: the ticks ran ahead of this machine's clock. The next state starts the mapping anew.
        """
        if self._tick is not None:
            passed = (tick - self._tick) % WRAP
            if passed == 0 or passed >= WRAP // 2:
                self.skipped += 1
                return None
            self._device_ns += passed * self._tick_ns
            self.missed += max(round(passed * self._tick_ns / self._period_ns) - 1, 0)
        self._tick = tick
        best = self._update(received_ns - self._device_ns, received_ns)
        self._stamp_ns = max(self._device_ns + best, self._stamp_ns + 1)
        return self._stamp_ns

    def _update(self, offset: int, received_ns: int) -> int:
        if not self._best:
            self._best, self._window_end = [offset, offset], received_ns + WINDOW_NS
        ahead = min(self._best) - offset
        if ahead > JUMP_NS:
            self._best = []
            found = f"{ahead / 1e9:.3f} s ahead of it"
            raise RobotError(
                expected("LowState.tick: with this machine's clock", found, f"{JUMP_NS / 1e9:g} s at most")
            )
        if received_ns >= self._window_end:
            self._best, self._window_end = [self._best[1], offset], received_ns + WINDOW_NS
        self._best[1] = min(self._best[1], offset)
        return min(self._best)
