"""The motors: peak torque and torque-speed curve at their boundaries, in all four quadrants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import load_robot_spec
from sim2real.mujoco.plant import MotorLimits, motor_limits, motor_torque, torque_bounds

PEAK, KNEE, NO_LOAD = 24.0, 10.0, 30.0
ONE = MotorLimits(np.array([PEAK]), np.array([KNEE]), np.array([NO_LOAD]))
speeds = st.floats(-60.0, 60.0)
torques = st.floats(-1e4, 1e4)


def limits_at(speed: float) -> tuple[float, float]:
    lower, upper = torque_bounds(np.array([speed]), ONE)
    return float(lower[0]), float(upper[0])


def torque(speed: float, feedforward: float) -> float:
    at = np.array([speed])
    return float(motor_torque(np.zeros(1), at, 0.0, 0.0, np.array([feedforward]), 0.0, 0.0, ONE)[0])


@pytest.mark.parametrize(
    ("speed", "upper"),
    [(0.0, 24.0), (KNEE, 24.0), (20.0, 12.0), (25.0, 6.0), (NO_LOAD, 0.0), (45.0, 0.0), (-5.0, 24.0), (-45.0, 24.0)],
)
def test_the_greatest_torque_follows_the_curve(speed: float, upper: float) -> None:
    assert limits_at(speed)[1] == pytest.approx(upper, abs=1e-12)


@given(speeds)
def test_the_curve_is_the_same_in_both_directions(speed: float) -> None:
    lower, upper = limits_at(speed)
    mirrored_lower, mirrored_upper = limits_at(-speed)
    assert (lower, upper) == (-mirrored_upper, -mirrored_lower)


@pytest.mark.parametrize(
    ("speed", "asked", "given"),
    [
        (20.0, 100.0, 12.0),  # drives forwards
        (-20.0, -100.0, -12.0),  # drives backwards
        (20.0, -100.0, -24.0),  # brakes forward motion
        (-20.0, 100.0, 24.0),  # brakes backward motion
    ],
)
def test_all_four_quadrants(speed: float, asked: float, given: float) -> None:
    assert torque(speed, asked) == pytest.approx(given)


@given(speeds, torques)
def test_never_over_the_peak_never_driving_over_the_no_load_speed(speed: float, asked: float) -> None:
    got = torque(speed, asked)
    assert abs(got) <= PEAK
    assert got * speed <= 0.0 or abs(speed) < NO_LOAD
    assert abs(got) <= abs(asked)  # a limit only ever takes away


@given(speeds, torques, torques)
def test_more_asked_never_gives_less(speed: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert torque(speed, low) <= torque(speed, high)


@given(speeds, speeds, torques)
def test_faster_never_gives_more(one: float, other: float, asked: float) -> None:
    slow, fast = sorted((one, other))
    assert torque(slow, asked) >= torque(fast, asked)


def test_inside_the_limits_it_is_the_joint_pd() -> None:
    pos, vel, target, rate, feed = (np.array([value]) for value in (0.1, 2.0, 0.3, 1.0, 0.5))
    got = motor_torque(pos, vel, target, rate, feed, np.array([20.0]), np.array([0.5]), ONE)
    assert got == pytest.approx(20.0 * 0.2 + 0.5 * (1.0 - 2.0) + 0.5)


def test_environments_and_joints_broadcast() -> None:
    rng = np.random.default_rng(0)
    limits = motor_limits(load_robot_spec("go2"))
    pos, vel, target = (rng.normal(0.0, 10.0, (7, 12)) for _ in range(3))
    stiffness = rng.uniform(10.0, 80.0, (7, 1))
    many = motor_torque(pos, vel, target, 0.0, 0.0, stiffness, 1.0, limits)
    assert many.shape == (7, 12)
    for row in range(7):
        one = motor_torque(pos[row], vel[row], target[row], 0.0, 0.0, stiffness[row], 1.0, limits)
        assert np.array_equal(many[row], one)


def test_inputs_are_left_alone() -> None:
    pos, vel, target = np.ones(1), np.full(1, 20.0), np.full(1, 9.0)
    motor_torque(pos, vel, target, 0.0, 0.0, 100.0, 1.0, ONE)
    assert (pos, vel, target) == (1.0, 20.0, 9.0)


@pytest.mark.parametrize(
    ("effort", "knee", "no_load"),
    [(0.0, 1.0, 2.0), (-1.0, 1.0, 2.0), (1.0, 2.0, 2.0), (1.0, 3.0, 2.0), (1.0, -1.0, 2.0), (np.nan, 1.0, 2.0),
     (1.0, 1.0, np.inf)],
)  # fmt: skip
def test_impossible_limits_are_refused(effort: float, knee: float, no_load: float) -> None:
    with pytest.raises(RobotError, match="motor limits"):
        MotorLimits(np.array([effort]), np.array([knee]), np.array([no_load]))


def test_the_go2_meets_the_published_points() -> None:
    """unitree_rl_lab, Go2HV: 20.2 N m at 13.5 rad/s, none at 30 rad/s; peak 23.7 N m; the calf behind 1.917 to 1."""
    limits = motor_limits(load_robot_spec("go2"))
    ratio = 45.43 / 23.7
    speed = np.tile([13.5, 13.5, 13.5 / ratio], 4)
    _, upper = torque_bounds(speed, limits)
    assert upper == pytest.approx(np.tile([20.2, 20.2, 20.2 * ratio], 4), rel=2e-3)
    assert torque_bounds(np.zeros(12), limits)[1] == pytest.approx(np.tile([23.7, 23.7, 45.43], 4))
    assert torque_bounds(np.tile([30.0, 30.0, 15.65], 4), limits)[1] == pytest.approx(np.zeros(12), abs=1e-9)
