"""Heat in the motors and charge in the battery: first-order models with stated constants, all of them estimates.

Unitree publishes none. A Go2 in public recordings shows 30 to 49 deg C at its motors, standing and lying.
"""

from __future__ import annotations

import numpy as np

from robot_policies.types import Array

AMBIENT = 30.0  # [deg C], at power-on: the coolest motor of those recordings
RISE = 400.0  # [K] above ambient that peak torque would lead to for ever: 45 K at a third of it
TIME_CONSTANT = 300.0  # [s]
CAPACITY = 8.0 * 28.8  # [W h], the standard battery: 8000 mAh at 28.8 V nominal (data sheet)
FULL, EMPTY = 33.6, 24.0  # [V], eight lithium cells at 4.2 and 3.0 V
IDLE = 60.0  # [W], computers and motors at rest; 2 to 4 h of the data sheet standing
COPPER = 250.0  # [W] lost in a motor at peak torque


class Motors:
    """Temperatures of the motors: ``T' = (RISE (torque / peak)^2 - (T - AMBIENT)) / TIME_CONSTANT``."""

    def __init__(self, peak: Array) -> None:
        """Start at ambient; ``peak`` torques [N m]."""
        self._peak = peak
        self.temperature: Array = np.full(len(peak), AMBIENT)

    def step(self, torque: Array, seconds: float) -> float:
        """Let ``torque`` [N m] act for ``seconds`` and return what the windings burn [W]."""
        load = (torque / self._peak) ** 2
        self.temperature += (RISE * load - (self.temperature - AMBIENT)) * (seconds / TIME_CONSTANT)
        return float(load.sum()) * COPPER


class Battery:
    """A store that only empties."""

    def __init__(self, charge: float = 0.9) -> None:
        """Start with a ``charge`` of 0 to 1."""
        self.charge = charge
        self.current = 0.0  # [A] drawn

    def step(self, heat: float, torque: Array, speed: Array, seconds: float) -> None:
        """Draw what the motors burn and do, and what the rest needs, for ``seconds``."""
        work = float(np.maximum(torque * speed, 0.0).sum())  # braking gives nothing back: an assumption
        power = IDLE + heat + work
        self.current = power / self.voltage
        self.charge = max(self.charge - power * seconds / (3600.0 * CAPACITY), 0.0)

    @property
    def voltage(self) -> float:
        """Voltage [V], linear in the charge."""
        return EMPTY + (FULL - EMPTY) * self.charge
