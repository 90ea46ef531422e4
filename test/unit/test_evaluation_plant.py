"""Plants and pushes: what a seed draws, and that it reaches the simulated robot."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import mujoco
import numpy as np
import pytest
from helpers.offline import SPEC, constant_bundle

from robot_policies.types import JointCommand
from sim2real.evaluation import episode
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, build, run_rig
from sim2real.evaluation.plan import Policy, course_cells, push_cells
from sim2real.evaluation.plant import RANGES, Motors, VariedRobot, nominal, randomized
from sim2real.evaluation.push import Push, push_round
from sim2real.evaluation.world import farthest, within
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot
from sim2real.randomization.ranges import NOMINAL

COURSE, STEP = load_course("flat"), load_course("step")
STILL = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(constant_bundle(tmp_path_factory.mktemp("bundles") / "stands", SPEC.poses["stand"]).folder)


def geoms(model: mujoco.MjModel) -> list[str]:
    return [str(model.geom(index).name) for index in range(model.ngeom)]


def test_a_nominal_plant_is_the_courses_and_is_drawn_again_the_same() -> None:
    plants = [nominal(STEP.vary, seed) for seed in range(20)]
    assert plants == [nominal(STEP.vary, seed) for seed in range(20)]
    assert all(plant.motors is None and not plant.pushes and plant.action_delay == 0.0 for plant in plants)
    assert max(abs(plant.start_yaw) for plant in plants) <= 0.1 and np.ptp([p.start_yaw for p in plants]) > 0.1
    assert max(abs(plant.start_y) for plant in plants) <= 0.2 and np.ptp([p.start_y for p in plants]) > 0.2


def test_a_course_of_slopes_is_never_too_slippery_to_stand_on() -> None:
    for name in ("ramp", "tilt", "mixed"):
        course = load_course(name)
        assert course.vary.least_friction > 1.1 * np.tan(np.radians(30.0))
        friction = [randomized(course.vary, seed, SPEC, 20.0).foot_friction for seed in range(60)]
        assert 0.7 <= min(friction) < 0.75 and max(friction) > 1.15
    assert min(randomized(STEP.vary, seed, SPEC, 20.0).foot_friction for seed in range(60)) < 0.5


def test_a_randomized_plant_is_within_the_ranges_of_training() -> None:
    plants = [randomized(COURSE.vary, seed, SPEC, 20.0) for seed in range(60)]
    motors = [plant.motors for plant in plants if plant.motors is not None]
    assert len(motors) == 60
    for name, found in {
        "friction": [plant.foot_friction for plant in plants],
        "base_mass": [plant.added_mass for plant in plants],
        "stiffness": np.stack([motor.stiffness for motor in motors]),
        "damping": np.stack([motor.damping for motor in motors]),
        "motor_strength": np.stack([motor.strength for motor in motors]),
    }.items():
        low, high = getattr(RANGES, name)
        assert low <= np.min(found) < low + 0.2 * (high - low) and high >= np.max(found) > high - 0.2 * (high - low)
    cycle = 1.0 / SPEC.state_rate
    first, last = RANGES.delay_cycles
    assert {round(plant.action_delay / cycle) for plant in plants} == set(range(last - first + 1))
    assert {round(p.state_delay / cycle) for p in plants} <= set(range(RANGES.state_delay_cycles[1] + 1))
    pushes = [push for plant in plants for push in plant.pushes]
    assert len(pushes) / 60 == pytest.approx(20.0 / RANGES.push_interval, rel=0.25)
    assert max(abs(value) for push in pushes for value in push.linear) <= RANGES.push_velocity
    assert all(list(plant.pushes) == sorted(plant.pushes, key=lambda push: push.at_s) for plant in plants)


def test_ranges_that_draw_nothing_give_the_robot_as_it_is() -> None:
    plant = randomized(COURSE.vary, 3, SPEC, 20.0, NOMINAL)
    assert plant.motors is not None and (plant.motors.stiffness == 1.0).all() and (plant.motors.strength == 1.0).all()
    assert (plant.foot_friction, plant.added_mass, plant.com_shift) == (0.8, 0.0, STILL)
    assert (plant.state_delay, plant.action_delay, plant.pushes) == (0.0, 0.0, ())


def test_a_randomized_plant_reaches_the_simulated_robot(stands: str) -> None:
    job = Job(stands, "go2", COURSE, 0.0, 5, 4.0, STILL, plant="randomized")
    plant, rig = randomized(COURSE.vary, 5, SPEC, 4.0), build(job)
    plain = build(replace(job, plant="nominal"))
    body, base = rig.robot.model.body("base").id, plain.robot.model.body("base").id
    assert rig.robot.model.geom("FR_foot").friction[0] == pytest.approx(plant.foot_friction)
    shift = rig.robot.model.body_ipos[body] - plain.robot.model.body_ipos[base]
    assert shift == pytest.approx(plant.com_shift, abs=1e-6)
    assert rig.pushes == plant.pushes
    assert run_rig(rig, job).metrics["energy_j"] != run_rig(plain, job).metrics["energy_j"]


@pytest.mark.parametrize(
    "change",
    [
        {"motors": Motors(np.full(12, 0.8), np.ones(12), np.ones(12))},
        {"motors": Motors(np.ones(12), np.full(12, 0.8), np.ones(12))},
        {"motors": Motors(np.ones(12), np.ones(12), np.full(12, 0.9))},
        {"action_delay": 0.01},
        {"state_delay": 0.01},
    ],
    ids=["stiffness", "damping", "strength", "action_delay", "state_delay"],
)
def test_each_part_of_a_plant_is_felt(stands: str, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    job = Job(stands, "go2", COURSE, 0.0, 5, 0.5, STILL, plant="randomized")
    plain = nominal(COURSE.vary, 5)
    energy = []
    for plant in (plain, replace(plain, **change)):
        monkeypatch.setattr(episode, "randomized", lambda *_, plant=plant: plant)
        rig = build(job)
        energy.append(run_rig(rig, job).metrics["energy_j"])
    assert energy[0] != energy[1]
    late = rig.robot.ground_truth().stamp_ns - rig.metrics.stamp_ns
    assert late == round(change.get("state_delay", 0.0) * 1e9)


def test_the_robot_starts_where_the_course_puts_it(stands: str) -> None:
    course = replace(STEP, vary=replace(STEP.vary, start_yaw=(0.3, 0.3), start_y=(-0.2, -0.2)))
    truth = build(Job(stands, "go2", course, 0.2, 1, 4.0, STILL)).robot.ground_truth()
    w, x, y, z = truth.quat_wxyz
    assert math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)) == pytest.approx(0.3, abs=0.02)
    assert truth.position[1] == pytest.approx(-0.2, abs=0.02)


def test_motors_turn_a_command_into_other_gains_and_tell_nobody() -> None:
    robot = MujocoRobot(SPEC, MujocoOptions(clock="lockstep"))
    written: list[JointCommand | None] = []
    robot.write = lambda command: written.append(command)  # type: ignore[method-assign, assignment, func-returns-value]
    one, count = np.ones(12), np.arange(12.0)
    varied = VariedRobot(robot, Motors(0.9 * one, 1.2 * one, one + 0.01 * count))
    command = JointCommand(0, one, 0 * one, 2 * one, 30 * one, one, "x")
    assert varied.write(command) is command
    got = written[0]
    assert got is not None
    np.testing.assert_allclose(got.stiffness, 27 * (one + 0.01 * count))
    np.testing.assert_allclose(got.damping, 1.2 * (one + 0.01 * count))
    np.testing.assert_allclose(got.joint_effort, 2 * (one + 0.01 * count))
    np.testing.assert_array_equal(got.joint_pos, command.joint_pos)
    varied.write(None)
    assert written[1] is None


def test_a_push_changes_the_velocity_at_once() -> None:
    robot = MujocoRobot(SPEC, MujocoOptions(clock="lockstep", start="stand", noise=0.0))
    robot.push((0.3, -0.4, 0.0), (0.0, 0.0, 0.5))
    truth = robot.ground_truth()
    assert truth.base_lin_vel[:2] == pytest.approx([0.3, -0.4], abs=0.01)
    assert truth.base_ang_vel[2] == pytest.approx(0.5, abs=0.01)


def test_pushes_go_round_evenly_and_come_at_a_drawn_moment() -> None:
    pushes = [push_round(0.5, seed, 100, 2.0, 1.0) for seed in range(100)]
    angles = np.sort([math.atan2(push.linear[1], push.linear[0]) % (2 * math.pi) for push in pushes])
    assert np.diff(angles) == pytest.approx([2 * math.pi / 100] * 99)
    assert [math.hypot(*push.linear[:2]) for push in pushes] == pytest.approx([0.5] * 100)
    times = [push.at_s for push in pushes]
    assert min(times) >= 2.0 and max(times) <= 3.0 and np.std(times) > 0.2
    assert len(set(times)) == 100


def test_a_pushed_job_is_judged_once_it_has_had_time_to_recover() -> None:
    base = Job("x", "go2", COURSE, 0.0, 0, 20.0, STILL)
    walking, standing = push_cells(base, [Policy("x", "x")], 0.5, ["nominal"], 4)
    assert [cell.job.command for cell in (walking, standing)] == [(0.5, 0.0, 0.0), STILL]
    for job in walking.jobs:
        (push,) = job.pushes
        assert (job.course.settle, job.seconds) == (push.at_s + 2.0, push.at_s + 3.0)
    assert [job.seed for job in walking.jobs] == [0, 1, 2, 3]


def test_a_push_is_felt_by_the_run(stands: str) -> None:
    """A metre a second to the side tips a robot that holds its pose; without the push it stands."""
    job = Job(stands, "go2", COURSE, 0.0, 0, 3.0, STILL)
    calm = run_rig(build(job), job)
    pushed = replace(job, pushes=(Push(1.0, (0.0, 2.5, 0.0)),))
    after = run_rig(build(pushed), pushed)
    assert calm.success and calm.metrics["tilt_max_rad"] < 0.1
    assert after.metrics["tilt_max_rad"] > 0.2


def test_cells_are_every_difficulty_policy_and_plant() -> None:
    base = Job("x", "go2", STEP, 0.1, 0, 20.0, STILL)
    cells = course_cells(base, [Policy("a", "A"), Policy("b", "B")], [0.1, 0.2], ["nominal", "randomized"], 3)
    assert len(cells) == 8 and {len(cell.jobs) for cell in cells} == {3}
    assert [(cell.job.difficulty, cell.job.bundle, cell.job.plant) for cell in cells][:3] == [
        (0.1, "a", "nominal"), (0.1, "a", "randomized"), (0.1, "b", "nominal"),
    ]  # fmt: skip


def test_ground_that_no_blind_robot_comes_to_is_left_out_and_changes_nothing(stands: str) -> None:
    rough = load_course("rough")
    job = Job(stands, "go2", rough, 0.05, 4, 3.0, (0.2, 0.0, 0.0))
    whole = rough.place(0.05, 4).ground
    rig = build(job)
    boxes = sum(name.startswith("ground/") for name in geoms(rig.robot.model))
    assert 100 < boxes < 0.2 * len(whole.boxes)
    edges = within(whole, 2.6)
    assert len(edges.boxes) == boxes
    square = np.random.default_rng(0).uniform(-1.8, 1.8, (500, 2))
    np.testing.assert_array_equal(edges.heights(square), whole.heights(square))
    first = run_rig(rig, job).metrics
    far = replace(job, seconds=20.0)
    slow = build(far)
    assert sum(name.startswith("ground/") for name in geoms(slow.robot.model)) > 2 * boxes
    second = run_rig(slow, job).metrics
    drop = {"real_time_factor"}
    assert {k: v for k, v in first.items() if k not in drop} == {k: v for k, v in second.items() if k not in drop}


@pytest.mark.parametrize(
    ("command", "way"), [((0.5, 0.0, 0.0), 5.0), ((0.3, -0.4, 0.0), 5.0), ((0.5, 0.0, -1.0), 1.0), (STILL, 0.0)]
)
def test_a_command_leads_straight_on_or_around_a_circle(command: tuple[float, float, float], way: float) -> None:
    assert farthest(command, 10.0) == pytest.approx(way)
