"""The page's pad: a dead-man switch that becomes ``cmd_vel``.

A browser says "held" ten times a second while a button of the pad is down. The robot is driven while it does: where the
browser, its tab or its machine stops, nothing says "held" any more, and the robot stops.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from robot_policies.nodes.velocity_ranges import ZERO, Velocity
from robot_policies.nodes.velocity_source import VelocitySource

HOLD_LIMIT = 0.5  # [s] without a word of the browser, which speaks every 0.1 s; policies wait as long for a command
PERIOD = 0.05  # [s] between commands; policies take one for absent after 0.5 s
ZEROS = 5  # zero commands after the pad was let go, before silence, as after a game pad's dead-man button
YIELD = 1.0  # [s] that another source has to become silent once the pad is held

Report = Callable[[str], None]


class Pad:
    """Who holds the pad, and what goes out meanwhile. Times are monotonic [s]."""

    def __init__(self, source: VelocitySource, now_ns: Callable[[], int], report: Report) -> None:
        """Drive through ``source``, stamped by ``now_ns``; ``report`` is told what keeps the pad from it."""
        self._source, self._now_ns, self._report = source, now_ns, report
        self._holder: int | None = None
        self._velocity = ZERO
        self._held_at = self._since = -math.inf
        self._next = 0.0
        self._zeros = 0  # still to send
        self._refused = False  # until the pad is let go

    @property
    def driving(self) -> bool:
        """Whether somebody drives with the pad now."""
        return self._holder is not None and not self._refused

    def held(self, client: int, velocity: Velocity, now: float) -> None:
        """Note that ``client`` holds a button for ``velocity``. A second browser waits until the first lets go."""
        if self._holder is None:
            self._holder, self._since, self._refused = client, now, False
            self._next = now
        if client != self._holder:
            self._report("drive: another browser holds the pad")
            return
        self._velocity, self._held_at = velocity, now

    def released(self, client: int) -> None:
        """Note that ``client`` let go, or is gone."""
        if client == self._holder:
            self._holder = None
            self._zeros = 0 if self._refused else ZEROS

    def step(self, now: float) -> None:
        """Publish what is due."""
        if self._holder is not None and now - self._held_at > HOLD_LIMIT:
            self.released(self._holder)
        if self.driving and self._source.other_at > self._since + YIELD:
            # Two sources that both go on would make the robot jerk between them.
            self._refused = True
            self._report("drive: another source of cmd_vel goes on; end it (teleop, planner), then hold again")
        if now < self._next or not (self.driving or self._zeros):
            return
        self._next = max(self._next + PERIOD, now)
        if self.driving:
            self._source.publish(self._velocity, self._now_ns())
        else:
            self._zeros -= 1
            self._source.publish(ZERO, self._now_ns())
