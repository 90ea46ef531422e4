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
from sim2real.training.export import contract_of
from sim2real.training.motion import Gait
from sim2real.training.observation import actor_observation
from sim2real.training.tasks import GO2_WALK
from sim2real.training.walk import WalkEnv

ROBOTS = 8
QUIET = replace(GO2_WALK.randomization, noise=0.0, state_delay_cycles=(0, 0))
TASK = replace(GO2_WALK, randomization=QUIET)  # what the actor sees is the present, without noise


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    return load_robot_spec("go2")


@pytest.fixture(scope="module")
def contract(spec: RobotSpec) -> Contract:
    data = contract_of(GO2_WALK, spec, {"test": "none"}, "0.0.0")
    return parse(Contract, {"format": 1, "files": {}, **data}, "test")


@pytest.fixture(scope="module")
def env() -> Iterator[WalkEnv]:
    env = build_env(TASK, ROBOTS, seed=3)
    for _ in range(5):
        env.step(env.rng.normal(0.0, 2.0, (ROBOTS, 12)))
    yield env
    env.batch.close()


def gait_of(env: WalkEnv) -> Gait:
    return env._memory.gait(env.command)


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


def test_observation_is_that_of_the_deployed_builder_with_its_past(contract: Contract, spec: RobotSpec) -> None:
    """Step by step over an episode's start, past the oldest frame that the actor sees, and over a restart."""
    env = build_env(TASK, ROBOTS, seed=3)
    builders = [ObservationBuilder(contract, spec) for _ in range(ROBOTS)]
    seen, first = env.views().actor, np.ones(ROBOTS, dtype=bool)
    for step in range(8):
        for row, builder in enumerate(builders):
            if first[row]:
                builder.reset()
            last = gait_of(env).action[row].astype(np.float32)
            built = builder.build(deployed_inputs(env, row), tick=step, last_action=last).groups["policy"]
            np.testing.assert_allclose(seen[row], built, rtol=0, atol=1e-6)
        if step == 5:
            env.age[2] = TASK.episode_steps
        outcome = env.step(env.rng.normal(0.0, 1.0, (ROBOTS, 12)))
        seen, first = outcome.views.actor, outcome.done
    assert builders[0].build(deployed_inputs(env, 0), 9, last).groups["policy"].size == 3 * 45
    env.batch.close()


def test_a_late_state_is_that_of_some_cycles_ago(env: WalkEnv) -> None:
    """The measured terms are late, all by the robot's own delay; command and last action are not."""
    late = np.arange(ROBOTS) % 3
    cycles = []
    keep = env._senses.keep
    env._senses.keep = lambda: cycles.append((env.batch.qpos.copy(), env.batch.qvel.copy())) or keep()
    env.step(env.rng.normal(0.0, 1.0, (ROBOTS, 12)))
    env._senses.keep = keep
    seen = env._senses.late(env.motion, late)
    for row, age in enumerate(late):
        qpos, qvel = (env.batch.qpos, env.batch.qvel) if age == 0 else cycles[-age]
        np.testing.assert_array_equal(seen.joint_pos[row], qpos[row, 7:])
        np.testing.assert_array_equal(seen.joint_vel[row], qvel[row, 6:])
        np.testing.assert_array_equal(seen.base_ang_vel[row], qvel[row, 3:6])
    np.testing.assert_array_equal(seen.gravity[0], env.motion.gravity[0])
    assert (seen.gravity[1] != env.motion.gravity[1]).any()


def test_the_comparison_would_see_a_wrong_scale(env: WalkEnv, contract: Contract, spec: RobotSpec) -> None:
    terms = tuple(replace(term, scale=2 * term.scale) if term.term == "joint_vel" else term for term in GO2_WALK.terms)
    trained = actor_observation(terms, env.motion, gait_of(env), env.robot.body.default_joint_pos)
    right = actor_observation(GO2_WALK.terms, env.motion, gait_of(env), env.robot.body.default_joint_pos)
    assert np.abs(trained - right)[:, 21:33].max() > 1e-3
    assert np.array_equal(np.delete(trained, slice(21, 33), 1), np.delete(right, slice(21, 33), 1))


def test_noise_stays_within_its_half_width_and_leaves_command_and_last_action(env: WalkEnv) -> None:
    default, gait = env.robot.body.default_joint_pos, gait_of(env)
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
