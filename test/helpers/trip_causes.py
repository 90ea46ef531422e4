"""What makes each trip of the safety file fire, as it would on a robot: states, clocks, silence, commands, health."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from helpers import safety as kit
from helpers.safety import MS, Bench

from robot_policies.safety.state_machine import Request
from robot_policies.types import Battery, Mode, RobotHealth, owned

NAN = float("nan")
Cause = Callable[[Bench], None]


def with_nan(bench: Bench) -> None:
    bench.cycle(joint_vel=kit.poisoned(owned(np.zeros(12)), 7, NAN))


def too_old(bench: Bench) -> None:
    bench.now += kit.STATE_AGE - kit.CYCLE + 1  # the gap stays below its own limit
    bench.cycle(age_ns=kit.STATE_AGE + 1)


def from_the_future(bench: Bench) -> None:
    bench.cycle(age_ns=-kit.FUTURE - 1)


def missed(bench: Bench) -> None:
    bench.now += kit.STATE_GAP - kit.CYCLE + 1
    bench.cycle()


def state_twice(bench: Bench) -> None:
    bench.cycle(age_ns=kit.CYCLE)


def back(bench: Bench) -> None:
    bench.now -= 2 * kit.CYCLE
    bench.cycle(age_ns=-2)


def stepped(bench: Bench) -> None:
    bench.cycle(monotonic_ns=1)
    bench.now += 60 * MS
    bench.cycle(monotonic_ns=1 + kit.CYCLE)


def leaning(bench: Bench) -> None:
    for _ in range(kit.TILT_TIME // kit.CYCLE + 1):
        bench.cycle(base_quat_wxyz=kit.tilted(1.2))
        bench.command()


def frozen(bench: Bench) -> None:
    """New joints, old IMU."""
    for k in range(kit.FROZEN // kit.CYCLE + 2):
        bench.cycle(base_lin_acc=owned([0.1, 0.2, 9.7]), joint_vel=owned(np.full(12, 0.01 * (k % 2))))
        bench.command()


def spinning(bench: Bench) -> None:
    for _ in range(kit.JOINT_VEL_TIME // kit.CYCLE + 1):
        bench.cycle(joint_vel=kit.poisoned(owned(np.zeros(12)), 2, -31.0))


def overstretched(bench: Bench) -> None:
    for _ in range(kit.STRAY_TIME // kit.CYCLE + 1):
        bench.cycle(joint_pos=kit.poisoned(owned(kit.STAND), 11, -0.7))
        bench.command()


def unreadable(bench: Bench) -> None:
    bench.step.cycle_without_state("no answer for 0.1 s", bench.now)


def stopped(bench: Bench) -> None:
    assert bench.ask(Request.ESTOP).ok


def outside(name: str) -> Cause:
    def from_outside(bench: Bench) -> None:
        bench.step.trip(name, "told by the node", bench.now)

    return from_outside


def wild(bench: Bench) -> None:
    """Ask for a target far away until clamping trips."""
    bench.walk(kit.CLAMP_CYCLES + 4, joint_pos=kit.poisoned(owned(kit.STAND), 3, 50.0))


def silent(bench: Bench) -> None:
    """Command for longer than the grace, and then no more."""
    bench.walk(kit.GRACE // kit.CYCLE)
    bench.cycles(kit.COMMAND_AGE // kit.CYCLE + 4)


def not_a_number(bench: Bench) -> None:
    bench.command(joint_pos=kit.poisoned(owned(kit.STAND), 3, NAN))


def gives_up(bench: Bench) -> None:
    assert bench.step.release_lease("policy_node", bench.now, "the network answered NaN").ok


def ill(health: RobotHealth, cycles: int) -> Cause:
    def cause(bench: Bench) -> None:
        for _ in range(cycles):
            bench.cycle(health=health)
            bench.command()

    return cause


def deaf(bench: Bench) -> None:
    """One motor loses every packet."""
    for k in range(5):
        lost = kit.poisoned(owned(np.zeros(12)), 4, 20.0 * k)
        bench.cycle(health=RobotHealth(motor_lost=lost))


RIVAL = RobotHealth(rival="commands of a stranger")
HOT = RobotHealth(motor_temperature=kit.poisoned(owned(np.full(12, 40.0)), 4, 120.0))
FAULTY = RobotHealth(motor_error=kit.poisoned(owned(np.zeros(12)), 4, 3.0))
EMPTY = RobotHealth(battery=Battery(0.02, 25.0, -2.0, 30.0))

# What a state, a clock, an operator or the robot itself can do in every mode.
ANYWHERE: list[tuple[str, Cause]] = [
    ("state_invalid", with_nan),
    ("state_age", too_old),
    ("state_age", from_the_future),
    ("state_gap", missed),
    ("clock", state_twice),
    ("clock", back),
    ("clock", stepped),
    ("state_frozen", frozen),
    ("tilt", leaning),
    ("joint_vel", spinning),
    ("joint_pos", overstretched),
    ("robot", unreadable),
    ("estop", stopped),
    *((name, outside(name)) for name in kit.HARD + kit.SOFT_TRIPS),
]
# What can happen only to the one who commands.
ACTIVE: list[tuple[str, Cause]] = [
    ("clamping", wild),
    ("command_age", silent),
    ("command_invalid", not_a_number),
    ("policy", gives_up),
]
# What hardware tells: before the robot is armed it refuses to arm, and is no trip.
ARMED: list[tuple[str, Cause]] = [
    ("rival", ill(RIVAL, 1)),
    ("motor_temperature", ill(HOT, kit.MOTOR_HEAT_TIME // kit.CYCLE + 1)),
    ("battery", ill(EMPTY, kit.CHARGE_TIME // kit.CYCLE + 1)),
    ("motor_lost", deaf),
    ("motor_error", ill(FAULTY, kit.MOTOR_ERROR_TIME // kit.CYCLE + 1)),
]
CASES: list[tuple[str, Cause, Mode]] = [
    *((trip, cause, mode) for trip, cause in ANYWHERE for mode in Mode),
    *((trip, cause, Mode.ACTIVE) for trip, cause in ACTIVE),
    *((trip, cause, mode) for trip, cause in ARMED for mode in Mode if mode is not Mode.DISARMED),
]
