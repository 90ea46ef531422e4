"""Whether images are as old as those that a policy was trained on, when it first uses them.

Less delay than trained is a mismatch as much as more. One late image is none: its age is judged by itself. So the 5 %
and 95 % points of the newest images must lie within what the bundle states. In training, too, an image waits for the
next tick once its delay is over, so up to one control period more is within.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from robot_policies.contract import Depth
from robot_policies.exceptions import expected

WINDOW = 60  # images, two seconds at 30 Hz
ENOUGH = 15  # images, from which on there is a judgement: half a second at 30 Hz


class DelayWatch:
    """Measures one depth input: from the stamp of the capture to the stamp of the first tick that had the image."""

    def __init__(self, name: str, depth: Depth, control_dt: float) -> None:
        """Take the input's name and description, and the control period [s]."""
        self._name, self._trained = name, depth.delay
        self._least, self._most = round(depth.delay[0] * 1e9), round((depth.delay[1] + control_dt) * 1e9)
        self._slack = control_dt
        self._newest_ns: int | None = None
        self._ages: deque[int] = deque(maxlen=WINDOW)
        self.fault: str | None = None

    @property
    def ready(self) -> bool:
        """Whether enough images were seen to judge them."""
        return len(self._ages) >= ENOUGH

    def see(self, captured_ns: int, stamp_ns: int) -> None:
        """Note that the tick at ``stamp_ns`` had the image that was captured at ``captured_ns``.

        An image that was seen before, or from the future, says nothing of the delay.
        """
        if captured_ns > stamp_ns or captured_ns == self._newest_ns:
            return
        if self._newest_ns is not None and captured_ns < self._newest_ns:
            self._ages.clear()  # the clock was set back
        self._newest_ns = captured_ns
        self._ages.append(stamp_ns - captured_ns)
        self.fault = self._judge() if self.ready else None

    def values(self) -> dict[str, Any]:
        """Return percentiles of the newest images and what was trained for [ms], and whether they are known to fit."""
        if not self._ages:
            return {"n": 0, "as_trained": False}
        low, middle, high = (round(age * 1e-6, 3) for age in self._points())
        trained = [round(1e3 * value, 3) for value in self._trained]
        fits = self.ready and self.fault is None
        return {"n": len(self._ages), "p5": low, "p50": middle, "p95": high, "trained": trained, "as_trained": fits}

    def _points(self) -> tuple[int, int, int]:
        """Return the 5 %, 50 % and 95 % points [ns]."""
        ages = sorted(self._ages)
        beyond = min(max(len(ages) // 20, 1), (len(ages) - 1) // 2)  # at least one, so that no single image decides
        return ages[beyond], ages[len(ages) // 2], ages[-1 - beyond]

    def _judge(self) -> str | None:
        low, _, high = self._points()
        if self._least <= low and high <= self._most:
            return None
        found = f"{low * 1e-6:.0f} to {high * 1e-6:.0f} ms (5 % and 95 % of {len(self._ages)} images)"
        least, most = (1e3 * value for value in self._trained)
        valid = f"{least:.0f} to {most:.0f} ms as trained, and up to a tick of {1e3 * self._slack:.0f} ms more"
        return expected(f"depth {self._name}: a delay from capture to use as trained", found, valid)
