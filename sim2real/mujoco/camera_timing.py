"""When a simulated camera captures, and when its images come out, on the clock of the state stamps alone."""

from __future__ import annotations

import numpy as np

from robot_policies.exceptions import InputError, expected
from robot_policies.types import DepthImage

NS = 1_000_000_000


class CaptureClock:
    """Says which states are captured: the first at or after each whole multiple of the period, on their own clock.

    The grid does not hang on when the camera started, so the simulator can know in lockstep which image is due.
    """

    def __init__(self, rate: float) -> None:
        """Take the rate [Hz]. Raises ``InputError`` where it is not positive."""
        if not 0.0 < rate <= 1000.0:
            raise InputError(expected("depth camera: rate", rate, "above 0 to 1000 Hz"))
        self.period_ns = round(NS / rate)
        self._last: int | None = None

    def due(self, stamp_ns: int) -> bool:
        """Return whether the state of that stamp is captured. A clock that is set back starts anew."""
        last, self._last = self._last, stamp_ns
        if last is None or stamp_ns < last:
            # Whether earlier states of this slot were missed is unknown, so only one on the grid itself counts.
            return stamp_ns % self.period_ns == 0
        return stamp_ns // self.period_ns != last // self.period_ns

    def next_ns(self) -> int | None:
        """Return before which stamp [ns] no further state is captured; None before the first state."""
        return None if self._last is None else (self._last // self.period_ns + 1) * self.period_ns


class DelayLine:
    """Holds images back until ``delay`` plus a random part of ``jitter`` has passed on the clock of the stamps."""

    def __init__(self, delay: float, jitter: float, seed: int) -> None:
        """Take both times [s]. Raises ``InputError`` where one is negative."""
        for name, value in (("delay", delay), ("jitter", jitter)):
            if not 0.0 <= value < 60.0:
                raise InputError(expected(f"depth camera: {name}", value, "0 to 60 s"))
        self._delay, self._jitter, self._seed = delay, jitter, seed
        self._held: list[tuple[int, DepthImage]] = []
        self.least_ns = round(delay * NS)

    @property
    def next_ns(self) -> int | None:
        """When the next image is due [ns]; None where none is held."""
        return self._held[0][0] if self._held else None

    def put(self, image: DepthImage) -> None:
        """Take an image at its capture. A camera never gives images out of order, so neither does the jitter."""
        draw = np.random.default_rng((self._seed, image.stamp_ns, 1)).random() if self._jitter > 0.0 else 0.0
        due = image.stamp_ns + round((self._delay + self._jitter * draw) * NS)
        self._held.append((max(due, self._held[-1][0] if self._held else due), image))

    def take(self, now_ns: int) -> list[DepthImage]:
        """Return the images due by ``now_ns``, oldest first, and forget them."""
        return [image for _, image in self.take_with_dues(now_ns)]

    def take_with_dues(self, now_ns: int) -> list[tuple[int, DepthImage]]:
        """Return the images due by ``now_ns``, oldest first, each after the moment at which it was due [ns]."""
        ready = [held for held in self._held if held[0] <= now_ns]
        self._held = self._held[len(ready) :]
        return ready

    def clear(self) -> None:
        """Forget every image, as after a jump of the clock."""
        self._held.clear()
