"""What the student of parkour sees is what the bundle's pipeline builds, and whose heading it is told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from helpers.parkour_student import FRAME, ROBOTS, TASK, student_env

from robot_policies.contract import Contract
from robot_policies.observation.builder import ObservationBuilder
from robot_policies.policies.heading import HeadingCommand
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import PolicyInputs, RobotState, VelocityCommand, owned
from sim2real.training.motion import heading
from sim2real.training.parkour import depth_input
from sim2real.training.parkour.env import REFRESH
from sim2real.training.parkour.student_contract import student_contract
from sim2real.training.parkour.student_env import StudentEnv


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot_spec("go2")


@pytest.fixture
def env() -> Iterator[StudentEnv]:
    with student_env() as made:
        yield made


@pytest.fixture(scope="module")
def contract(spec: RobotSpec) -> Contract:
    return parse(
        Contract, {"format": 1, "files": {}, **student_contract(TASK, spec, {"test": "none"}, "0.0.0")}, "test"
    )


def deployed(env: StudentEnv, row: int) -> PolicyInputs:
    motion = env.motion
    state = RobotState(
        stamp_ns=1, joint_pos=owned(motion.joint_pos[row]), joint_vel=owned(motion.joint_vel[row]),
        joint_effort=owned(np.zeros(12)), base_quat_wxyz=owned(motion.base_quat_wxyz[row]),
        base_ang_vel=owned(motion.base_ang_vel[row]), base_lin_acc=owned(np.zeros(3)),
        foot_force=owned(10.0 * motion.foot_contact[row]),
    )  # fmt: skip
    return PolicyInputs(state, VelocityCommand(1, *env.command[row].tolist()))


def test_frames_and_pasts_are_those_of_the_deployed_builder(
    env: StudentEnv, contract: Contract, spec: RobotSpec
) -> None:
    """Step by step over an episode's start, past the oldest frame that a network reads, and over a restart."""
    builders = [ObservationBuilder(contract, spec) for _ in range(ROBOTS)]
    views, first = env.views().groups, np.ones(ROBOTS, dtype=bool)
    for step in range(16):
        for row, builder in enumerate(builders):
            if first[row]:
                builder.reset()
            last = env._memory.gait(env.command).action[row].astype(np.float32)
            built = builder.build(deployed(env, row), step, last, float(env._heading[row])).groups
            past = views["past"][row].reshape(11, FRAME)
            np.testing.assert_allclose(views["proprio"][row, :FRAME], built["frame"], atol=1e-6)
            np.testing.assert_allclose(views["heading"][row], built["heading"], atol=1e-6)
            np.testing.assert_allclose(past[:5].ravel(), built["recent"], atol=1e-6)
            np.testing.assert_allclose(past[:0:-1].ravel(), built["past"], atol=1e-6)
        if step == 12:
            env.age[2] = TASK.episode_steps
        outcome = env.step(env.rng.normal(0.0, 1.0, (ROBOTS, 12)))
        views, first = outcome.views.groups, outcome.done


def test_a_given_heading_is_followed_as_the_deployed_command_does(env: StudentEnv) -> None:
    """Looked at when the depth network is stepped, held in between, limited alike."""
    env._steered[:] = False
    env.age[:] = TASK.episode_steps
    env.step(np.zeros((ROBOTS, 12)))
    env._steered[:], env._aim[:] = False, 0.7
    commands = [HeadingCommand(1.5, 5, TASK.control_dt) for _ in range(ROBOTS)]
    for command in commands:
        command._heading = 0.7
    # Asked anew at tick 0 of both, so that both hold the same
    env._heading[:] = [0.7 - yaw for yaw in heading(env.motion.base_quat_wxyz)]
    for tick in range(12):
        for row, command in enumerate(commands):
            said = command(env.motion.base_quat_wxyz[row], None, tick)
            assert env._heading[row] == pytest.approx(said, abs=1e-6)
        env.step(np.zeros((ROBOTS, 12)))


def test_who_is_steered_is_told_of_the_curve_and_who_is_not_has_none(env: StudentEnv) -> None:
    env._ask(np.ones(ROBOTS, dtype=bool))
    env._steered[:] = np.arange(ROBOTS) % 2 == 0
    env._aim[:] = 0.0
    env._paths._swing[:], env._paths._wave[:], env._paths._phase[:] = 0.5, 6.0, 0.0
    env._paths.straighten(~env._steered)
    along = env._paths.directions(env._xy())[:, 0]
    error = env._heading_error() + heading(env.motion.base_quat_wxyz)
    np.testing.assert_allclose(error[env._steered], along[env._steered])
    np.testing.assert_allclose(error[~env._steered], 0.0, atol=1e-12)
    assert env._paths.left(np.full(ROBOTS, 1.0))[~env._steered].tolist() == [0.0] * 4


def test_the_teacher_of_a_robot_that_nobody_steers_is_told_what_the_robot_is_told(env: StudentEnv) -> None:
    env.age[:] = 0
    env._ask(np.ones(ROBOTS, dtype=bool))
    env._steered[:] = np.arange(ROBOTS) % 2 == 0
    env.batch.qpos[:, 1] = 0.6  # beside its line: who is steered is led back
    for _ in range(REFRESH):
        env.step(np.zeros((ROBOTS, 12)))
    alone, asked = ~env._steered, env._heading[:, None]
    np.testing.assert_array_equal(env._yaw[alone], np.repeat(asked, 2, axis=1)[alone])
    np.testing.assert_allclose(env.views().groups["proprio"][alone, FRAME], env._heading[alone], atol=1e-6)
    assert (np.abs(env._yaw - asked)[env._steered] > 1e-6).all()


def test_images_are_new_at_ten_hertz_and_at_a_start(env: StudentEnv) -> None:
    env.age[:], new, changed = 0, [], []
    for step in range(11):
        if step == 7:
            env.age[3] = TASK.episode_steps
        before = env.views().groups["image"]
        after = env.step(np.zeros((ROBOTS, 12))).views.groups
        new.append(after["new"][:, 0])
        changed.append((after["image"] != before).any(axis=1))
    np.testing.assert_array_equal(np.array(new) > 0, np.array(changed))
    assert np.flatnonzero(np.array(new)[:, 0]).tolist() == [4, 9]
    assert np.flatnonzero(np.array(new)[:, 3]).tolist() == [4, 7]


def test_the_bundle_states_the_camera_that_was_trained_with(
    env: StudentEnv, contract: Contract, spec: RobotSpec
) -> None:
    depth = contract.depth["depth"]
    assert depth == depth_input.depth_input(spec)
    assert env.views().groups["image"].shape == (ROBOTS, depth.size[0] * depth.size[1])
    assert depth.delay[0] == depth_input.CAMERA_DELAY[0]
    longest = depth_input.CAMERA_DELAY[1] + 1.0 / 30.0 + TASK.control_dt
    assert longest <= depth.delay[1] < contract.limits.inputs["depth"].max_age
    assert contract.networks[0].period * TASK.control_dt == pytest.approx(1.0 / depth.rate)
