"""A device's own clock in system time: offset and drift bounded, whatever the transport does in between."""

from __future__ import annotations

MAX_DRIFT = 2e-4  # a quartz is within 1e-4 of the truth, and the machine's within 1e-4 too
STEP_NS = 100_000_000  # a stamp off by more is a clock that was set, or a device that started anew
STEPS = 5  # images on end: later, it was a delay and no step


class DeviceClock:
    """Maps times of a device to system time.

    An image takes ``transfer`` at least from its capture to its receipt, sometimes more, never less. So the least
    difference of receipt and device time is the offset; it may grow by ``MAX_DRIFT`` only, and a smaller one is taken
    at once. The error is then at most the drift since an image last came without delay.

    Attributes:
        steps: how often one of the clocks was set, so that the offset was taken anew.
    """

    def __init__(self, transfer_ns: int, wrap_ns: int | None = None) -> None:
        """Take the least time from capture to receipt, and where the device's clock starts from 0 again."""
        self.steps = 0
        self._transfer_ns, self._wrap_ns = transfer_ns, wrap_ns
        self._turns_ns = 0  # of a clock that wrapped around
        self._last_ns: int | None = None  # device time
        self._offset_ns = 0.0
        self._late = 0

    def stamp(self, device_ns: int, receipt_ns: int) -> int:
        """Return the capture in system time [ns] of an image of ``device_ns`` that came at ``receipt_ns``."""
        time_ns = self._unwrapped(device_ns)
        seen = receipt_ns - time_ns
        if self._last_ns is None:
            self._offset_ns = seen
        else:
            self._follow(seen, time_ns - self._last_ns)
        self._last_ns = time_ns
        return round(time_ns + self._offset_ns) - self._transfer_ns

    def _unwrapped(self, device_ns: int) -> int:
        time_ns = device_ns + self._turns_ns
        if self._wrap_ns and self._last_ns is not None and self._last_ns - time_ns > self._wrap_ns // 2:
            self._turns_ns += self._wrap_ns
            time_ns += self._wrap_ns
        return time_ns

    def _follow(self, seen: float, passed_ns: int) -> None:
        grown = self._offset_ns + MAX_DRIFT * max(passed_ns, 0)
        self._late = self._late + 1 if seen > grown + STEP_NS else 0
        if passed_ns < 0 or seen < self._offset_ns - STEP_NS or self._late >= STEPS:
            self.steps += 1
            self._late = 0
            self._offset_ns = seen
        else:
            self._offset_ns = min(seen, grown)
