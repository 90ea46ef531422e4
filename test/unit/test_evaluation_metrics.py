"""The metrics against motions whose numbers are known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.bundles import standing
from helpers.offline import SPEC

from robot_policies.types import Mode, RobotRecord, Trip, owned
from sim2real.evaluation.course import Course, load_course
from sim2real.evaluation.metrics import Metrics
from sim2real.mujoco.lane import Lane
from sim2real.mujoco.robot import GroundTruth

CYCLE = 5_000_000
FLAT, STEP = load_course("flat"), load_course("step")
LANE = Lane(width=4.0, first_edge=1.0, last_edge=2.0, end=5.0)
STILL = GroundTruth(0, np.zeros(3), np.array([1.0, 0, 0, 0]), np.zeros(3), np.zeros(3), np.zeros(12), np.zeros(19), ())


def leaning(angle: float) -> tuple[float, float, float, float]:
    """Return the attitude (wxyz) of a base that is pitched by ``angle`` [rad]."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


class World:
    """Moves as told, and shows each cycle to the metrics."""

    def __init__(self, command: tuple[float, float, float] = (0.8, 0.0, 0.0), course: Course = FLAT) -> None:
        self.truth, self.cycle = STILL, 0
        lane = LANE if course.name == "step" else None
        self.metrics = Metrics(course, command, lambda: self.truth, SPEC.thigh_bodies, lane)

    def run(self, seconds: float, mode: Mode = Mode.ACTIVE, trips: tuple[Trip, ...] = (), **fields: Any) -> World:
        """Move with the body velocity ``velocity`` (x, y, yaw rate), upright unless ``quat`` says otherwise."""
        velocity = np.array(fields.pop("velocity", (0.0, 0.0, 0.0)))
        quat, contacts = np.array(fields.pop("quat", (1.0, 0, 0, 0))), fields.pop("contacts", ())
        clamps = fields.pop("clamps", ())
        for _ in range(round(seconds / 0.005)):
            self.cycle += 1
            step = np.array([velocity[0], velocity[1], 0.0]) * 0.005
            self.truth = replace(
                self.truth, position=self.truth.position + step, base_lin_vel=np.array([*velocity[:2], 0.0]),
                base_ang_vel=np.array([0.0, 0.0, velocity[2]]), quat_wxyz=quat, ground_contacts=contacts,
            )  # fmt: skip
            state = standing(SPEC, self.cycle * CYCLE, **{key: owned(value) for key, value in fields.items()})
            self.metrics(RobotRecord(state, mode, None, None, clamps, trips))
        return self


def test_speed_counts_from_the_settling_time_on_and_distance_from_activation() -> None:
    world = World().run(1.0, Mode.STAND, velocity=(5.0, 0, 0))
    world.run(2.0, velocity=(0.0, 0, 0)).run(3.0, velocity=(0.8, 0.1, -0.2))
    numbers = world.metrics.numbers()
    assert numbers["speed_mps"] == pytest.approx(0.8, rel=0.01)
    assert numbers["lin_vel_y"] == pytest.approx(0.1, rel=0.01)
    assert numbers["ang_vel_z"] == pytest.approx(-0.2, rel=0.01)
    assert numbers["distance_m"] == pytest.approx(math.hypot(2.4, 0.3), rel=0.01)
    assert numbers["active_s"] == pytest.approx(4.995)


def test_tracking_errors_are_root_mean_squares() -> None:
    world = World().run(2.0).run(1.0, velocity=(0.5, 0.0, 0.0)).run(1.0, velocity=(1.1, 0.4, 0.0))
    numbers = world.metrics.numbers()
    assert numbers["lin_vel_x_error"] == pytest.approx(0.3, rel=0.02)
    assert numbers["lin_vel_y_error"] == pytest.approx(0.4 / math.sqrt(2.0), rel=0.02)
    assert numbers["ang_vel_z_error"] == 0.0


@pytest.mark.parametrize(("speed", "good"), [(0.8, True), (0.65, True), (0.63, False), (0.95, True), (0.97, False)])
def test_success_is_within_a_fifth_of_the_command(speed: float, good: bool) -> None:
    failures = World().run(2.0).run(2.0, velocity=(speed, 0.0, 0.0)).metrics.failures()
    assert (failures == ()) is good
    assert good or failures[0].startswith(f"lin_vel_x {speed:.2f} for a command of 0.8")


def test_every_commanded_axis_is_judged_and_only_those() -> None:
    moves = {"velocity": (0.3, -0.4, 0.5)}
    assert World((0.0, -0.4, 0.5)).run(2.0).run(2.0, **moves).metrics.failures() == ()
    failures = World((0.3, 0.4, -0.5)).run(2.0).run(2.0, **moves).metrics.failures()
    assert [failure.split()[0] for failure in failures] == ["lin_vel_y", "ang_vel_z"]


