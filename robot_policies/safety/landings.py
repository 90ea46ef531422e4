"""The trips, and which landing each (trip, mode) may map to.

A safety file states a landing for every trip in every mode. What it may state is fixed here: a stiff landing (``sit``,
``hold``) stands on the measured state, the tilt and the motors, so a trip that makes one of them untrustworthy, or a
landing that trips itself, leaves only damping.
"""

from __future__ import annotations

from collections.abc import Mapping

from robot_policies.exceptions import SchemaError, expected
from robot_policies.types import Mode

DAMPING, SIT, HOLD, NONE = "damping", "sit", "hold", "none"
ESTOP = "estop"  # the one trip that an operator asks for

TRIPS: Mapping[str, str] = {
    ESTOP: "the operator's emergency stop",
    "robot": "the robot cannot be read or written",
    "state_invalid": "a state with a value that is not finite, of the wrong size, or no rotation",
    "state_age": "the newest state is too old, or from the future",
    "state_gap": "states were missed",
    "state_frozen": "an IMU that says the same, bit for bit, for too long",
    "clock": "a clock went backward, stood still or jumped",
    "tilt": "the base leans too far for too long",
    "joint_pos": "a measured joint position beyond its limits for too long",
    "joint_vel": "a measured joint velocity over its limit for too long",
    "clamping": "a joint's target was clamped for too many cycles on end",
    "command_age": "no accepted command of the lease holder for too long",
    "command_invalid": "a command of the lease holder that is not finite or of the wrong size or names",
    "policy": "the lease holder reported an error of its own, or an input that it lost",
    "rival": "somebody else commands the motors, or may",
    "motor_lost": "a motor lost too many packets in a short time",
    "motor_error": "a motor reports an error code for too long",
    "motor_temperature": "a motor is too hot for too long",
    "battery": "the battery is nearly empty",
}

UNTRUSTWORTHY = frozenset(
    {
        *("estop", "robot", "state_invalid", "state_age", "state_gap", "clock", "tilt", "joint_pos", "joint_vel"),
        *("state_frozen", "rival", "motor_lost", "motor_error"),
    }
)

Landings = Mapping[tuple[str, Mode], str]


def valid_landings(trip: str, mode: Mode) -> tuple[str, ...]:
    """Return the landings that a safety file may state for ``trip`` in ``mode``."""
    if mode is Mode.DISARMED:
        return (NONE,)  # nothing is written before the robot is armed, so there is nothing to land
    if trip in UNTRUSTWORTHY or mode in (Mode.DAMPING, Mode.LANDING):
        return (DAMPING,)  # a limp robot must not stiffen by itself, and a landing that trips falls to damping
    return (DAMPING, SIT, HOLD)


def check_landings(table: Mapping[str, Mapping[str, str]], where: str) -> Landings:
    """Return ``table`` (trip -> mode -> landing) by (trip, mode).

    Raises:
        SchemaError: one line per trip, mode or landing that is unknown, missing or not allowed.
    """
    modes = {mode.value: mode for mode in Mode}
    faults = _keys("trips", set(table), set(TRIPS))
    landings: dict[tuple[str, Mode], str] = {}
    for trip in TRIPS.keys() & table.keys():
        faults += _keys(f"modes of {trip}", set(table[trip]), set(modes))
        for name in modes.keys() & table[trip].keys():
            landing, valid = table[trip][name], valid_landings(trip, modes[name])
            if landing not in valid:
                faults.append(expected(f"landing of {trip} in {name}", repr(landing), valid))
            landings[trip, modes[name]] = landing
    if faults:
        raise SchemaError("\n".join(f"{where}: landings: {fault}" for fault in sorted(faults)))
    return landings


def _keys(what: str, found: set[str], valid: set[str]) -> list[str]:
    if found == valid:
        return []
    unknown, missing = ", ".join(sorted(found - valid)) or "none", ", ".join(sorted(valid - found)) or "none"
    return [expected(f"all {what}", f"unknown: {unknown}; missing: {missing}", sorted(valid))]
