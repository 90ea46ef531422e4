"""The heading that a yaw rate makes: signs, limit, period, and no running ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_policies.policies.heading import HeadingCommand, wrapped, yaw_of
from robot_policies.types import VelocityCommand

DT = 0.02


def quat(yaw: float, pitch: float = 0.0) -> np.ndarray:
    cy, sy, cp, sp = math.cos(yaw / 2), math.sin(yaw / 2), math.cos(pitch / 2), math.sin(pitch / 2)
    return np.array([cy * cp, -sy * sp, cy * sp, sy * cp])


def turn(rate: float) -> VelocityCommand:
    return VelocityCommand(0, 0.5, 0.0, rate)


def test_yaw_is_to_the_left_and_does_not_feel_pitch() -> None:
    assert yaw_of(quat(0.4)) == pytest.approx(0.4)
    assert yaw_of(quat(-2.0, pitch=0.8)) == pytest.approx(-2.0)


def test_the_heading_of_the_activation_is_held() -> None:
    heading = HeadingCommand(0.6, 1, DT)
    assert heading(quat(1.0), turn(0.0), 0) == 0.0
    assert heading(quat(0.8), turn(0.0), 1) == pytest.approx(0.2)  # turned right, so back to the left
    assert heading(quat(1.3), None, 2) == pytest.approx(-0.3)
    heading.reset()
    assert heading(quat(-0.5), turn(0.0), 0) == 0.0


def test_a_yaw_rate_is_summed_up() -> None:
    heading = HeadingCommand(0.6, 1, DT)
    heading(quat(0.0), turn(0.5), 0)  # the command of tick 0 acts from then on
    errors = [heading(quat(0.0), turn(0.5), tick) for tick in range(1, 11)]
    np.testing.assert_allclose(errors, 0.5 * DT * np.arange(1, 11))


def test_the_error_is_wrapped_and_limited() -> None:
    heading = HeadingCommand(0.6, 1, DT)
    heading(quat(3.1), turn(0.0), 0)
    assert heading(quat(-3.1), turn(0.0), 1) == pytest.approx(wrapped(6.2))
    assert heading(quat(2.0), turn(0.0), 2) == 0.6
    assert heading(quat(-2.0), turn(0.0), 3) == -0.6


def test_an_error_is_held_for_its_period() -> None:
    heading = HeadingCommand(0.6, 5, DT)
    errors = [heading(quat(-0.01 * tick), turn(0.0), tick) for tick in range(11)]
    np.testing.assert_allclose(errors, [0.0] * 5 + [0.05] * 5 + [0.1])


def test_the_heading_does_not_run_ahead_of_a_robot_that_cannot_follow() -> None:
    heading = HeadingCommand(0.6, 1, DT)
    errors = [heading(quat(0.0), turn(1.0), tick) for tick in range(400)]  # 8 rad, more than a whole turn
    assert min(errors[50:]) == 0.6
    errors = [heading(quat(0.0), turn(-1.0), tick) for tick in range(400, 440)]
    assert errors[-1] < 0.0  # and it comes back at once


def test_a_robot_that_is_pushed_aside_turns_all_the_way_back() -> None:
    heading = HeadingCommand(0.6, 1, DT)
    heading(quat(0.0), turn(0.0), 0)
    assert heading(quat(2.0), turn(0.0), 1) == -0.6
    assert heading(quat(0.3), turn(0.0), 2) == pytest.approx(-0.3)