def test_a_speed_that_is_not_a_number_is_no_success() -> None:
    failures = World().run(2.0).run(1.0, velocity=(math.nan, 0.0, 0.0)).metrics.failures()
    assert failures and "nan" in failures[0]


@pytest.mark.parametrize(("speed", "good"), [(0.04, True), (0.06, False)])
def test_at_zero_command_the_robot_may_not_wander(speed: float, good: bool) -> None:
    """It is judged from where it was after settling: a step while it takes over is forgiven."""
    failures = World((0.0, 0.0, 0.0)).run(2.0, velocity=(0.5, 0, 0)).run(4.0, velocity=(0, speed, 0)).metrics.failures()
    assert (failures == ()) is good
    assert good or "wandered 0.24 m" in failures[0]


def test_a_touch_of_base_or_thigh_is_a_fall_from_activation_on() -> None:
    world = World((0.0, 0.0, 0.0)).run(1.0, Mode.STAND, contacts=("base",))
    assert world.run(2.5).metrics.fell_s is None
    world.run(0.005, contacts=("FR_thigh",)).run(1.0)
    assert world.metrics.fell_s == pytest.approx(3.505)
    assert world.metrics.failures()[0].startswith("fell at 3.5")


@pytest.mark.parametrize(("angle", "fallen"), [(0.99, False), (1.01, True), (3.0, True)])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0.6, -0.8, 0)])
def test_a_tilt_over_the_rule_is_a_fall(angle: float, fallen: bool, axis: tuple[float, float, float]) -> None:
    half = 0.5 * angle
    quat = (math.cos(half), *(math.sin(half) * part for part in axis))
    world = World().run(0.01).run(0.1, quat=quat)
    assert (world.metrics.fell_s is not None) is fallen
    assert world.metrics.numbers()["tilt_max_rad"] == pytest.approx(angle)


def test_yaw_is_no_tilt() -> None:
    assert World().run(0.01).run(0.1, quat=(0.0, 0, 0, 1.0)).metrics.numbers()["tilt_max_rad"] == 0.0


def test_torque_energy_and_clamps() -> None:
    effort, speed = np.zeros(12), np.zeros(12)
    effort[2], speed[2] = -30.0, 2.0
    world = World().run(0.005).run(2.0, joint_effort=effort, joint_vel=speed)
    world.run(1.0, clamps=("torque FR_calf_joint", "torque FL_calf_joint"))
    numbers = world.metrics.numbers()
    assert numbers["torque_peak_nm"] == 30.0
    assert numbers["energy_j"] == pytest.approx(120.0)
    assert numbers["power_w"] == pytest.approx(40.0)
    assert numbers["torque_rms_nm"] == pytest.approx(30.0 * math.sqrt(2.0 / 3.0 / 12.0))
    assert numbers["clamped_cycles"] == 200


def test_steps_are_counted_with_hysteresis() -> None:
    """Four feet that come down twice in 2 s, with noise around each threshold, step once a second."""
    world = World().run(0.005, foot_force=[0.0] * 4)
    for _ in range(2):
        for force in (18.0, 22.0, 40.0, 18.0, 7.0, 22.0, 3.0, 6.0, 0.0, 0.0):
            world.run(0.1, foot_force=[force] * 4)
    assert world.metrics.numbers()["step_hz"] == pytest.approx(1.0)


def test_modes_and_trips_are_listed_once_with_their_times() -> None:
    trip = Trip(3 * CYCLE, "tilt", "1.2 rad", Mode.ACTIVE, "damping")
    world = World().run(0.01, Mode.STAND).run(0.005).run(0.02, Mode.LANDING, (trip,)).run(0.01, Mode.DAMPING)
    assert world.metrics.modes == [(0.005, "stand"), (0.015, "active"), (0.02, "landing"), (0.04, "damping")]
    assert world.metrics.trips == [(0.015, "tilt", "1.2 rad")]
    assert world.metrics.failures()[0].startswith("tilt trip at 0.0")


def test_a_second_trip_adds_itself_only() -> None:
    first, second = (
        Trip(CYCLE, "policy", "a", Mode.ACTIVE, "sit"),
        Trip(2 * CYCLE, "tilt", "b", Mode.LANDING, "damping"),
    )
    world = World().run(0.01, Mode.LANDING, (first,)).run(0.01, Mode.LANDING, (first, second))
    assert [name for _, name, _ in world.metrics.trips] == ["policy", "tilt"]


