"""How the robot node passes the time until the robot's next state: by the wall clock, or in lockstep."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.task import Future

from robot_policies.exceptions import LockstepTimeout, expected
from robot_policies.nodes.runtime import Spinner

GUARD = 0.0002  # [s] before a deadline, in which no callback is begun: one takes up to 0.15 ms where caches are cold
LOCKSTEP_LIMIT = 5.0  # [s] of wall clock, DESIGN section 5


class RealTimeWait:
    """Serves callbacks until the robot's clock shows the stamp of the next state."""

    def __init__(self, spinner: Spinner, now_ns: Callable[[], int]) -> None:
        self._spinner, self._now_ns = spinner, now_ns

    def __call__(self, stamp_ns: int) -> None:
        """Return at ``stamp_ns`` of the robot's clock, and not later because a message came just before."""
        self._spinner.spin_for((stamp_ns - self._now_ns()) * 1e-9 - GUARD)
        left = (stamp_ns - self._now_ns()) * 1e-9
        if left > 0.0:
            time.sleep(min(left, GUARD))  # no longer, also where the clock was set back meanwhile

    def published(self, stamp_ns: int) -> None:
        """Nothing waits for an answer in real time: the watchdog judges its age."""

    def answered(self, stamp_ns: int) -> None:
        """Nothing waits for an answer in real time."""

    def expect(self, control_dt_ns: int | None) -> None:
        """Nothing waits for an answer in real time."""


class LockstepWait:
    """Holds the simulator after a due state until its command has come, then paces to ``speed``.

    Due are the first state after the lease was taken and then the first at or after each further ``control_dt``: the
    same rule by which the policy node ticks.
    """

    def __init__(self, spinner: Spinner, speed: float, now_ns: Callable[[], int]) -> None:
        """Take a speed in simulated seconds per second; 0 is as fast as it goes."""
        self._spinner, self._speed, self._now_ns = spinner, speed, now_ns
        self._control_dt_ns: int | None = None
        self._deadline_ns: int | None = None  # None: the next state is due
        self._due: Future | None = None
        self._due_ns = 0
        self._next_wall = time.monotonic()

    def expect(self, control_dt_ns: int | None) -> None:
        """Expect a command every ``control_dt_ns`` from the next state on; None expects none."""
        self._control_dt_ns, self._deadline_ns = control_dt_ns, None
        if control_dt_ns is None and self._due is not None:
            self._due.set_result(None)
            self._due = None

    def published(self, stamp_ns: int) -> None:
        """Note that the state of ``stamp_ns`` went out; wait for its command if it is due."""
        if self._control_dt_ns is None or (self._deadline_ns is not None and stamp_ns < self._deadline_ns):
            return
        behind = 0 if self._deadline_ns is None else (stamp_ns - self._deadline_ns) // self._control_dt_ns
        start = stamp_ns if self._deadline_ns is None else self._deadline_ns
        self._deadline_ns = start + (behind + 1) * self._control_dt_ns
        self._due, self._due_ns = Future(), stamp_ns

    def answered(self, stamp_ns: int) -> None:
        """Note that a command for the state of ``stamp_ns`` came, accepted or not."""
        if self._due is not None and stamp_ns >= self._due_ns:
            self._due.set_result(None)
            self._due = None

    def __call__(self, stamp_ns: int) -> None:
        """Return when the simulator may step to ``stamp_ns``.

        Raises:
            LockstepTimeout: the command did not come within the wall-clock limit.
        """
        self._spinner.spin_for(0.0)
        if self._due is not None and not self._spinner.spin_until(self._due, LOCKSTEP_LIMIT):
            asked, found = f"lockstep: a command for stamp {self._due_ns}", f"none for {LOCKSTEP_LIMIT:g} s"
            raise LockstepTimeout(expected(asked, found, "a policy that answers"))
        if self._speed > 0.0:
            step = (stamp_ns - self._now_ns()) * 1e-9 / self._speed
            # A simulator that fell behind by more than 0.1 s goes on from now instead of racing to catch up.
            self._next_wall = max(self._next_wall + step, time.monotonic() - 0.1)
            self._spinner.spin_for(self._next_wall - time.monotonic())
