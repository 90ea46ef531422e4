"""The grounds of training repeat without a seam, agree with their look-up, and get harder; robots move up and down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from robot_policies.exceptions import ResourceError
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.commands import CommandCurriculum, scaled
from sim2real.training.grounds import KINDS, PERIOD, GroundKind, make_grounds, make_tile
from sim2real.training.simulation import Batch
from sim2real.training.tasks import GO2_WALK
from sim2real.training.walk import WalkEnv

CALM = replace(GO2_WALK, randomization=NOMINAL)
STEPS = replace(CALM, grounds=(GroundKind("flat", 0.5), GroundKind("steps", 0.5, highest=0.12)), levels=4)


@pytest.fixture
def env() -> Iterator[WalkEnv]:
    env = build_env(STEPS, 8, seed=0)
    env.age[:] = 0
    yield env
    env.batch.close()


@pytest.mark.parametrize("kind", [*KINDS, "flat"])
def test_the_look_up_is_the_ground_and_repeats(kind: str) -> None:
    rng = np.random.default_rng(0)
    grounds = make_grounds((GroundKind(kind, 1.0, 0.1),), levels=1, each=1, rng=rng)
    inside = rng.uniform(0.0, PERIOD, (1, 300, 2))
    beyond = inside + PERIOD * rng.integers(-1, 2, inside.shape)
    margin = np.clip(beyond, -0.7, PERIOD + 0.7)  # as far as the boxes of a tile reach
    for points in (inside, margin):
        exact = grounds.tiles[0].ground.heights(points)
        np.testing.assert_allclose(grounds.at(np.array([0]), points), exact, atol=1e-6)
    np.testing.assert_allclose(grounds.at(np.array([0]), beyond), grounds.at(np.array([0]), inside), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_higher_level_is_rougher(kind: str) -> None:
    spread = [np.ptp(make_tile(kind, height, np.random.default_rng(1)).heights) for height in (0.02, 0.04, 0.12)]
    assert 0.0 < spread[0] < spread[1] < spread[2] < 0.35


def test_steps_have_edges_of_their_height() -> None:
    heights = make_tile("steps", 0.12, np.random.default_rng(0)).heights
    edges = np.abs(np.diff(heights, axis=0))
    assert edges.max() == pytest.approx(0.12, abs=1e-6)
    assert np.unique(edges.round(3)).tolist() == pytest.approx([0.0, 0.06, 0.12])


def test_an_unknown_ground_is_refused() -> None:
    with pytest.raises(ResourceError, match="'sand'.*flat, rough, steps, rough_steps"):
        make_tile("sand", 0.1, np.random.default_rng(0))


def test_robots_start_on_their_ground_and_not_in_it(env: WalkEnv) -> None:
    env.fleet.level = np.minimum(3, env.fleet._top[env.fleet.kind])
    for _ in range(30):
        env._restart(np.ones(8, dtype=bool))
        motion = env._drive.motion()
        lowest = env.batch.qpos[:, 2] - env.robot.stand_height
        ground = env.fleet.grounds.at(env.fleet.tile, env.batch.qpos[:, None, :2])[:, 0]
        assert (lowest >= ground - 1e-6).all()
        assert (motion.height > 0.25).all() and (motion.height < 0.36 + 0.02 + 0.12).all()


def test_foot_heights_count_from_the_ground_under_the_foot(env: WalkEnv) -> None:
    env.fleet.level = np.minimum(3, env.fleet._top[env.fleet.kind])
    env._restart(np.ones(8, dtype=bool))
    env._drive.actuators.stiffness[:] = 2.0
    for _ in range(60):
        env.step(np.zeros((8, 12)))
    resting = env.motion.foot_contact
    assert resting[4:].sum() >= 4 and np.ptp(env.batch.qpos[4:, 2]) > 0.02  # plateaus of different heights
    assert np.abs(np.median(env.motion.foot_height[resting])) < 0.006


def test_a_robot_that_leaves_its_tile_comes_back_to_the_same_ground(env: WalkEnv) -> None:
    env.batch.qpos[:, 0] = PERIOD + 0.3
    before, place = env._drive.motion(), env.place.copy()
    env._go_on()
    after = env._drive.motion()
    assert np.allclose(env.batch.qpos[:, 0], 0.3)
    np.testing.assert_allclose(after.scan, before.scan, atol=1e-6)
    np.testing.assert_allclose(env.place, place)


def test_levels_follow_what_the_robots_can_do(env: WalkEnv) -> None:
    fleet = env.fleet
    fleet.level = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    rows = np.array([True] * 7 + [False])
    fell = np.array([False] * 6 + [True, False])
    asked = np.array([5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    done = np.array([5.0, 0.0, 3.0, 5.0, 4.5, 2.0, 5.0, 5.0])
    fleet.judge(rows, fell, asked, done)
    assert fleet.level.tolist() == [0, 0, 0, 0, 2, 0, 0, 1]  # flat has one level; far, short, fell, not judged
    fleet.level[4:] = 3
    fleet.judge(np.ones(8, dtype=bool), np.zeros(8, dtype=bool), asked, asked)
    assert (fleet.level[4:] <= 3).all() and (fleet.level[:4] == 0).all()
    fleet.judge(np.ones(8, dtype=bool), np.zeros(8, dtype=bool), 0.0 * asked, 0.0 * asked)
    assert (fleet.level[:4] == 0).all()  # who was asked for nothing stays


def test_a_robot_gets_a_ground_of_its_kind_and_level(env: WalkEnv) -> None:
    fleet = env.fleet
    assert (fleet.kind == [0, 0, 0, 0, 1, 1, 1, 1]).all()
    fleet.level[4:] = [0, 1, 2, 3]
    fleet.draw(np.ones(8, dtype=bool))
    np.testing.assert_array_equal(fleet.grounds.kind[fleet.tile], fleet.kind)
    np.testing.assert_array_equal(fleet.grounds.level[fleet.tile], fleet.level)
    env._restart(np.ones(8, dtype=bool))
    for robot in range(8):
        assert env.batch.models[robot] is fleet.models[fleet.which[robot]]
        assert env.fleet.bodies.friction[robot] == pytest.approx(env.batch.models[robot].geom_friction[-1, 0])


def test_a_level_that_was_passed_is_seen_again_and_moves_nobody() -> None:
    env = build_env(replace(STEPS, review=0.5), 8, seed=0)
    fleet, everyone, steps = env.fleet, np.ones(8, dtype=bool), np.arange(8) >= 4
    nobody, moved = ~everyone, False
    seen: set[int] = set()
    for _ in range(60):
        fleet.level[4:] = 2
        fleet.draw(everyone)
        level = fleet.grounds.level[fleet.tile]
        seen |= set(level[4:].tolist())
        lower = steps & (level < 2)
        fleet.move(steps, nobody)
        assert (fleet.level[lower] == 2).all()
        moved |= bool((fleet.level[4:] == 3).any())
        fleet.level[4:] = 2
        fleet.move(nobody, steps)
        assert (fleet.level[lower] == 2).all()
    assert seen == {0, 1, 2} and moved
    env.batch.close()


def test_levels_and_command_scale_survive_a_resume(env: WalkEnv) -> None:
    env.fleet.level[4:] = [3, 2, 1, 0]
    env.commands.scale = 0.7
    fresh = build_env(STEPS, 8, seed=9)
    fresh.load_state(env.state())
    assert fresh.fleet.level.tolist() == [0, 0, 0, 0, 3, 2, 1, 0]
    assert fresh.commands.scale == 0.7
    np.testing.assert_array_equal(fresh.fleet.grounds.level[fresh.fleet.tile], fresh.fleet.level)
    with pytest.raises(ResourceError, match="8 robots"):
        fresh.load_state({"level": np.zeros(4, dtype=np.int64), "command_scale": np.array(1.0)})
    fresh.batch.close()


def test_a_model_of_another_size_is_refused(env: WalkEnv) -> None:
    batch: Batch = env.batch
    with pytest.raises(ValueError, match="robot 0: a model of the sizes"):
        batch.assign(0, batch.models[7])


def test_robots_on_models_of_several_sizes_move_as_alone() -> None:
    both = build_env(STEPS, 4, seed=2)
    alone = [Batch([model], 1) for model in both.batch.models]
    for robot, batch in enumerate(alone):
        batch.qpos[:], batch.qvel[:] = both.batch.qpos[robot], both.batch.qvel[robot]
    for _ in range(20):
        both.batch.step(np.zeros((4, 12)))
        for batch in alone:
            batch.step(np.zeros((1, 12)))
    for robot, batch in enumerate(alone):
        np.testing.assert_array_equal(both.batch.qpos[robot], batch.qpos[0])
    assert len(both.batch._runs) == 2


def test_commands_grow_while_they_are_followed() -> None:
    ranges = replace(GO2_WALK.commands, start=0.5)
    curriculum = CommandCurriculum(ranges)
    assert curriculum.ranges.lin_vel_x == pytest.approx((-0.3, 0.6))
    for _ in range(3000):
        curriculum.update(0.3)
    assert curriculum.scale == 0.5
    for _ in range(3000):
        curriculum.update(0.9)
    assert curriculum.ranges == scaled(ranges, 1.0)
