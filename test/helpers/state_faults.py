"""States shown to the check of states by hand, and the faults that it tells of them."""

from __future__ import annotations

from helpers import safety as kit

from robot_policies.safety.state_check import Fault, StateCheck

T0 = 1_000 * kit.MS


def check_once(**changes: object) -> tuple[Fault, ...]:
    return StateCheck(kit.go2_limits())(kit.state(T0, **changes), T0)


def names(faults: tuple[Fault, ...]) -> list[str]:
    return [name for name, _ in faults]


def last_of(count: int, limits: object = None, **changes: object) -> tuple[Fault, ...]:
    """Show the same state ``count`` times, 5 ms apart, and return the faults of the last."""
    check = StateCheck(limits or kit.go2_limits())
    faults: tuple[Fault, ...] = ()
    for k in range(count):
        faults = check(kit.state(T0 + k * kit.CYCLE, **changes), T0 + k * kit.CYCLE)
    return faults


CYCLES_OF_TILT = kit.TILT_TIME // kit.CYCLE  # the first state begins the time
