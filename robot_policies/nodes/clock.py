"""The clocks of a robot node. No ROS in here, so that a bring-up can be judged before anything starts."""

from __future__ import annotations

import math
from typing import get_args

from robot_policies.exceptions import ResourceError, expected
from robot_policies.robots.cycle import ClockKind

CLOCKS: tuple[str, ...] = get_args(ClockKind)


def check_clock(clock: str, speed: float) -> None:
    """Accept the parameters ``clock`` and ``speed`` [simulated seconds per second] of a robot node.

    Raises:
        ResourceError: there is no such clock, or the speed is negative or not finite.
    """
    if clock not in CLOCKS:
        raise ResourceError(expected("parameter clock", clock, CLOCKS))
    if not 0.0 <= speed < math.inf:  # so written that NaN is refused
        raise ResourceError(expected("parameter speed", speed, "0 (as fast as it goes) or more"))
