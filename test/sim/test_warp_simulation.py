"""MuJoCo Warp is the twin of ``mujoco.rollout``: here on the processor, which Warp simulates on as well.

No GPU was at hand: the graph that a GPU replays, and its rate, are not tested. Warp compiles for 20 s the first time.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import mujoco
import numpy as np
import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(600)]

pytest.importorskip("torch")
pytest.importorskip("warp", reason="needs MuJoCo Warp: pip install 'robot_policies[gpu]'")
pytest.importorskip("mujoco_warp", reason="needs MuJoCo Warp: pip install 'robot_policies[gpu]'")

from robot_policies.exceptions import ResourceError  # noqa: E402
from robot_policies.types import Array  # noqa: E402
from sim2real.training.build import build_env  # noqa: E402
from sim2real.training.grounds import GroundKind  # noqa: E402
from sim2real.training.simulation import Batch  # noqa: E402
from sim2real.training.tasks import GO2_WALK  # noqa: E402
from sim2real.training.walk import WalkEnv  # noqa: E402
from sim2real.training.warp_simulation import WarpBatch  # noqa: E402

# Widths of agreement after 50 steps of 5 ms. 32-bit numbers begin at 1e-7; contacts let differences grow.
# Measured: 1e-4 m or rad, 2e-3 m/s or rad/s.
POSITION, VELOCITY = 1e-3, 2e-2
ROBOTS = 4  # one on a plane, one on rough ground, two on plateaus of different heights


@pytest.fixture(scope="module")
def env() -> Iterator[WalkEnv]:
    grounds = (GroundKind("flat", 0.25), GroundKind("rough", 0.25, 0.03), GroundKind("steps", 0.5, 0.1))
    env = build_env(replace(GO2_WALK, grounds=grounds, levels=2, tiles=2), ROBOTS, seed=3, threads=1)
    yield env
    env.batch.close()


@pytest.fixture
def pair(env: WalkEnv) -> Iterator[tuple[Batch, WarpBatch]]:
    """Both simulations in the same states, each robot with a body and a ground of its own."""
    tile_of = env.fleet._tile_of
    last = int(tile_of.max())
    models = [env.fleet.models[np.flatnonzero(tile_of == tile)[0]] for tile in (0, 1, last - 1, last)]
    assert len({model.ngeom for model in models}) == 3
    pair = Batch(models, 1), WarpBatch(models, "cpu")
    place(env, pair)
    yield pair
    for batch in pair:
        batch.close()


def place(env: WalkEnv, pair: tuple[Batch, WarpBatch]) -> None:
    rng = np.random.default_rng(0)
    for model, qpos in zip(pair[0].models, pair[0].qpos, strict=True):
        qpos[:2], qpos[list(env.plant.qpos)] = (1.5, 1.7), env.robot.body.default_joint_pos
        qpos[2] = env.robot.stand_height + (0.11 if model.ngeom > 30 else 0.01)  # falls for a moment, and lands
    pair[0].qvel[:] = rng.uniform(-0.3, 0.3, pair[0].qvel.shape)
    pair[1].qpos[:], pair[1].qvel[:] = pair[0].qpos, pair[0].qvel


def drive(env: WalkEnv, batch: Batch, step: int) -> Array:
    """Return the control that makes the robots trample, from the states of one of the two."""
    robot, plant = env.robot, env.plant
    swing = 0.3 * np.sin(0.25 * step + np.arange(12))
    joint_pos, joint_vel = batch.qpos[:, list(plant.qpos)], batch.qvel[:, list(plant.qvel)]
    control = np.zeros((len(batch.models), len(plant.control)))
    torque = 30.0 * (robot.body.default_joint_pos + swing - joint_pos) - 0.7 * joint_vel
    control[:, list(plant.control)] = np.clip(torque, -23.0, 23.0)
    return control


def test_fifty_steps_of_four_different_robots_agree(env: WalkEnv, pair: tuple[Batch, WarpBatch]) -> None:
    ours, theirs = pair
    masses = {float(model.body_mass.sum()) for model in ours.models}
    assert len(masses) == ROBOTS and len({model.geom_friction[0, 0] for model in ours.models}) == ROBOTS
    touched, landings = np.zeros((ROBOTS, 4), dtype=bool), 0
    for step in range(50):
        control = drive(env, ours, step)
        ours.step(control)
        theirs.step(control)
        (feet, bad), (feet_too, bad_too) = (env.plant.contacts(batch.sensors) for batch in pair)
        landings += int((feet != feet_too).sum() + (bad != bad_too).sum())
        touched |= feet
    assert touched.all()  # every foot has stood on its ground
    assert landings <= 2, "of 1,000 looks at a foot or another part: one step early or late at most"
    np.testing.assert_allclose(theirs.qpos, ours.qpos, atol=POSITION)
    np.testing.assert_allclose(theirs.qvel, ours.qvel, atol=VELOCITY)
    (position, speed), (position_too, speed_too) = (env.plant.foot_motion(batch.sensors) for batch in pair)
    np.testing.assert_allclose(position_too, position, atol=POSITION)
    np.testing.assert_allclose(speed_too, speed, atol=VELOCITY)
    assert np.abs(ours.qvel[:, 6:]).max() > 1.0  # they moved


def test_another_model_is_another_body_and_another_ground(env: WalkEnv, pair: tuple[Batch, WarpBatch]) -> None:
    """Two robots on plateaus change places: who kept the old ground would stand in the air, or in a column."""
    ours, theirs = pair
    before, after = ours.models[2], ours.models[3]
    assert not np.array_equal(before.geom_pos, after.geom_pos)
    for batch in pair:
        batch.assign(2, after)
        batch.assign(3, before)
        batch.restart(np.ones(ROBOTS, dtype=bool))
    place(env, pair)
    for step in range(50):
        control = drive(env, ours, step)
        ours.step(control)
        theirs.step(control)
    np.testing.assert_allclose(theirs.qpos, ours.qpos, atol=POSITION)
    np.testing.assert_allclose(theirs.qvel, ours.qvel, atol=VELOCITY)


def test_a_broken_robot_is_found_harms_nobody_and_starts_anew(env: WalkEnv, pair: tuple[Batch, WarpBatch]) -> None:
    ours, theirs = pair
    theirs.qvel[1, 3], theirs.qpos[2, 5] = np.nan, np.inf
    ours.qvel[1, 3] = np.nan
    control = drive(env, ours, 0)
    for batch in pair:
        batch.step(control)
    assert theirs.broken().tolist() == [False, True, True, False]
    np.testing.assert_allclose(theirs.qpos[[0, 3]], ours.qpos[[0, 3]], atol=1e-5)
    for batch in pair:
        batch.restart(np.array([False, True, True, False]))
    np.testing.assert_array_equal(theirs.qpos[1:3], np.tile(theirs.models[0].qpos0, (2, 1)))
    assert not theirs.qvel[1:3].any() and not theirs.sensors[1:3].any() and not theirs.broken().any()
    place(env, pair)
    for step in range(10):
        control = drive(env, ours, step)
        for batch in pair:
            batch.step(control)
    np.testing.assert_allclose(theirs.qpos, ours.qpos, atol=POSITION)


def test_a_robot_that_explodes_is_broken(pair: tuple[Batch, WarpBatch]) -> None:
    pair[1].qvel[0, 8] = -301.0
    assert pair[1].broken().tolist() == [True, False, False, False]


def heavier_feet(model: mujoco.MjModel) -> mujoco.MjModel:
    changed = copy.copy(model)
    changed.dof_damping[:] += 0.1
    return changed


def other_step(model: mujoco.MjModel) -> mujoco.MjModel:
    changed = copy.copy(model)
    changed.opt.timestep = 0.002
    return changed


@pytest.mark.parametrize(("change", "found"), [(heavier_feet, "dof_damping"), (other_step, "opt.timestep")])
def test_what_it_cannot_hold_per_robot_is_refused_by_name(
    change: object, found: str, pair: tuple[Batch, WarpBatch]
) -> None:
    assert callable(change)
    with pytest.raises(
        ResourceError, match=f"robots that differ in what it holds per robot; found .*{found}'.*; valid: ac"
    ):
        pair[1].assign(0, change(pair[0].models[0]))


def test_a_ground_of_another_kind_is_refused(pair: tuple[Batch, WarpBatch]) -> None:
    with pytest.raises(ResourceError, match="models of equal sizes; found .*; valid: "):
        pair[1].assign(0, pair[0].models[3])


def test_what_warp_cannot_simulate_is_refused(pair: tuple[Batch, WarpBatch]) -> None:
    model = copy.copy(pair[0].models[0])
    model.opt.solver = mujoco.mjtSolver.mjSOL_PGS
    with pytest.raises(ResourceError, match="MuJoCo Warp: a model that it can simulate; found .*; valid: --device cpu"):
        WarpBatch([model], "cpu")
