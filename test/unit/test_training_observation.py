"""What training shows the actor and does with its action is, number by number, what the deployed pipeline does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from robot_policies.action.decoder import ActionDecoder
from robot_policies.contract import Contract
from robot_policies.observation.builder import ObservationBuilder
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.schema import parse
from robot_policies.types import PolicyInputs, RobotState, VelocityCommand, owned
from sim2real.mujoco.plant import motor_torque
from sim2real.randomization.actuators import draw_actuators
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.env import WalkEnv
from sim2real.training.export import contract_of
from sim2real.training.observation import actor_observation
from sim2real.training.tasks import GO2_WALK

ROBOTS = 8


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot_spec("go2")


@pytest.fixture(scope="module")
def contract(spec: RobotSpec) -> Contract:
    data = contract_of(GO2_WALK, spec, {"test": "none"}, "0.0.0")
    return parse(Contract, {"format": 1, "files": {}, **data}, "test")


@pytest.fixture(scope="module")
def env() -> Iterator[WalkEnv]:
    env = build_env(GO2_WALK, ROBOTS, seed=3)
    for _ in range(5):
        env.step(env.rng.normal(0.0, 2.0, (ROBOTS, 12)))
    yield env
    env.batch.close()


def deployed_inputs(env: WalkEnv, row: int) -> PolicyInputs:
    motion = env.motion
    state = RobotState(
        stamp_ns=1_000_000,
        joint_pos=owned(motion.joint_pos[row]),
        joint_vel=owned(motion.joint_vel[row]),
        joint_effort=owned(np.zeros(12)),
        base_quat_wxyz=owned(motion.base_quat_wxyz[row]),
        base_ang_vel=owned(motion.base_ang_vel[row]),
        base_lin_acc=owned(np.zeros(3)),
        foot_force=owned(np.zeros(4)),
    )
    return PolicyInputs(state, VelocityCommand(1_000_000, *env.command[row].tolist()))


def test_observation_is_that_of_the_deployed_builder(env: WalkEnv, contract: Contract, spec: RobotSpec) -> None:
    gait = env._gait()
    trained = actor_observation(GO2_WALK.terms, env.motion, gait, env.robot.body.default_joint_pos)
    builder = ObservationBuilder(contract, spec)
    for row in range(ROBOTS):
        last = gait.action[row].astype(np.float32)
        built = builder.build(deployed_inputs(env, row), tick=1, last_action=last).groups["policy"]
        np.testing.assert_allclose(trained[row], built, rtol=0, atol=1e-6)


def test_the_comparison_would_see_a_wrong_scale(env: WalkEnv, contract: Contract, spec: RobotSpec) -> None:
    terms = tuple(replace(term, scale=2 * term.scale) if term.term == "joint_vel" else term for term in GO2_WALK.terms)
    trained = actor_observation(terms, env.motion, env._gait(), env.robot.body.default_joint_pos)
    right = actor_observation(GO2_WALK.terms, env.motion, env._gait(), env.robot.body.default_joint_pos)
    assert np.abs(trained - right)[:, 21:33].max() > 1e-3
    assert np.array_equal(np.delete(trained, slice(21, 33), 1), np.delete(right, slice(21, 33), 1))


def test_noise_stays_within_its_half_width_and_leaves_command_and_last_action(env: WalkEnv) -> None:
    default, gait = env.robot.body.default_joint_pos, env._gait()
    clean = actor_observation(GO2_WALK.terms, env.motion, gait, default)
    noisy = actor_observation(GO2_WALK.terms, env.motion, gait, default, 1.0, np.random.default_rng(0))
    width = np.concatenate([np.full(term.size, term.noise * term.scale) for term in GO2_WALK.terms])
    assert (np.abs(noisy - clean) <= width + 1e-6).all()
    assert (noisy != clean)[:, width > 0].mean() > 0.99
    np.testing.assert_array_equal(noisy[:, width == 0], clean[:, width == 0])


def test_target_is_that_of_the_deployed_decoder(env: WalkEnv, contract: Contract, spec: RobotSpec) -> None:
    raw = np.random.default_rng(1).normal(0.0, 4.0, (50, 12)).astype(np.float32)
    clipped = np.clip(raw, -GO2_WALK.action_clip, GO2_WALK.action_clip)
    trained = env.robot.target(clipped.astype(float), GO2_WALK.action_scale)
    decoder = ActionDecoder(contract, spec)
    for row in range(len(raw)):
        action = decoder.action(raw[row], 0)
        np.testing.assert_array_equal(action.last_action, clipped[row])
        np.testing.assert_allclose(decoder.command(action).joint_pos, trained[row], rtol=0, atol=1e-6)


def test_nominal_torque_is_that_of_the_simulated_robot(env: WalkEnv, contract: Contract, spec: RobotSpec) -> None:
    rng = np.random.default_rng(2)
    target, pos, vel = (rng.normal(0.0, size, (30, 12)) for size in (1.5, 1.0, 15.0))
    gains = env.robot.gains(GO2_WALK, draw_actuators(NOMINAL, 30, 12, rng))
    command = ActionDecoder(contract, spec).command(ActionDecoder(contract, spec).action(np.zeros(12, np.float32), 0))
    still = np.zeros(12)
    deployed = motor_torque(pos, vel, target, still, still, command.stiffness, command.damping, env.robot.motors)
    np.testing.assert_allclose(env.robot.torque(target, pos, vel, gains), deployed)
    assert (np.abs(deployed) == spec.effort_limit).any()  # the limits took part in the comparison


def test_a_weak_motor_gives_less(env: WalkEnv) -> None:
    actuators = draw_actuators(NOMINAL, 1, 12, np.random.default_rng(0))
    target, pos, vel = np.full((1, 12), 0.2), np.zeros((1, 12)), np.zeros((1, 12))
    full = env.robot.torque(target, pos, vel, env.robot.gains(GO2_WALK, actuators))
    actuators.strength[:] = 0.9
    np.testing.assert_allclose(env.robot.torque(target, pos, vel, env.robot.gains(GO2_WALK, actuators)), 0.9 * full)
