"""The shipped bundle: agrees with robot file and model, walks and stands, and the safety filter leaves it alone."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from robot_policies.types import Mode, RobotRecord
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, run_episode
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.plan import Policy, push_cells
from sim2real.evaluation.schedule import Operator
from sim2real.mujoco.robot import MujocoRobot, create
from sim2real.mujoco.world import build_model

SPEC = load_robot_spec("go2")
SECOND = 1_000_000_000
RAMP_NS = 250_000_000  # gains are still on their way from those of the stand


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("go2_walk", SPEC)


def walked(
    bundle: Bundle, command: tuple[float, float, float], seconds: int, seed: int
) -> tuple[list[RobotRecord], MujocoRobot]:
    """Return the cycles under the policy, and the robot at the end."""
    records: list[RobotRecord] = []

    def keep(record: RobotRecord) -> None:
        if record.mode is Mode.ACTIVE:
            records.append(record)

    robot = create(SPEC, {"clock": "lockstep", "seed": seed})
    step = RobotStep(SPEC, load_safety("go2", SPEC))
    run = OfflineRun(robot, step, PolicyStep(bundle, SPEC), Operator(command), on_robot=[keep])
    run.run(3 * SECOND)
    assert run.active and run.refusals == []
    run.run(robot.now_ns() + seconds * SECOND)
    assert step.trips == () and dict(step.clamp_counts) == {}
    return records, robot


def test_bundle_robot_file_and_model_agree(bundle: Bundle) -> None:
    joints, model = bundle.contract.joints, build_model(SPEC)
    index = SPEC.joint_index(joints.names)
    assert sorted(joints.names) == sorted(SPEC.joint_names)
    ranges = np.array([model.joint(name).range for name in joints.names])
    np.testing.assert_allclose(ranges, np.stack([SPEC.joint_lower, SPEC.joint_upper], axis=1)[index], atol=1e-6)
    pose = np.array(joints.default_joint_pos)
    assert np.all(pose > ranges[:, 0]) and np.all(pose < ranges[:, 1])
    np.testing.assert_allclose(pose, SPEC.poses["stand"][index], atol=0.1)
    np.testing.assert_allclose(joints.torque_limit, np.array([23.7, 23.7, 45.43] * 4), atol=1e-9)  # restated
    np.testing.assert_allclose(SPEC.effort_limit[index], joints.torque_limit)
    motors = [mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_JOINT, int(i)) for i in model.actuator_trnid[:, 0]]
    assert sorted(motors) == sorted(joints.names)
    timing = bundle.contract.timing
    assert timing.control_dt == pytest.approx(0.02) and (timing.control_dt * SPEC.state_rate) % 1 == 0


def test_the_networks_still_give_their_golden_outputs(bundle: Bundle) -> None:
    assert check_golden(bundle, SPEC).ticks >= 32


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_it_walks_and_the_safety_filter_changes_nothing(bundle: Bundle, seed: int) -> None:
    records, robot = walked(bundle, (0.8, 0.0, 0.0), 15, seed)
    begin = records[0].state.stamp_ns + RAMP_NS
    changed = [
        record.state.stamp_ns
        for record in records
        if record.state.stamp_ns > begin
        and record.command is not None
        and record.safe is not None
        and not all(
            np.array_equal(getattr(record.command, part), getattr(record.safe, part))
            for part in ("joint_pos", "joint_vel", "joint_effort", "stiffness", "damping")
        )
    ]
    assert len(records) > 3000 and changed == []
    speed = [record.state.base_lin_vel[0] for record in records[400:] if record.state.base_lin_vel is not None]
    assert 0.64 < np.mean(speed) < 0.96  # within 20 % of 0.8 m/s
    assert robot.ground_truth().ground_contacts == ()


def test_it_stands_without_stepping_at_zero_command(bundle: Bundle) -> None:
    records, robot = walked(bundle, (0.0, 0.0, 0.0), 5, 3)
    late = records[-600:]
    assert np.ptp([record.state.joint_pos for record in late], axis=0).max() < 0.05
    assert all(record.state.foot_force.min() > 1.0 for record in late)
    assert np.linalg.norm(robot.ground_truth().position[:2]) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "difficulty"), [("rough", 0.03), ("steps", 0.1), ("step", 0.1)])
def test_it_crosses_rough_ground_and_steps(name: str, difficulty: float) -> None:
    course = load_course(name, difficulty)
    for seed in (0, 1):
        job = Job("go2_walk", "go2", course, difficulty, seed, course.seconds, course.command)
        assert run_episode(job).failures == ()


@pytest.mark.slow
def test_pushes_from_all_sides_do_not_fell_it() -> None:
    base = Job("go2_walk", "go2", load_course("flat"), 0.0, 0, 5.0, (0.5, 0.0, 0.0))
    cells = push_cells(base, [Policy("go2_walk", "go2_walk")], 0.5, ["nominal"], 4)
    episodes = [run_episode(job) for cell in cells for job in cell.jobs]
    assert len(episodes) == 8 and [episode.failures for episode in episodes if episode.failures] == []
