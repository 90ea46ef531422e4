"""What must hold for a robot beside its state: cool motors that hear it, a battery, and nobody else who commands."""

from __future__ import annotations

from collections import deque

import numpy as np

from robot_policies.safety.limits import SECOND, HealthLimits, SafetyLimits
from robot_policies.safety.state_check import Fault, Sustained
from robot_policies.types import Array, RobotHealth


class HealthCheck:
    """Checks the health that belongs to each state, in order. What a robot cannot tell is not checked."""

    def __init__(self, limits: SafetyLimits) -> None:
        """Take the limits of the robot; without ``health`` in its safety file only a rival is a fault."""
        self._names, self._limits = limits.joint_names, limits.health
        known = limits.health
        self._hot = Sustained(0 if known is None else known.motor_temperature_ns)
        self._broken = Sustained(0 if known is None else known.motor_error_ns)
        self._flat = Sustained(0 if known is None else known.battery_ns)
        self._lost: deque[tuple[int, Array]] = deque()  # stamp, packets lost until then; over the last window

    def __call__(self, health: RobotHealth | None, stamp_ns: int) -> tuple[Fault, ...]:
        """Return the faults of ``health`` at ``stamp_ns``; none means that the robot can be used."""
        if health is None:
            return ()
        faults = [("rival", health.rival)] if health.rival else []
        if self._limits is not None:
            faults += self._temperature(health.motor_temperature, self._limits, stamp_ns)
            faults += self._packets(health.motor_lost, self._limits, stamp_ns)
            faults += self._errors(health.motor_error, stamp_ns)
            charge = 1.0 if health.battery is None else health.battery.charge
            if self._flat(not charge >= self._limits.battery, stamp_ns):
                faults.append(("battery", f"{charge:.0%} left; limit {self._limits.battery:.0%}"))
        return tuple(faults)

    def _temperature(self, measured: Array | None, limits: HealthLimits, stamp_ns: int) -> list[Fault]:
        if measured is None:
            self._hot(False, stamp_ns)
            return []
        hot = ~(measured <= limits.motor_temperature)  # a number that is none is hot
        if not self._hot(bool(hot.any()), stamp_ns):
            return []
        named = ", ".join(f"{self._names[i]} {measured[i]:.0f} deg C" for i in np.flatnonzero(hot))
        return [("motor_temperature", f"{named}; limit {limits.motor_temperature[np.flatnonzero(hot)[0]]:g}")]

    def _errors(self, codes: Array | None, stamp_ns: int) -> list[Fault]:
        wrong = np.flatnonzero(() if codes is None else codes)
        if not self._broken(len(wrong) > 0, stamp_ns) or codes is None:
            return []
        named = ", ".join(f"{self._names[i]} {codes[i]:.0f}" for i in wrong)
        return [("motor_error", f"error codes: {named}; limit 0")]

    def _packets(self, counts: Array | None, limits: HealthLimits, stamp_ns: int) -> list[Fault]:
        if counts is None:
            self._lost.clear()
            return []
        self._lost.append((stamp_ns, counts))
        while self._lost[0][0] < stamp_ns - limits.motor_lost_ns:
            self._lost.popleft()
        fresh = counts - self._lost[0][1]
        worst = int(np.argmax(fresh))
        if not fresh[worst] > limits.motor_lost:
            return []
        seconds = limits.motor_lost_ns / SECOND
        return [
            (
                "motor_lost",
                f"{self._names[worst]}: {fresh[worst]:.0f} packets in {seconds:g} s; limit {limits.motor_lost}",
            )
        ]
