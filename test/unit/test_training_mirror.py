"""The mirror of the robot: of joints and feet by name, of the observation by what each term is, of the physics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.grounds import GroundKind
from sim2real.training.mirror import actor_mirror, critic_mirror, frame_mirror, joint_mirror, named, scan_mirror
from sim2real.training.observation import SCAN_POINTS
from sim2real.training.tasks import GO2_WALK

CALM = replace(GO2_WALK, randomization=NOMINAL, grounds=(GroundKind("flat", 1.0),), levels=1)


def test_joints_change_sides_and_hips_change_sign() -> None:
    names = ("FR_hip_joint", "FR_calf_joint", "FL_hip_joint", "FL_calf_joint")
    np.testing.assert_array_equal(joint_mirror(names)(np.array([1.0, 2.0, 3.0, 4.0])), [-3.0, 4.0, -1.0, 2.0])


def test_a_name_without_partner_is_an_error() -> None:
    with pytest.raises(RobotError, match="RL_foot"):
        named(("FR_foot", "FL_foot", "RL_foot"), [1.0, 1.0, 1.0])


def test_the_scan_changes_sides() -> None:
    left = SCAN_POINTS[:, 1] > 0
    np.testing.assert_array_equal(scan_mirror()(left.astype(float)), SCAN_POINTS[:, 1] < 0)
    np.testing.assert_array_equal(scan_mirror()(SCAN_POINTS[:, 0]), SCAN_POINTS[:, 0])


def test_twice_mirrored_is_unchanged() -> None:
    env = build_env(CALM, 4, seed=0)
    views, names = env.views(), env.robot.joint_names
    frame = frame_mirror(GO2_WALK.terms, names)
    actor = actor_mirror(frame, len(GO2_WALK.history))
    for mirror, values in ((actor, views.actor), (critic_mirror(frame, env.robot.feet, 5), views.critic)):
        assert len(mirror.index) == values.shape[1]
        np.testing.assert_array_equal(mirror(mirror(values)), values)
        assert not np.array_equal(mirror(values), values)
    env.batch.close()


def test_mirrored_robots_under_mirrored_actions_stay_mirrored() -> None:
    """The strongest test of every sign: what the second robot sees is the mirror of what the first one sees."""
    task = replace(CALM, physics_dt=0.005)
    env = build_env(task, 2, seed=1)
    env.age[:] = 0
    joints = joint_mirror(env.robot.joint_names)
    frame = frame_mirror(task.terms, env.robot.joint_names)
    actor = actor_mirror(frame, len(task.history))
    critic = critic_mirror(frame, env.robot.feet, 5)
    env.batch.restart(np.ones(2, dtype=bool))
    env.batch.qpos[:, 2] = 0.36
    default = env.robot.body.default_joint_pos
    offset = np.linspace(-0.2, 0.3, 12)
    env.batch.qpos[:, 7:] = default + np.stack([offset, joints(offset)])
    env.batch.qvel[0, :6] = (0.3, 0.2, 0.0, 0.5, -0.3, 0.4)
    env.batch.qvel[1, :6] = (0.3, -0.2, 0.0, -0.5, -0.3, -0.4)
    env.command[:] = [[0.5, 0.2, -0.3], [0.5, -0.2, 0.3]]
    env._hold[:] = 1e9
    env.batch.models[1] = env.batch.models[0]
    for step in range(6):
        action = np.sin(np.arange(12) + step)
        views = env.step(np.stack([action, joints(action)])).views
    tolerance = 0.05  # the trunk's own centre and inertia are not quite symmetric
    np.testing.assert_allclose(views.actor[1], actor(views.actor[0]), atol=tolerance)
    np.testing.assert_allclose(views.critic[1], critic(views.critic[0]), atol=3 * tolerance)
    assert np.abs(views.actor[1] - views.actor[0]).max() > 0.5
    env.batch.close()