def test_a_trip_is_listed_again_after_a_reset() -> None:
    first, second = (Trip(k * CYCLE, "estop", "asked for", Mode.ACTIVE, "damping") for k in (2, 5))
    world = World().run(0.005).run(0.01, Mode.LANDING, (first,)).run(0.01, Mode.DAMPING)
    world.run(0.01, Mode.LANDING, (second,))
    assert [at for at, _, _ in world.metrics.trips] == [0.01, 0.025]


def test_what_never_became_active_or_ended_too_soon_is_no_success() -> None:
    assert World().run(1.0, Mode.STAND).metrics.failures() == ("never active",)
    assert World().run(1.0).metrics.failures() == ("not active for 2 s",)


def test_absolute_errors_are_means_over_time() -> None:
    numbers = World().run(2.0).run(1.0, velocity=(0.5, 0.0, 0.0)).run(3.0, velocity=(1.2, 0.4, -1.0)).metrics.numbers()
    assert numbers["lin_vel_x_abs_error"] == pytest.approx((0.3 + 3 * 0.4) / 4, rel=0.02)
    assert numbers["lin_vel_y_abs_error"] == pytest.approx(0.3, rel=0.02)
    assert numbers["ang_vel_z_abs_error"] == pytest.approx(0.75, rel=0.02)


def test_a_lane_is_crossed_a_metre_past_its_last_edge_and_speed_does_not_matter() -> None:
    world = World((0.5, 0.0, 0.0), STEP).run(2.9, velocity=(1.0, 0.0, 0.0))
    assert not world.metrics.over
    assert world.metrics.failures() == ("came to x 2.90 m in its time; the goal is at 3.00 m",)
    world.run(0.2, velocity=(1.0, 0.0, 0.0))
    assert world.metrics.over and world.metrics.failures() == ()
    numbers = world.metrics.numbers()
    assert (numbers["progress"], numbers["crossed_s"]) == (1.0, pytest.approx(3.0, abs=0.011))


def test_who_leaves_the_lane_sideways_has_not_crossed_it() -> None:
    world = World((0.5, 0.0, 0.0), STEP).run(2.5, velocity=(1.0, 0.0, 0.0)).run(1.0, velocity=(0.0, -2.1, 0.0))
    assert world.metrics.over
    assert world.metrics.failures()[0].startswith("left the lane at x 2.50 m: y -2.1")
    world.run(2.0, velocity=(1.0, 0.0, 0.0))  # past the goal, but beside the lane
    assert world.metrics.failures()[0].startswith("left the lane")
    assert world.metrics.numbers()["crossed_s"] == 0.0


def test_who_falls_behind_the_last_edge_has_not_crossed() -> None:
    world = World((0.5, 0.0, 0.0), STEP).run(2.5, velocity=(1.0, 0.0, 0.0)).run(0.005, quat=leaning(1.51))
    world.run(2.0, velocity=(1.0, 0.0, 0.0))
    assert world.metrics.over and world.metrics.failures()[0].startswith("fell at 2.5")
    assert len(world.metrics.failures()) == 2


def test_on_a_lane_thighs_and_base_may_touch_as_the_course_says() -> None:
    world = World((0.5, 0.0, 0.0), STEP).run(0.1).run(0.1, contacts=("FR_thigh", "base"))
    assert world.metrics.fell_s is None
    strict = replace(STEP, fall=replace(STEP.fall, trunk=True))
    world = World((0.5, 0.0, 0.0), strict).run(0.1).run(0.1, contacts=("FR_thigh", "RL_thigh"))
    assert world.metrics.fell_s is None
    world.run(0.005, contacts=("FR_thigh", "base"))
    assert world.metrics.fell_s == pytest.approx(0.205)


def test_who_leans_past_the_goal_has_not_crossed_until_it_is_upright() -> None:
    world = World((0.5, 0.0, 0.0), STEP).run(3.5, velocity=(1.0, 0.0, 0.0), quat=leaning(1.05))
    assert not world.metrics.over
    assert "came to x 3.50 m" in world.metrics.failures()[0]
    world.run(0.01, quat=leaning(0.95))
    assert world.metrics.over and world.metrics.failures() == ()
    assert world.metrics.numbers()["tilt_max_rad"] == pytest.approx(1.05)


def test_a_trip_ends_a_lane_even_at_its_goal() -> None:
    trip = Trip(2_000_000_000, "tilt", "1.2 rad", Mode.ACTIVE, "damping")
    world = World((0.5, 0.0, 0.0), STEP).run(2.0, velocity=(1.0, 0.0, 0.0)).run(0.005, trips=(trip,))
    assert world.metrics.over
    world.run(2.0, velocity=(1.0, 0.0, 0.0))
    assert world.metrics.failures()[0].startswith("tilt trip")
