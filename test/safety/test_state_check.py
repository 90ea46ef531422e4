"""Every value of a state, at and around every limit. Time is made by hand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from helpers import safety as kit
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_policies.safety.limits import NEVER
from robot_policies.safety.state_check import Fault, StateCheck, Sustained, finite
from robot_policies.types import owned

T0 = 1_000 * kit.MS
EPS = 1e-9


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


def test_a_healthy_state_has_no_fault() -> None:
    assert check_once() == ()
    assert check_once(base_lin_vel=None) == ()
    assert last_of(100) == ()


@pytest.mark.parametrize("bad", kit.BAD)
@pytest.mark.parametrize("field", kit.STATE_ARRAYS)
def test_every_entry_must_be_finite(field: str, bad: float) -> None:
    values = getattr(kit.state(), field)
    for index in range(kit.STATE_ARRAYS[field]):
        faults = check_once(**{field: kit.poisoned(values, index, bad)})
        assert names(faults) == ["state_invalid"]
        assert field in faults[0][1]


@pytest.mark.parametrize("field", kit.STATE_ARRAYS)
def test_every_array_must_have_its_size(field: str) -> None:
    size = kit.STATE_ARRAYS[field]
    for wrong in (np.ones(size - 1), np.ones(size + 1), np.ones((1, size)), np.ones(0), np.ones(())):
        faults = check_once(**{field: wrong})
        assert names(faults) == ["state_invalid"]
        assert field in faults[0][1]


@pytest.mark.parametrize(("norm", "ok"), [(0.951, True), (0.949, False), (1.049, True), (1.051, False), (0.0, False)])
def test_a_rotation_has_norm_one(norm: float, ok: bool) -> None:
    for quaternion in ([norm, 0, 0, 0], [0.6 * norm, 0, 0, 0.8 * norm]):
        assert (check_once(base_quat_wxyz=owned(quaternion)) == ()) is ok


def test_an_invalid_state_hides_nothing_about_its_stamp() -> None:
    bad = kit.state(T0, joint_pos=kit.poisoned(owned(kit.STAND), 3, float("nan")))
    faults = StateCheck(kit.go2_limits())(bad, T0 + kit.STATE_AGE + 1)
    assert names(faults) == ["state_age", "state_invalid"]
    assert "joint_pos: not finite" in faults[1][1]


@pytest.mark.filterwarnings("error")
def test_finite() -> None:
    assert finite(np.array([1e150, -1e150, 0.0]))
    assert finite(np.zeros(0))
    for bad in kit.BAD:
        assert not finite(np.array([0.0, bad]))
    assert not finite(np.array([float("inf"), float("-inf")]))


@pytest.mark.parametrize(
    ("age", "fault"),
    [
        (0, None),
        (kit.STATE_AGE - 1, None),
        (kit.STATE_AGE, None),
        (kit.STATE_AGE + 1, "state_age"),
        (10**12, "state_age"),
        (-1, None),
        (-kit.FUTURE, None),
        (-kit.FUTURE - 1, "state_age"),
        (-(10**12), "state_age"),
    ],
)
def test_age(age: int, fault: str | None) -> None:
    faults = StateCheck(kit.go2_limits())(kit.state(T0), T0 + age)
    assert names(faults) == ([] if fault is None else [fault])


def test_ages_and_gaps_are_told() -> None:
    check = StateCheck(kit.go2_limits())
    assert check(kit.state(T0), T0 + 250 * kit.MS) == (("state_age", "0.250 s old; limit 0.1 s"),)
    assert check(kit.state(T0 + 300 * kit.MS), T0 + 292 * kit.MS) == (
        ("state_age", "0.008000 s in the future; limit 0.005 s"),
        ("state_gap", "0.300 s between two states; limit 0.1 s"),
    )
    assert check(kit.state(T0 + 296 * kit.MS), T0 + 296 * kit.MS) == (
        ("clock", "state stamped 0.004000 s before the previous one, or with its stamp"),
    )
    assert check(kit.state(T0 + 297 * kit.MS), T0 + 290 * kit.MS)[0] == (
        "clock",
        "the robot's clock went back by 0.006000 s",
    )


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (1, []),
        (kit.CYCLE, []),
        (kit.STATE_GAP, []),
        (kit.STATE_GAP + 1, ["state_gap"]),
        (0, ["clock"]),
        (-1, ["clock"]),
        (-(10**10), ["clock"]),
    ],
)
def test_gap_between_two_states(gap: int, expected: list[str]) -> None:
    check = StateCheck(kit.go2_limits())
    now = T0 + 10**11
    loose = dataclasses.replace(kit.go2_limits(), state_age_ns=10**12)
    check = StateCheck(loose)
    assert check(kit.state(T0), now) == ()
    assert names(check(kit.state(T0 + gap), now)) == expected
    # What a step left behind is the new reference: the next state in order is healthy again.
    assert check(kit.state(T0 + gap + kit.CYCLE), now) == ()


def test_a_clock_that_goes_back_is_seen() -> None:
    check = StateCheck(kit.go2_limits())
    assert check(kit.state(T0), T0 + 10) == ()
    assert check(kit.state(T0 + 5), T0 + 10) == ()  # standing still between two calls is no step back
    faults = check(kit.state(T0 + 6), T0 + 9)
    assert names(faults) == ["clock"]


@pytest.mark.parametrize("step", [kit.CLOCK_STEP, kit.CLOCK_STEP + 1, -kit.CLOCK_STEP, -kit.CLOCK_STEP - 1])
def test_a_clock_that_steps_against_the_monotonic_one_is_seen(step: int) -> None:
    check = StateCheck(kit.go2_limits())
    passed = 60 * kit.MS
    assert check(kit.state(T0), T0, 7) == ()
    faults = check(kit.state(T0 + passed), T0 + passed, 7 + passed - step)
    assert names(faults) == (["clock"] if abs(step) > kit.CLOCK_STEP else [])
    if faults:
        assert f"stepped by {step / 1e9:.6f} s" in faults[0][1]
        assert check(kit.state(T0 + 2 * passed), T0 + 2 * passed, 7 + 2 * passed - step) == ()


def test_without_a_monotonic_clock_there_is_nothing_to_compare() -> None:
    check = StateCheck(kit.go2_limits())
    for k, monotonic in enumerate((None, 5, None, 10**15, None)):
        now = T0 + k * kit.CYCLE
        assert check(kit.state(now), now, monotonic) == ()


CYCLES_OF_TILT = kit.TILT_TIME // kit.CYCLE  # the first state begins the time


@pytest.mark.parametrize("axis", [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.6, -0.8)])
@pytest.mark.parametrize(
    ("angle", "trips"),
    [(0.0, False), (kit.TILT - EPS, False), (kit.TILT + EPS, True), (1.5, True), (math.pi / 2, True), (math.pi, True)],
)
def test_tilt(angle: float, trips: bool, axis: tuple[float, float]) -> None:
    quaternion = kit.tilted(angle, axis)
    faults = last_of(CYCLES_OF_TILT + 1, base_quat_wxyz=quaternion)
    assert names(faults) == (["tilt"] if trips else [])
    if trips:
        assert f"{angle:.2f} rad; limit 1 rad" in faults[0][1]


def test_turning_about_the_vertical_is_no_tilt() -> None:
    for yaw in (0.5, 2.0, math.pi):
        assert last_of(30, base_quat_wxyz=owned([math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)])) == ()


def test_tilt_does_not_depend_on_the_norm() -> None:
    for norm in (0.96, 1.04):
        for angle, trips in ((kit.TILT - 1e-6, False), (kit.TILT + 1e-6, True)):
            faults = last_of(CYCLES_OF_TILT + 1, base_quat_wxyz=owned(kit.tilted(angle) * norm))
            assert names(faults) == (["tilt"] if trips else [])


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


def sustained_cases() -> list[tuple[str, dict[str, object], int]]:
    fast, far = np.zeros(12), np.array(kit.STAND)
    fast[5], far[5] = 31.0, kit.UPPER[5] + kit.STRAY + 0.01
    return [
        ("tilt", {"base_quat_wxyz": kit.tilted(1.2)}, kit.TILT_TIME // kit.CYCLE),
        ("joint_vel", {"joint_vel": owned(fast)}, kit.JOINT_VEL_TIME // kit.CYCLE),
        ("joint_pos", {"joint_pos": owned(far)}, kit.STRAY_TIME // kit.CYCLE),
    ]


@pytest.mark.parametrize(("trip", "change", "cycles"), sustained_cases())
def test_a_limit_may_be_passed_for_its_duration_and_no_longer(
    trip: str, change: dict[str, object], cycles: int
) -> None:
    check = StateCheck(kit.go2_limits())
    seen = [check(kit.state(T0 + k * kit.CYCLE, **change), T0 + k * kit.CYCLE) for k in range(cycles + 3)]
    assert [names(faults) for faults in seen] == [[]] * cycles + [[trip]] * 3


@pytest.mark.parametrize(("trip", "change", "cycles"), sustained_cases())
def test_a_break_begins_the_duration_anew(trip: str, change: dict[str, object], cycles: int) -> None:
    check = StateCheck(kit.go2_limits())
    faults: list[tuple[Fault, ...]] = []
    for k in range(3 * cycles):
        now = T0 + k * kit.CYCLE
        faults.append(check(kit.state(now, **({} if k == cycles - 1 else change)), now))
    assert names(faults[2 * cycles - 1]) == []
    assert names(faults[2 * cycles]) == [trip]


@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_joint_velocity(joint: int, sign: float) -> None:
    limit = kit.JOINT_VEL[joint]
    for value, trips in ((0.9 * limit, False), (limit, False), (limit + EPS, True), (2 * limit, True)):
        velocity = kit.poisoned(owned(np.zeros(12)), joint, sign * value)
        faults = last_of(kit.JOINT_VEL_TIME // kit.CYCLE + 1, joint_vel=velocity)
        assert names(faults) == (["joint_vel"] if trips else [])
    assert kit.go2().joint_names[joint] in faults[0][1]
    assert f"{sign * 2 * limit:.2f} rad/s" in faults[0][1]


@pytest.mark.parametrize("joint", range(12))
def test_joint_position(joint: int) -> None:
    low, high = kit.LOWER[joint] - kit.STRAY, kit.UPPER[joint] + kit.STRAY
    for value, trips in ((low, False), (low - EPS, True), (high, False), (high + EPS, True), (high + 1, True)):
        position = kit.poisoned(owned(kit.STAND), joint, value)
        faults = last_of(kit.STRAY_TIME // kit.CYCLE + 1, joint_pos=position)
        assert names(faults) == (["joint_pos"] if trips else [])
    assert kit.go2().joint_names[joint] in faults[0][1]
    assert f"{high + 1:.2f} rad" in faults[0][1]


def test_several_joints_are_all_named() -> None:
    faults = last_of(5, joint_vel=owned(np.full(12, 50.0)))
    assert faults[0][1] == ", ".join(f"{name} 50.00 rad/s" for name in kit.go2().joint_names)


def test_a_duration_of_zero_trips_at_once() -> None:
    limits = dataclasses.replace(kit.go2_limits(), tilt_ns=0)
    assert names(last_of(1, limits, base_quat_wxyz=kit.tilted(1.1))) == ["tilt"]


def test_sustained_survives_a_clock_that_went_back() -> None:
    held = Sustained(10)
    assert not held(True, 1_000)
    assert not held(True, 5)  # an hour back would otherwise blind it for an hour
    assert not held(True, 14)
    assert held(True, 15)
    assert held(True, 16)
    assert not held(False, 17)
    assert not held(True, 30)


@settings(deadline=None)
@given(st.floats(0.0, math.pi), st.floats(-math.pi, math.pi), st.floats(-math.pi, math.pi))
def test_tilt_of_any_attitude(angle: float, heading: float, yaw: float) -> None:
    """The tilt is the angle between the base's z axis and up, whatever the heading."""
    w, x, y, _ = kit.tilted(angle, (math.cos(heading), math.sin(heading)))
    c, s = math.cos(yaw / 2), math.sin(yaw / 2)
    quaternion = owned([c * w, c * x - s * y, s * x + c * y, s * w])
    limits = dataclasses.replace(kit.go2_limits(), tilt_ns=0)
    faults = StateCheck(limits)(kit.state(T0, base_quat_wxyz=quaternion), T0)
    if abs(angle - kit.TILT) > 1e-6:
        assert names(faults) == (["tilt"] if angle > kit.TILT else [])


