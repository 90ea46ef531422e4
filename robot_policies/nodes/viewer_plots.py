"""The last seconds of joint targets and joint positions, in bounded memory. No ROS and no page here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from robot_policies.types import Array

SPAN = 4.0  # [s] that a plot shows: eight strides or more
RATE = 50.0  # [Hz] of the samples: that of the policies here
KEPT = round(SPAN * RATE)
CHARTS = 3  # plots at a time: hip, thigh and calf of a leg
NEARLY = 0.9  # share of a period after which the next sample is due: stamps are not exact


class JointHistory:
    """Samples of one robot's joints: a ring per joint."""

    def __init__(self, names: Sequence[str]) -> None:
        """Keep ``SPAN`` seconds of these joints."""
        self.names = tuple(names)
        self._column = {name: i for i, name in enumerate(self.names)}
        self._times = np.full(KEPT, np.nan)
        self._values = np.full((2, KEPT, len(self.names)), np.nan)  # target, position
        self._next = 0

    @property
    def newest(self) -> float:
        """Time of the newest sample [s], NaN before the first."""
        return float(self._times[self._next - 1])

    def is_due(self, now: float) -> bool:
        """Return whether the next sample is due at ``now`` [s]; also where the clock went back."""
        return not 0.0 <= now - self.newest < NEARLY / RATE

    def add(self, now: float, target: Mapping[str, float], position: Mapping[str, float]) -> None:
        """Take a sample at ``now`` [s]; a joint that is not named has none [rad]."""
        if now < self.newest:
            self._times[:] = np.nan  # of a clock that is gone
        self._times[self._next] = now
        for row, values in enumerate((target, position)):
            self._values[row, self._next] = [values.get(name, np.nan) for name in self.names]
        self._next = (self._next + 1) % KEPT

    def of(self, name: str) -> tuple[Array, Array, Array]:
        """Return times before the newest sample [s], targets and positions [rad] of one joint, oldest first."""
        order = np.roll(np.arange(KEPT), -self._next)
        times = self._times[order] - self.newest
        order, times = order[shown := times > -SPAN], times[shown]
        target, position = self._values[:, order, self._column[name]]
        return times, target, position


def groups(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what can be plotted together, by label: the joints of a leg or an arm, at most ``CHARTS``, and each alone.

    Joints belong together by the first word of their names: ``FR_hip_joint`` is the FR's.
    """
    limbs: dict[str, list[str]] = {}
    for name in names:
        limbs.setdefault(name.partition("_")[0], []).append(name)
    found: dict[str, tuple[str, ...]] = {}
    for limb, joints in limbs.items():
        for start in range(0, len(joints), CHARTS):
            part = tuple(joints[start : start + CHARTS])
            if len(part) > 1:
                words = ", ".join(name.removeprefix(f"{limb}_").removesuffix("_joint") for name in part)
                found[f"{limb}: {words}"] = part
    return found | {name: (name,) for name in names}
