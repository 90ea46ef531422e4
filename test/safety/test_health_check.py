"""What hardware tells beside its state: each limit at, just below and over, through the check and the whole step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import MS, Bench

from robot_policies.safety.health_check import HealthCheck
from robot_policies.safety.limits import NEVER, load_safety
from robot_policies.safety.state_machine import Request, StateMachine
from robot_policies.types import Battery, Mode, RobotHealth, owned

NAN = float("nan")
STEP = 2 * MS


def heated(value: float, joint: int = 4) -> RobotHealth:
    return RobotHealth(motor_temperature=kit.poisoned(owned(np.full(12, 40.0)), joint, value))


def charged(value: float) -> RobotHealth:
    return RobotHealth(battery=Battery(value, 29.0, -2.0, 30.0))


def lost(count: float, joint: int = 4) -> RobotHealth:
    return RobotHealth(motor_lost=kit.poisoned(owned(np.full(12, 1000.0)), joint, 1000.0 + count))


def failed(code: float, joint: int = 4) -> RobotHealth:
    return RobotHealth(motor_error=kit.poisoned(owned(np.zeros(12)), joint, code))


def first_fault(
    health: Callable[[int], RobotHealth], limit_ns: int = 10_000 * MS
) -> tuple[int, tuple[str, str]] | None:
    """Return after which time [ns] a fault comes, with it."""
    check = HealthCheck(kit.go2_limits())
    for now in range(0, limit_ns, STEP):
        faults = check(health(now), now)
        if faults:
            assert len(faults) == 1
            return now, faults[0]
    return None


def test_the_limits_are_the_restated_ones() -> None:
    limits = load_safety("go2", kit.go2()).health
    assert limits is not None
    assert set(limits.motor_temperature) == {kit.MOTOR_HEAT}
    assert (
        limits.motor_temperature_ns,
        limits.motor_lost,
        limits.motor_lost_ns,
        limits.motor_error_ns,
        limits.battery,
        limits.battery_ns,
    ) == (
        kit.MOTOR_HEAT_TIME,
        kit.MOTOR_LOST,
        kit.MOTOR_LOST_TIME,
        kit.MOTOR_ERROR_TIME,
        kit.CHARGE,
        kit.CHARGE_TIME,
    )


def test_a_healthy_robot_has_no_faults() -> None:
    battery = Battery(0.1, 25.0, -5.0, 60.0)
    everything = RobotHealth(
        owned(np.full(12, 85.0)), owned(np.full(12, 7.0)), battery, motor_error=owned(np.zeros(12))
    )
    assert first_fault(lambda _: everything) is None
    assert first_fault(lambda _: RobotHealth()) is None


def test_a_hot_motor_is_a_fault_after_its_time() -> None:
    found = first_fault(lambda _: heated(86.0))
    assert found == (kit.MOTOR_HEAT_TIME, ("motor_temperature", "FL_thigh_joint 86 deg C; limit 85"))
    assert first_fault(lambda now: heated(86.0 if now % (48 * MS) else 85.0)) is None  # never for long enough
    assert first_fault(lambda _: heated(NAN)) is not None


def test_one_wrong_reading_of_a_temperature_is_no_fault() -> None:
    assert first_fault(lambda now: heated(255.0 if now == 100 * MS else 40.0)) is None
    assert first_fault(lambda now: heated(255.0) if now % (40 * MS) else RobotHealth()) is None


def test_an_error_code_is_a_fault_after_its_time() -> None:
    assert first_fault(lambda _: failed(3.0)) == (
        kit.MOTOR_ERROR_TIME, ("motor_error", "error codes: FL_thigh_joint 3; limit 0")
    )  # fmt: skip
    assert first_fault(lambda now: failed(3.0 if now % (48 * MS) else 0.0)) is None  # never for long enough
    assert first_fault(lambda now: failed(3.0) if now % (48 * MS) else RobotHealth()) is None
    two = RobotHealth(motor_error=kit.poisoned(failed(7.0).motor_error, 0, 1.0))  # type: ignore[arg-type]
    found = first_fault(lambda _: two)
    assert found is not None and found[1][1] == "error codes: FR_hip_joint 1, FL_thigh_joint 7; limit 0"


def test_where_codes_are_something_else_they_trip_nothing() -> None:
    limits = kit.go2_limits()
    assert limits.health is not None
    check = HealthCheck(kit.with_limits(health=dataclasses.replace(limits.health, motor_error_ns=NEVER)))
    assert [check(failed(3.0), now) for now in (0, 60_000 * MS)] == [(), ()]


def test_an_empty_battery_is_a_fault_after_its_time() -> None:
    assert first_fault(lambda _: charged(0.09)) == (kit.CHARGE_TIME, ("battery", "9% left; limit 10%"))
    assert first_fault(lambda _: charged(0.10)) is None
    assert first_fault(lambda _: charged(NAN)) is not None


def test_lost_packets_count_over_their_window_only() -> None:
    """The robot counts since it was switched on: what was lost before does not matter, nor what is lost slowly."""
    found = first_fault(lambda now: lost(51.0 if now >= 1_000 * MS else 0.0))
    assert found == (1_000 * MS, ("motor_lost", "FL_thigh_joint: 51 packets in 0.5 s; limit 50"))
    assert first_fault(lambda now: lost(50.0 if now >= 1_000 * MS else 0.0)) is None
    assert first_fault(lambda now: lost(now / MS * 0.099)) is None  # 49.5 in 0.5 s, for ten seconds
    steady = first_fault(lambda now: lost(now / MS * 0.11))
    assert steady is not None
    assert steady[1][0] == "motor_lost"
    assert first_fault(lambda now: lost(60.0) if now else RobotHealth()) is None  # nothing to compare the first with


def test_a_rival_is_a_fault_at_once_with_any_file() -> None:
    limits = kit.with_limits(health=None)
    check = HealthCheck(limits)
    assert check(RobotHealth(rival="a writer"), 0) == (("rival", "a writer"),)
    assert check(dataclasses.replace(heated(300.0), battery=Battery(0.0, 0.0, 0.0, 0.0)), MS) == ()
    assert check(None, 2 * MS) == ()


CAUSES = {
    "rival": RobotHealth(rival="commands of 10.0.0.7 stranger"),
    "motor_temperature": heated(120.0),
    "battery": charged(0.02),
    "motor_lost": lost(0.0),
    "motor_error": failed(3.0),
}


def sicken(bench: Bench, trip: str, cycles: int = 1100) -> None:
    """Run cycles with one cause until it trips."""
    for k in range(cycles):
        health = lost(20.0 * k) if trip == "motor_lost" else CAUSES[trip]
        bench.now += kit.CYCLE
        state = kit.state(bench.now, joint_pos=bench.pos)
        bench.record = bench.step.cycle(state, bench.now, None, health)
        bench.command()
        if trip in bench.names:
            return
    assert bench.mode is Mode.DISARMED, f"no {trip}"


@pytest.mark.parametrize("mode", [Mode.DAMPING, Mode.STAND, Mode.ACTIVE, Mode.LANDING])
@pytest.mark.parametrize("trip", sorted(CAUSES))
def test_each_trips_in_every_mode_and_lands_as_the_file_says(trip: str, mode: Mode) -> None:
    bench = Bench().to(mode)
    before = len(bench.step.trips)
    sicken(bench, trip)
    new = bench.step.trips[before]
    assert (new.name, new.mode, new.landing) == (trip, mode, kit.LANDINGS[trip, mode])
    assert bench.step.landing == kit.LANDINGS[trip, mode]


@pytest.mark.parametrize("trip", sorted(CAUSES))
def test_before_it_is_armed_each_is_a_refusal_and_no_trip(trip: str) -> None:
    bench = Bench()
    sicken(bench, trip)
    assert (bench.names, bench.record.safe) == ([], None)
    reply = bench.ask(Request.ARM)
    assert not reply.ok
    assert f"arm: a healthy state; found {trip}: " in reply.message
    assert bench.mode is Mode.DISARMED
    bench.cycle()
    assert bench.ask(Request.ARM).ok


def test_heat_that_lasts_lets_the_robot_sit_down_first() -> None:
    bench = Bench().active()
    sicken(bench, "motor_temperature")
    cycles = 0
    while bench.step.landing == "sit":
        bench.now += kit.CYCLE
        bench.step.cycle(kit.state(bench.now, joint_pos=bench.pos), bench.now, None, heated(120.0))
        cycles += 1
    assert cycles * kit.CYCLE >= 1_000 * MS  # the whole way, not one cycle
    assert bench.step.landing == "damping"
    assert bench.names == ["motor_temperature"]
    assert "the cause is gone; found motor_temperature" in bench.ask(Request.RESET).message
    bench.cycle()
    assert bench.ask(Request.RESET).ok


def test_a_lasting_cause_trips_once_and_a_new_one_still_softens() -> None:
    machine = StateMachine(kit.LANDINGS)
    machine.request(Request.ARM, (), 0)
    machine.request(Request.STAND, (), 0)
    for now in range(5):
        machine.trip("motor_temperature", "hot", now, lasting=True)
    assert (machine.landing, len(machine.trips)) == ("sit", 1)
    machine.trip("rival", "a writer", 6, lasting=True)
    assert (machine.landing, len(machine.trips)) == ("damping", 2)


def test_all_hot_motors_are_named() -> None:
    hot = RobotHealth(motor_temperature=kit.poisoned(owned(np.array([90.0] + [40.0] * 11)), 5, 99.0))
    found = first_fault(lambda _: hot)
    assert found is not None
    assert found[1] == ("motor_temperature", "FR_hip_joint 90 deg C, FL_calf_joint 99 deg C; limit 85")


def test_the_window_of_lost_packets_holds_both_of_its_ends() -> None:
    for window, counted in ((kit.MOTOR_LOST_TIME, True), (kit.MOTOR_LOST_TIME + 1, False)):
        check = HealthCheck(kit.go2_limits())
        assert check(lost(0.0), 7) == ()
        assert bool(check(lost(51.0), 7 + window)) is counted
