"""An IMU that repeats itself bit for bit, and one that only seems to. Time is made by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from helpers import safety as kit
from helpers.state_faults import CYCLES_OF_TILT, T0, last_of, names

from robot_policies.safety.limits import NEVER
from robot_policies.safety.state_check import StateCheck
from robot_policies.types import owned

ONE_READING = {"base_ang_vel": owned([0.1, 0.2, 0.3]), "base_lin_acc": owned([0.0, 0.1, 9.81])}


def frozen_run(count: int, limits: object = None, **parts: Callable[[int], float]) -> list[list[str]]:
    """Show one reading of the IMU ``count`` times, but for what ``parts`` add to the x of each; return all faults."""
    check = StateCheck(limits or kit.go2_limits())
    found = []
    for k in range(count):
        imu = {name: owned(values + [parts.get(name, lambda _: 0.0)(k), 0, 0]) for name, values in ONE_READING.items()}
        rest = {  # goes on meanwhile: the motors, the feet, and what a filter makes of an IMU that hangs
            "joint_effort": owned(np.full(12, 0.001 * k)),
            "foot_force": owned(np.full(4, 30.0 + 0.001 * k)),
            "base_quat_wxyz": owned([math.cos(0.001 * k), 0.0, 0.0, math.sin(0.001 * k)]),
        }
        state = kit.state(T0 + k * kit.CYCLE, **rest, **imu)
        found.append(names(check(state, T0 + k * kit.CYCLE)))
    return found


def test_an_imu_that_repeats_itself_is_told_after_its_time() -> None:
    """The second of two equal readings begins the time."""
    cycles = kit.FROZEN // kit.CYCLE + 1
    assert frozen_run(cycles + 3) == [[]] * cycles + [["state_frozen"]] * 3
    (fault,) = last_of(cycles + 1, **ONE_READING)
    assert fault == ("state_frozen", "the IMU repeats one reading bit for bit; limit 0.1 s")


@pytest.mark.parametrize("sensor", sorted(ONE_READING))
def test_either_sensor_that_goes_on_is_enough(sensor: str) -> None:
    """The last bit is, too: that much an IMU at rest trembles at least."""
    assert frozen_run(60, **{sensor: lambda k: np.spacing(0.1) * (k % 2)}) == [[]] * 60


@pytest.mark.parametrize("sensor", sorted(ONE_READING))
def test_an_imu_that_is_slower_than_the_states_is_none_that_hangs(sensor: str) -> None:
    per = kit.FROZEN // kit.CYCLE  # states to a reading: a tenth of a second
    assert frozen_run(4 * per, **{sensor: lambda k: 0.01 * (k // per)}) == [[]] * 4 * per
    found = frozen_run(4 * per + 8, **{sensor: lambda k: 0.01 * (k // (per + 2))})
    assert found.count(["state_frozen"]) == 4  # once per reading, and gone with the next


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sensor", sorted(ONE_READING))
def test_every_axis_of_the_imu_counts(sensor: str, axis: int) -> None:
    check = StateCheck(kit.go2_limits())
    for k in range(60):
        reading = kit.poisoned(ONE_READING[sensor], axis, 0.5 + 0.001 * (k % 2))
        assert check(kit.state(T0 + k * kit.CYCLE, **{**ONE_READING, sensor: reading}), T0 + k * kit.CYCLE) == ()


def test_where_the_file_says_so_an_imu_may_repeat_itself() -> None:
    assert frozen_run(200, dataclasses.replace(kit.go2_limits(), frozen_ns=NEVER)) == [[]] * 200


def test_a_frozen_robot_that_leans_is_told_both() -> None:
    faults = last_of(CYCLES_OF_TILT + 2, base_quat_wxyz=kit.tilted(1.2), **ONE_READING)
    assert names(faults) == ["state_frozen", "tilt"]
