"""How long a tilt and a joint beyond its limits are let be, at and around every limit. Time is made by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from helpers import safety as kit
from helpers.state_faults import CYCLES_OF_TILT, T0, last_of, names
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_policies.safety.state_check import Fault, StateCheck, Sustained
from robot_policies.types import owned

EPS = 1e-9


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