def test_tilt_and_a_fast_joint_are_both_told() -> None:
    fast = kit.poisoned(owned(np.zeros(12)), 2, 31.0)
    faults = last_of(CYCLES_OF_TILT + 1, base_quat_wxyz=kit.tilted(1.2), joint_vel=fast)
    assert names(faults) == ["tilt", "joint_vel"]


def test_only_joints_beyond_a_limit_are_named() -> None:
    limits = kit.go2_limits()
    velocity = np.array(limits.joint_vel)
    velocity[2] += 1.0
    assert last_of(5, joint_vel=owned(velocity))[0][1] == "FR_calf_joint 31.00 rad/s"
    for edge in (limits.joint_lower, limits.joint_upper):
        position = np.array(edge)
        position[3] += np.sign(edge[3]) * 0.5
        (fault,) = last_of(22, joint_pos=owned(position))
        assert fault == ("joint_pos", f"FL_hip_joint {position[3]:.2f} rad")


@pytest.mark.parametrize("yaw", [0.7, 2.5, -2.5])
def test_a_robot_that_leans_and_turns_leans_as_far(yaw: float) -> None:
    c, s = math.cos(yaw / 2), math.sin(yaw / 2)
    for angle, trips in ((kit.TILT - 1e-6, False), (kit.TILT + 1e-6, True)):
        w, x, y, _ = kit.tilted(angle, (0.6, 0.8))
        turned = owned([c * w, c * x - s * y, s * x + c * y, s * w])
        assert names(last_of(CYCLES_OF_TILT + 1, base_quat_wxyz=turned)) == (["tilt"] if trips else [])


def test_at_the_limit_of_tilt_is_not_over_it() -> None:
    """An upright base leans by exactly nothing."""
    limits = dataclasses.replace(kit.go2_limits(), tilt=0.0, tilt_ceiling=0.0, tilt_ns=0)
    assert last_of(1, limits) == ()
    assert names(last_of(1, limits, base_quat_wxyz=kit.tilted(1e-3))) == ["tilt"]


def test_before_anybody_asks_the_limit_of_tilt_is_that_of_the_file() -> None:
    limits = dataclasses.replace(kit.go2_limits(), tilt=0.5)
    assert names(last_of(CYCLES_OF_TILT + 1, limits, base_quat_wxyz=kit.tilted(0.6))) == ["tilt"]


def test_a_bad_velocity_of_the_base_is_told() -> None:
    for bad in (np.zeros(2), np.array([0.0, np.nan, 0.0])):
        assert check_once(base_lin_vel=bad) == (("state_invalid", "base_lin_vel: not finite, or not of shape (3,)"),)
