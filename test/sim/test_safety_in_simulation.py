"""Trips and landings of a simulated Go2: real physics, real falls, the loop that the robot node runs."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import MS

from robot_policies.control.lease import Lease
from robot_policies.control.robot_step import RobotStep
from robot_policies.safety.state_machine import Request
from robot_policies.types import Array, Mode, RobotRecord, owned
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot

LYING = 0.15  # [m], height of the base below which the robot lies


class Field:
    """A simulated Go2 in lockstep with its robot step, from lying and disarmed."""

    def __init__(self) -> None:
        self.robot = MujocoRobot(kit.go2(), MujocoOptions(clock="lockstep", seed=1))
        self.step = RobotStep(kit.go2(), kit.go2_limits())
        self.cycles(2)

    @property
    def now(self) -> int:
        return self.robot.now_ns()

    @property
    def height(self) -> float:
        return float(self.robot.ground_truth().position[2])

    def cycles(self, count: int) -> RobotRecord:
        for _ in range(count):
            state = self.robot.read(lambda _: None)
            record = self.step.cycle(state, self.now)
            self.robot.write(record.safe)
        self.record = record
        return record

    def seconds(self, seconds: float) -> RobotRecord:
        return self.cycles(round(seconds * 200))

    def stand(self) -> Field:
        for request in (Request.ARM, Request.STAND):
            assert self.step.request(request, self.now).ok
        self.seconds(2.0)
        assert self.step.ramp_done
        assert self.step.clamp_counts == {}  # standing up is nothing that the filter has to change
        return self

    def active(self, target: Array = kit.STAND) -> Field:
        self.stand()
        self.step.set_gain_profile(kit.profile(stiffness=40.0, damping=1.0))
        assert self.step.take_lease(Lease("test", kit.DT, "walk/0123456789ab"), self.now).ok
        self.command(0.5, target)
        return self

    def command(self, seconds: float, target: Array) -> None:
        for k in range(round(seconds * 200)):
            self.cycles(1)
            if k % 4 == 0 and self.step.lease is not None:
                gains = self.step.profiles["walk/0123456789ab"]
                sent = kit.command(self.record.state.stamp_ns, gains, joint_pos=owned(target))
                assert self.step.take_command(sent, self.now) is None

    def push(self, roll_rate: float) -> None:
        """Throw the robot over [rad/s]."""
        self.robot._data.qvel[3] = roll_rate
        self.robot._data.qvel[2] = 1.5

    def lies_still(self) -> bool:
        state = self.record.state
        return self.height < LYING and float(np.abs(state.joint_vel).max()) < 0.5


def names(field: Field) -> list[str]:
    return [trip.name for trip in field.step.trips]


def to(mode: Mode) -> Field:
    field = Field()
    if mode is Mode.DAMPING:
        field.step.request(Request.ARM, field.now)
        field.cycles(1)
    elif mode is Mode.STAND:
        field.stand()
    elif mode is Mode.ACTIVE:
        field.active()
    elif mode is Mode.LANDING:
        field.stand().step.trip("policy", "for the test", field.now)
        field.cycles(1)
    return field


def test_it_stands_up_and_stays_up() -> None:
    field = Field().stand()
    field.seconds(2.0)
    assert 0.28 < field.height < 0.36
    assert np.abs(field.record.state.joint_pos - kit.STAND).max() < 0.15
    assert not field.step.trips


@pytest.mark.parametrize("mode", list(Mode))
def test_a_robot_that_is_thrown_over_trips_and_goes_limp(mode: Mode) -> None:
    field = to(mode)
    field.push(9.0)
    for _ in range(4):
        if mode is Mode.ACTIVE:
            field.command(0.5, kit.STAND)
        else:
            field.seconds(0.5)
    assert "tilt" in names(field)
    if mode is Mode.DISARMED:
        assert (field.step.mode, field.record.safe) == (Mode.DISARMED, None)
    else:
        assert (field.step.mode, field.step.landing) == (Mode.LANDING, "damping")
        assert field.record.safe is not None
        assert not field.record.safe.stiffness.any()


@pytest.mark.parametrize(("trip", "mode"), [(t, m) for t in kit.SOFT_TRIPS for m in (Mode.STAND, Mode.ACTIVE)])
def test_landings_end_where_they_should(trip: str, mode: Mode) -> None:
    field = to(mode)
    field.step.trip(trip, "for the test", field.now)
    field.seconds(3.0)
    assert names(field) == [trip]  # landing is gentle enough to trip nothing else
    if kit.LANDINGS[trip, mode] == "hold":
        assert 0.26 < field.height < 0.36
        assert field.step.landing == "hold"
    else:
        assert field.lies_still()
        assert field.step.landing == "damping"
    assert field.step.request(Request.RESET, field.now).ok
    assert field.step.request(Request.STAND, field.now).ok
    field.seconds(2.5)
    assert field.step.ramp_done  # up again, without a relaunch
    assert 0.28 < field.height < 0.36


def test_a_silent_policy_lands() -> None:
    field = Field().active()
    last = field.record.state.stamp_ns
    while field.record.safe is not None and field.record.safe.gain_profile != "damping":
        field.cycles(1)
    assert field.record.state.stamp_ns - last <= 100 * MS
    assert names(field) == ["command_age"]
    field.seconds(3.0)
    assert field.lies_still()


def test_a_policy_that_pushes_a_leg_into_its_stop_is_held_and_sits_down() -> None:
    field = Field().active()
    target = kit.poisoned(owned(kit.STAND), 0, 9.0)  # FR hip outwards
    field.command(2.0, target)
    assert names(field)[0] == "clamping"
    assert "FR_hip_joint" in field.step.trips[0].detail
    assert field.step.trips[0].landing == "sit"


def test_giving_the_lease_back_stands() -> None:
    field = Field().active(kit.STAND + np.array([0.0, 0.2, -0.3] * 4))
    assert field.step.release_lease("test", field.now).ok
    field.seconds(1.0)
    assert field.step.ramp_done
    assert not field.step.trips
    assert 0.28 < field.height < 0.36


@pytest.mark.parametrize("request_", [Request.DAMP, Request.ESTOP])
def test_the_operators_stops_let_it_down(request_: Request) -> None:
    field = Field().active()
    assert field.step.request(request_, field.now).ok
    speed = 0.0
    for _ in range(600):
        before = field.height
        field.cycles(1)
        speed = max(speed, (before - field.height) * 200)
    assert field.lies_still()
    assert speed < 0.8  # [m/s]; falling freely from its height it would reach 2 m/s
    assert names(field) == (["estop"] if request_ is Request.ESTOP else [])


def test_nan_from_a_sensor_lands_and_reset_works_without_a_relaunch() -> None:
    field = Field().active()
    state = field.robot.read(lambda _: None)
    bad = kit.state(state.stamp_ns, joint_vel=kit.poisoned(state.joint_vel, 4, float("nan")))
    record = field.step.cycle(bad, field.now)
    assert record.safe is not None
    assert record.safe.gain_profile == "damping"
    field.robot.write(record.safe)
    field.seconds(2.0)
    assert names(field) == ["state_invalid"]
    assert "joint_vel: not finite" in field.step.trips[0].detail
    assert field.step.request(Request.RESET, field.now).ok
    assert field.step.request(Request.STAND, field.now).ok
    field.seconds(2.5)
    assert field.step.take_lease(Lease("test", kit.DT, "walk/0123456789ab"), field.now).ok
