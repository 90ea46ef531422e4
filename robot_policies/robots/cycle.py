"""What robots with a clock of their own share: absolute deadlines of the cycle, and the refusal of bad commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.robot import Wait
from robot_policies.types import JointCommand, owned

ClockKind = Literal["real", "lockstep"]

# A process that was stopped for longer than this goes on from now, instead of running all the cycles that it missed.
MAX_LAG_NS = 100_000_000


class CycleClock:
    """The stamps of a robot's cycles.

    ``real``: stamps are system time at the cycle's absolute deadline, so a late cycle does not delay the next one;
    the first deadline is one period after the first call of ``next_cycle``.
    ``lockstep``: stamps are ``epoch_ns`` + k periods, k = 1, 2, ...; time passes only in ``next_cycle``.
    """

    def __init__(
        self, kind: ClockKind, rate: float, epoch_ns: int = 0, system_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Start a clock of ``rate`` [Hz]. ``epoch_ns`` is for lockstep; ``system_ns`` gives the system's time."""
        self.period_ns = round(1e9 / rate)
        self.skipped_ns = 0  # time that was lost to stops longer than MAX_LAG_NS
        self._kind = kind
        self._system_ns = system_ns
        self._stamp_ns = epoch_ns  # of the present cycle
        self._started = kind == "lockstep"

    def now_ns(self) -> int:
        """Return the time [ns]: the system's, or in lockstep that of the present cycle."""
        return self._stamp_ns if self._kind == "lockstep" else self._system_ns()

    def next_cycle(self, wait: Wait) -> int:
        """Pass the time until the next deadline in ``wait`` and return that deadline [ns]."""
        if not self._started:
            self._stamp_ns, self._started = self._system_ns(), True
        due = self._stamp_ns + self.period_ns
        if self._kind == "real":
            lag = self._system_ns() - due
            if abs(lag) > MAX_LAG_NS:
                self.skipped_ns += max(lag, 0)
                due += lag
        wait(due)
        self._stamp_ns = due
        return due


def checked_command(spec: RobotSpec, command: JointCommand) -> JointCommand:
    """Return a copy of ``command`` that owns its arrays, if each is one finite number per joint.

    Raises:
        RobotError: names the array, its shape or the joints, and what would be valid.
    """
    shape = (len(spec.joint_names),)
    arrays: dict[str, Any] = {}
    for key in ("joint_pos", "joint_vel", "joint_effort", "stiffness", "damping"):
        values = getattr(command, key)
        if np.shape(values) != shape:
            raise RobotError(expected(f"command: {key}", f"shape {np.shape(values)}", f"shape {shape}"))
        finite = np.isfinite(values)
        if not finite.all():
            bad = ", ".join(name for name, good in zip(spec.joint_names, finite, strict=True) if not good)
            raise RobotError(expected(f"command: {key}", f"not finite for {bad}", "finite numbers"))
        arrays[key] = owned(values)
    return replace(command, **arrays)
