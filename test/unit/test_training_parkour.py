"""The teacher of parkour: what is seen of its lanes, what ends an episode, what is learnt beside acting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from helpers.parkour_grounds import GAPS, STEPS

from sim2real.mujoco.terrain import find_place
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.mirror import joint_mirror
from sim2real.training.motion import heading
from sim2real.training.parkour import views
from sim2real.training.parkour.env import ParkourEnv
from sim2real.training.parkour.tasks import GO2_PARKOUR_TEACHER
from sim2real.training.parkour.terms import TERMS, Goal
from sim2real.training.rewards import TERMS as SHARED

TASK = replace(GO2_PARKOUR_TEACHER, grounds=(STEPS, GAPS), levels=3, tiles=1, randomization=NOMINAL)


@pytest.fixture
def env() -> Iterator[ParkourEnv]:
    made = build_env(TASK, 8, seed=0)
    assert isinstance(made, ParkourEnv)
    made.age[:] = 0
    yield made
    made.batch.close()


def idle(env: ParkourEnv, steps: int = 1) -> object:
    for _ in range(steps):
        outcome = env.step(np.zeros((8, 12)))
    return outcome


def test_the_scan_is_the_ground_in_front_in_the_frame_of_the_heading(env: ParkourEnv) -> None:
    place = find_place("parkour_steps:0.1:0")
    edge = place.lane.first_edge
    env.batch.qpos[:, :3] = (edge - 0.5, 0.0, 0.32)
    for yaw in (0.0, 0.4):
        env.batch.qpos[:, 3:7] = (np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2))
        env.motion = env._drive.motion()
        scan = env._scan()[0].reshape(len(views.SCAN_X), len(views.SCAN_Y))
        ahead, left = np.meshgrid(views.SCAN_X, views.SCAN_Y, indexing="ij")
        x = edge - 0.5 + np.cos(yaw) * ahead - np.sin(yaw) * left
        clear = np.abs(x - edge) > 0.11
        expected = np.where(x > edge, 0.02 - 0.1, 0.02)
        np.testing.assert_allclose(scan[clear], expected[clear], atol=1e-6)


def test_the_ground_and_the_path_are_looked_at_at_ten_hertz(env: ParkourEnv) -> None:
    changes = []
    for _ in range(15):
        before = env._seen.copy()
        idle(env)
        changes.append(bool((env._seen != before).any()))
    assert np.flatnonzero(changes).tolist() == [4, 9, 14]


def test_robots_in_a_gap_beside_the_lane_or_on_their_back_have_fallen(env: ParkourEnv) -> None:
    idle(env, 30)
    gap = find_place("parkour_gaps:0.2:0").lane.first_edge
    env.batch.qpos[4, :3] = (gap + 0.1, 0.0, -0.4)  # robots 4 to 7 are on the gaps
    env.batch.qpos[1, 1] = 1.95
    env.batch.qpos[2, 3:7] = (np.cos(0.75), np.sin(0.75), 0.0, 0.0)
    outcome = idle(env)
    assert outcome.fell.tolist() == [False, True, True, False, True, False, False, False]
    assert outcome.reward[1] < -0.3


def test_a_robot_past_the_last_edge_has_arrived_and_goes_up_a_level(env: ParkourEnv) -> None:
    idle(env, 5)
    finish = env.lanes.finish[env.fleet.tile]
    env.batch.qpos[0, 0], env.batch.qpos[0, 2] = finish[0] + 1.1, 0.4
    outcome = idle(env)
    assert outcome.time_out.tolist() == [True] + 7 * [False] and not outcome.fell.any()
    assert env.fleet.level.tolist() == [1] + 7 * [0]
    assert env.batch.qpos[0, 0] < 1.0  # it starts anew
    assert env.numbers()["arrived"] > 0.0


def test_a_robot_that_does_not_move_loses_a_level(env: ParkourEnv) -> None:
    env.fleet.level[:] = 1
    idle(env, 3)
    env._memory.asked[:] = 5.0
    env.age[3] = TASK.episode_steps - 1
    idle(env)
    assert env.fleet.level.tolist() == [1, 1, 1, 0, 1, 1, 1, 1]


def test_a_robot_that_stands_though_it_should_go_has_given_up(env: ParkourEnv) -> None:
    env._pause[:] = -1.0
    env._pause[5] = 1.0  # it is asked to stand for a while
    env._farthest[6] = -5.0  # it has just gained way
    env.task = replace(env.task, fall_tilt=3.2)  # nobody falls meanwhile
    gone = np.zeros(8, dtype=int)
    for step in range(1, 170):
        env.rng = np.random.default_rng(3)  # nobody is pushed or stopped
        gone = np.where((gone == 0) & idle(env).fell, step, gone)
    assert set(gone.tolist()) - {0} <= {150, 151}
    assert gone[5] == 0 and (gone[[0, 1, 2, 3, 4, 7]] > 0).all()


GOAL = Goal(
    speed=np.array([0.4]), asked=np.array([0.8]), yaw_error=np.array([-0.5]), off_path=np.array([0.3]),
    on_edge=np.array([[True, True, False, False]]), torque_before=np.zeros((1, 12)),
)  # fmt: skip


def test_terms(env: ParkourEnv) -> None:
    motion = replace(
        env.motion, gravity=np.array([[0.6, 0.2, -0.7]]), foot_contact=np.array([[True, False, True, True]]),
        torque=np.full((1, 12), 2.0),
    )  # fmt: skip
    gait = replace(env._memory.gait(env.command), action=np.arange(12.0)[None])
    values = {name: float(term(motion, gait, GOAL)[0]) for name, term in TERMS.items()}
    assert values == pytest.approx(
        {"goal_vel": 0.5, "goal_yaw": np.exp(-0.5), "off_path": 0.3, "roll": 0.04, "feet_edge": 1.0,
         "torque_rate": 48.0, "hips_off": 0.0 + 3.0 + 6.0 + 9.0}
    )  # fmt: skip
    faster = replace(GOAL, speed=np.array([2.0]))
    assert float(TERMS["goal_vel"](motion, gait, faster)[0]) == 1.0  # faster than asked earns no more
    assert set(GO2_PARKOUR_TEACHER.rewards) <= set(TERMS) | set(SHARED)


def test_some_robots_stop_for_a_while_and_standing_is_what_they_gain_by(env: ParkourEnv) -> None:
    asked = env._speed.copy()
    env._pause[2] = 0.05
    stands = [idle(env).views.groups["proprio"][2, 42] == 0.0 for _ in range(5)]
    assert stands == [True, True, False, False, False]
    np.testing.assert_array_equal(env.command[:, 0], asked)
    still, gait = replace(env.motion, base_lin_vel=np.zeros((8, 3))), env._memory.gait(env.command)
    goal = replace(GOAL, asked=np.zeros(1))
    assert TERMS["goal_vel"](still, gait, goal)[0] == 1.0
    moves = replace(env.motion, base_lin_vel=np.full((8, 3), 0.4))
    assert TERMS["goal_vel"](moves, gait, goal)[0] < 0.05
    env.rng = np.random.default_rng(1)
    share = []
    for _ in range(400):
        idle(env)
        share.append((env.command[:, 0] == 0.0).mean())
    assert 0.02 < np.mean(share) < 0.25


def test_mirrored_robots_see_mirrored_views(env: ParkourEnv) -> None:
    """Two robots in the mirror of each other, on one lane, under mirrored actions."""
    joints, mirrors = joint_mirror(env.robot.joint_names), env.mirrors()
    env.batch.models[1] = env.batch.models[0]
    env.fleet.which[1] = env.fleet.which[0]
    env._paths._swing[:] = 0.0
    env.batch.qpos[:2, :3] = ((0.1, 0.2, 0.36), (0.1, -0.2, 0.36))
    yaw = np.array([0.3, -0.3])
    env.batch.qpos[:2, 3:7] = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=1)
    env.batch.qpos[1, 7:] = joints(env.batch.qpos[0, 7:])
    env.batch.qvel[:2] = 0.0
    env.command[:2, 0] = env._speed[:2] = 0.7
    for step in range(5):
        action = 0.5 * np.sin(np.arange(12) + step)
        both = env.step(np.concatenate([np.stack([action, joints(action)]), np.zeros((6, 12))])).views.groups
    for name, tolerance in (("proprio", 0.1), ("scan", 0.15), ("critic", 0.2)):
        close = np.isclose(both[name][1], mirrors[name](both[name][0]), atol=tolerance)
        assert close.mean() > 0.97, name  # a point of the scan may lie on the other side of an edge
        assert np.abs(both[name][1] - both[name][0]).max() > 0.05
    assert heading(env.motion.base_quat_wxyz)[0] > 0.2


def test_the_past_begins_with_its_first_frame_and_then_moves_on(env: ParkourEnv) -> None:
    size = views.frame_size(TASK.terms)
    frames = env.views().groups["past"].reshape(8, -1, size)
    assert frames.shape[1] == 11
    np.testing.assert_array_equal(frames[:, 1:], np.repeat(frames[:, :1], 10, axis=1))
    before = env.views().groups["past"].reshape(8, -1, size)
    after = idle(env).views.groups["past"].reshape(8, -1, size)
    np.testing.assert_array_equal(after[:, 1:], before[:, :-1])
    np.testing.assert_array_equal(after[:, 0], env.views().groups["proprio"][:, :size])


@pytest.mark.torch
def test_the_adaptation_learns_velocity_and_latent_and_pulls_the_teacher(env: ParkourEnv) -> None:
    import torch

    from sim2real.training.learner import build_learner, to_tensors
    from sim2real.training.parkour import adaptation

    torch.manual_seed(0)
    learner = build_learner(env.task, env)
    own, seen = learner.adaptation, to_tensors(env.views())
    velocity = torch.randn(8, 3)
    hidden = torch.randn(8, seen["hidden"].shape[1])
    losses, away = [], []
    own.updates = adaptation.RAMP[1]
    for _ in range(150):
        own.remember(seen["past"] + 0.0, velocity, hidden)
        losses.append(own.learn(learner.actor))
        with torch.no_grad():
            away.append(float((learner.actor.hidden_encoder(hidden) - own.infer(seen["past"])[1]).square().mean()))
    assert losses[-1]["estimate"] < 0.1 * losses[0]["estimate"]
    assert losses[-1]["latent"] < 0.2 * losses[0]["latent"]
    assert away[-1] < away[0]


@pytest.mark.torch
def test_now_and_then_the_teacher_acts_on_its_history_and_does_not_learn_from_that(env: ParkourEnv) -> None:
    import torch

    from sim2real.training.learner import build_learner, to_tensors
    from sim2real.training.parkour.learner import FIRST

    learner = build_learner(replace(env.task, ppo=replace(env.task.ppo, steps=2)), env)
    for updates, adapts in ((0, False), (FIRST, True), (FIRST + 1, False)):
        learner.adaptation.updates = updates
        weights = {name: value.clone() for name, value in learner.actor.mlp.state_dict().items()}
        with torch.inference_mode():
            for _ in range(2):
                learner.act(to_tensors(env.views()))
                assert (learner.actor.adapted is not None) == adapts
                zeros = torch.zeros(8)
                learner.process_env_step(
                    to_tensors(env.views()), zeros + torch.rand(8), zeros.bool(), {"time_outs": zeros}
                )
            learner.compute_returns(to_tensors(env.views()))
        learner.update()
        same = all(torch.equal(weights[name], value) for name, value in learner.actor.mlp.state_dict().items())
        assert same == adapts
    assert learner.adaptation.updates == FIRST + 2


@pytest.mark.torch
def test_a_checkpoint_holds_the_adaptation(env: ParkourEnv) -> None:
    import torch

    from sim2real.training.learner import build_learner, to_tensors

    first, second = build_learner(env.task, env), build_learner(env.task, env)
    first.adaptation.updates = 7
    second.load(first.save(), None, True)
    past = to_tensors(env.views())["past"]
    for one, other in zip(first.adaptation.infer(past), second.adaptation.infer(past), strict=True):
        assert torch.equal(one, other)
    assert second.adaptation.updates == 7


@pytest.mark.torch
def test_in_the_last_part_no_samples_are_mirrored(env: ParkourEnv) -> None:
    from sim2real.training.learner import build_learner

    last = GO2_PARKOUR_TEACHER.ppo.settles
    assert last is not None
    learner = build_learner(env.task, env)
    learner.settle(last.after - 1)
    assert learner.symmetry is not None
    learner.settle(last.after)
    assert learner.symmetry is None
