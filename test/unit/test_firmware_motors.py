"""The peer's motors and what they cost: PD law, brake, time-out, heat and charge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot_policies.robot_spec import load_robot_spec
from sim2real.firmware.body import STEP
from sim2real.firmware.motors import BRAKE, MotorBoards
from sim2real.firmware.power import AMBIENT, CAPACITY, IDLE, RISE, TIME_CONSTANT, Battery, Motors
from sim2real.firmware.readings import MotorCommand

SPEC = load_robot_spec("go2")
ZERO = np.zeros(12)
ON = np.ones(12, dtype=bool)


def held(pos: Any = ZERO, stiffness: float = 60.0, damping: float = 3.0, servo: Any = ON) -> MotorCommand:
    return MotorCommand(servo, np.asarray(pos), ZERO, ZERO, np.full(12, stiffness), np.full(12, damping))


def test_motors_follow_the_pd_law_within_their_limits() -> None:
    motors = MotorBoards(SPEC)
    motors.take(held(np.full(12, 0.1), stiffness=20.0, damping=0.5))
    torque = motors.torque(ZERO, np.full(12, 1.0), STEP)
    assert torque == pytest.approx(np.full(12, 20.0 * 0.1 - 0.5))
    motors.take(held(np.full(12, 9.0), stiffness=200.0))
    assert motors.torque(ZERO, ZERO, STEP) == pytest.approx(SPEC.effort_limit)


def test_a_motor_that_is_not_in_servo_mode_brakes() -> None:
    motors = MotorBoards(SPEC)
    servo = ON.copy()
    servo[4] = False
    motors.take(held(np.full(12, 0.1), stiffness=20.0, damping=0.0, servo=servo))
    torque = motors.torque(ZERO, np.full(12, 2.0), STEP)
    assert torque[4] == pytest.approx(-2.0 * BRAKE)
    assert torque[5] == pytest.approx(2.0)
    assert motors.servo() == servo.tolist()


def test_motors_brake_when_the_command_is_too_old() -> None:
    motors = MotorBoards(SPEC, timeout=0.01)
    motors.take(held(np.full(12, 0.1)))
    for _ in range(10):
        assert motors.torque(ZERO, ZERO, STEP)[0] > 1.0
    motors.torque(ZERO, ZERO, STEP)
    assert motors.torque(ZERO, np.ones(12), STEP) == pytest.approx(np.full(12, -BRAKE))
    assert motors.servo() == [False] * 12
    motors.take(held(np.full(12, 0.1)))
    assert motors.servo() == [True] * 12


def test_heat_follows_the_square_of_the_torque() -> None:
    motors = Motors(SPEC.effort_limit)
    for _ in range(round(TIME_CONSTANT)):
        motors.step(0.5 * SPEC.effort_limit, 1.0)
    expected = AMBIENT + RISE * 0.25 * (1.0 - np.exp(-1.0))
    assert motors.temperature == pytest.approx(np.full(12, expected), rel=0.01)
    hot = motors.temperature.copy()
    for _ in range(round(TIME_CONSTANT)):
        motors.step(ZERO, 1.0)
    assert (motors.temperature < 0.7 * hot).all()
    assert (motors.temperature > AMBIENT).all()


def test_the_battery_gives_what_is_drawn() -> None:
    battery = Battery(1.0)
    full = battery.voltage
    for _ in range(3600):
        battery.step(0.0, ZERO, ZERO, 1.0)
    assert battery.charge == pytest.approx(1.0 - IDLE / CAPACITY, rel=1e-3)
    assert battery.voltage < full
    idle = battery.current
    battery.step(100.0, np.full(12, 10.0), np.full(12, 2.0), 1.0)
    assert battery.current == pytest.approx(idle * (IDLE + 100.0 + 240.0) / IDLE, rel=1e-3)
    battery.charge = 0.0
    battery.step(0.0, ZERO, ZERO, 1.0)
    assert battery.charge == 0.0
