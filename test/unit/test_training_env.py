"""The vectorised environment: physics as the simulated robot's, delays, restarts, pushes, what a fall is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import JointCommand, owned
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env, load_model
from sim2real.training.commands import draw_commands
from sim2real.training.env import Outcome
from sim2real.training.grounds import GroundKind
from sim2real.training.tasks import GO2_WALK
from sim2real.training.walk import WalkEnv

FLAT = (GroundKind("flat", 1.0),)
CALM = replace(GO2_WALK, randomization=NOMINAL, grounds=FLAT, levels=1)


@pytest.fixture
def env() -> Iterator[WalkEnv]:
    env = build_env(CALM, 8, seed=0)
    env.age[:] = 0
    yield env
    env.batch.close()


def settle(env: WalkEnv, steps: int = 100) -> Outcome:
    for _ in range(steps):
        outcome = env.step(np.zeros((len(env), 12)))
    return outcome


def test_it_stands_on_its_four_feet(env: WalkEnv) -> None:
    outcome = settle(env)
    assert env.motion.foot_contact.all()
    assert env.motion.bad_contact.sum() <= 1  # a calf may lean on the ground beside its foot
    assert not outcome.done.any()
    np.testing.assert_allclose(env.motion.gravity, np.tile([0.0, 0.0, -1.0], (8, 1)), atol=0.3)  # the gains are soft
    assert (np.abs(env.motion.foot_height) < 0.005).all()
    assert (np.abs(env.motion.base_lin_vel) < 0.1).all()


def test_one_step_is_what_the_simulated_robot_does(env: WalkEnv) -> None:
    """Same state, same targets, same physics step: the state after 20 ms agrees with that of ``MujocoRobot``."""
    task = replace(CALM, physics_dt=0.0025)
    ours = build_env(task, 1, seed=0)
    spec = load_robot_spec("go2")
    robot = MujocoRobot(spec, MujocoOptions(clock="lockstep", start="stand", noise=0.0))
    data = robot._data
    ours.batch.qpos[0], ours.batch.qvel[0] = data.qpos, data.qvel
    action = np.linspace(-1.0, 1.0, 12)[None]
    ours._memory.target = ours.robot.body.default_joint_pos[None].copy()
    targets = [ours._memory.target[0]] + 3 * [ours.robot.target(action, task.action_scale)[0]]
    zero = owned(np.zeros(12))
    for target in targets:
        gains = owned(np.full(12, task.stiffness[0])), owned(np.full(12, task.damping[0]))
        robot.write(JointCommand(0, owned(target), zero, zero, *gains, "test"))
        robot.read(lambda due: None)
    ours._drive.step(action)
    np.testing.assert_allclose(ours.batch.qpos[0], data.qpos, atol=2e-4)
    np.testing.assert_allclose(ours.batch.qvel[0], data.qvel, atol=2e-2)
    assert np.abs(data.qvel[6:]).max() > 1.0  # it moved


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_a_new_target_acts_after_the_delay(env: WalkEnv, delay: int) -> None:
    settle(env)
    env._drive.actuators.delay[:] = delay
    seen = []
    real = env.robot.torque
    spy = replace(env.robot)
    object.__setattr__(spy, "torque", lambda target, *rest: seen.append(target[0, 0]) or real(target, *rest))
    env._drive._robot = spy
    env._drive.step(np.ones((8, 12)))
    old, new = 0.0, GO2_WALK.action_scale
    np.testing.assert_allclose(seen, delay * [old] + (4 - delay) * [new])


def test_a_fallen_robot_starts_anew_and_the_others_go_on(env: WalkEnv) -> None:
    settle(env)
    env.batch.qpos[2, 3:7] = (np.cos(0.6), np.sin(0.6), 0.0, 0.0)  # rolled by 1.2 rad
    outcome = env.step(np.zeros((8, 12)))
    assert outcome.fell.tolist() == [False, False, True] + 5 * [False]
    assert outcome.done[2] and not outcome.time_out[2]
    assert outcome.reward[2] < -0.5 < outcome.reward[0]
    assert env.age[2] == 0 and env.age[0] > 0
    assert env.motion.gravity[2, 2] < -0.999


def test_a_broken_state_counts_as_a_fall_and_harms_nobody(env: WalkEnv) -> None:
    settle(env, 5)
    env.batch.qvel[1, 0] = np.nan
    outcome = env.step(np.zeros((8, 12)))
    assert outcome.fell.tolist() == [False, True] + 6 * [False]
    assert np.isfinite(outcome.reward).all()
    assert np.isfinite(list(outcome.terms.values())).all()
    assert np.isfinite(outcome.views.actor).all() and np.isfinite(outcome.views.critic).all()


def test_time_out_is_not_a_fall(env: WalkEnv) -> None:
    settle(env, 3)
    env.age[4] = GO2_WALK.episode_steps - 1
    outcome = env.step(np.zeros((8, 12)))
    assert outcome.time_out.tolist() == 4 * [False] + [True] + 3 * [False]
    assert not outcome.fell.any()


def test_a_fall_on_the_last_step_is_a_fall_and_no_time_out(env: WalkEnv) -> None:
    settle(env, 3)
    env.age[:] = GO2_WALK.episode_steps - 1
    env.batch.qpos[5, 3:7] = (np.cos(0.6), np.sin(0.6), 0.0, 0.0)
    outcome = env.step(np.zeros((8, 12)))
    assert outcome.done.all()
    assert outcome.time_out.tolist() == 5 * [True] + [False] + 2 * [True]


def test_a_restarted_robot_remembers_nothing(env: WalkEnv) -> None:
    for _ in range(3):
        env.step(np.ones((8, 12)))
    env.age[4] = GO2_WALK.episode_steps - 1
    outcome = env.step(np.ones((8, 12)))
    assert outcome.done.tolist() == 4 * [False] + [True] + 3 * [False]
    gait = env._memory.gait(env.command)
    for action in (gait.action, gait.action_1, gait.action_2):
        assert not action[4].any() and (action[3] == 1.0).all()
    np.testing.assert_array_equal(gait.target[4], env.robot.body.default_joint_pos)
    assert not gait.swing[4].any() and not gait.landed[4].any()
    for age in range(3):
        assert not outcome.views.actor[4, 45 * age + 33 : 45 * (age + 1)].any()  # last_action


def test_pushes_move_robots() -> None:
    calm = build_env(CALM, 8, seed=0)
    pushed = build_env(replace(CALM, randomization=replace(NOMINAL, push_interval=0.1)), 8, seed=0)
    speeds = []
    for env in (calm, pushed):
        settle(env, 30)
        speeds.append(np.linalg.norm(env.motion.base_lin_vel[:, :2], axis=1).max())
        env.batch.close()
    assert speeds[0] < 0.3 < 0.5 < speeds[1]


def test_swing_time_is_counted_until_the_foot_lands(env: WalkEnv) -> None:
    settle(env)
    contact = env.motion.foot_contact.copy()
    for touching, swing, landed in ((False, 0.02, False), (False, 0.04, False), (True, 0.04, True), (True, 0.0, False)):
        contact[:] = touching
        env._memory.walk(replace(env.motion, foot_contact=contact.copy()), env.command)
        gait = env._memory.gait(env.command)
        np.testing.assert_allclose(gait.swing, swing)
        assert (gait.landed == landed).all()


def test_the_same_seed_gives_the_same_run() -> None:
    runs = []
    for seed in (5, 5, 6):
        env = build_env(GO2_WALK, 8, seed)
        actions = np.random.default_rng(0).normal(size=(6, 8, 12))
        runs.append(np.concatenate([env.step(action).views.actor for action in actions]))
        env.batch.close()
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_commands_follow_their_ranges() -> None:
    ranges = GO2_WALK.commands
    drawn = draw_commands(ranges, 4000, np.random.default_rng(0))
    low, high = np.array([ranges.lin_vel_x, ranges.lin_vel_y, ranges.ang_vel_z]).T
    assert (drawn >= low).all() and (drawn <= high).all()
    small = (np.abs(drawn) < ranges.dead_band) & (drawn != 0)
    assert not small.any()
    still = (drawn == 0).all(axis=1).mean()
    assert ranges.standing <= still + 0.02 and still < ranges.standing + 0.05
    straight = (drawn[:, 1:] == 0).all(axis=1) & (drawn[:, 0] > 0)
    assert straight.mean() > 0.8 * ranges.forward


def test_a_missing_foot_is_named() -> None:
    spec = replace(load_robot_spec("go2"), feet=("FR_foot", "FL_foot", "RR_foot", "left_paw"))
    with pytest.raises(RobotError, match="no left_paw; valid: .*RL_foot"):
        load_model(spec, 0.005)
