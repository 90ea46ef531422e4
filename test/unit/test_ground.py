"""The ground's heights are those that MuJoCo's rays find, on the exact boxes and on the grid."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mujoco")

import mujoco

from sim2real.mujoco.ground import Box, Ground, column, height_map

UPRIGHT = column((0.5, -1.0), (1.5, 1.0), 0.3, -0.5)
TILTED = Box((-1.5, 0.2, -0.1), (0.8, 0.5, 0.2), roll=0.4, pitch=-0.5)
STEEP = Box((3.0, 0.0, 0.2), (0.5, 0.6, 0.1), pitch=1.2)
GROUND = Ground((UPRIGHT, TILTED, STEEP), floor=-0.4)


def by_rays(ground: Ground, xy: np.ndarray) -> np.ndarray:
    world = mujoco.MjSpec()
    ground.add_to(world)
    model = world.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    geom = np.zeros(1, dtype=np.int32)
    down = np.array([0.0, 0.0, -1.0])
    return np.array(
        [5.0 - mujoco.mj_ray(model, data, np.array([*point, 5.0]), down, None, 1, -1, geom) for point in xy]
    )


def points(count: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).uniform((-3.0, -1.5), (4.0, 1.5), (count, 2))


def test_heights_are_those_that_rays_find() -> None:
    xy = points()
    found = GROUND.heights(xy)
    assert np.allclose(found, by_rays(GROUND, xy), atol=1e-9)
    assert len(np.unique(found.round(3))) > 200  # tilted tops are among them


@pytest.mark.parametrize("box", [UPRIGHT, TILTED, STEEP])
def test_beside_a_box_there_is_no_top(box: Box) -> None:
    assert box.top(np.array([[9.0, 9.0]]))[0] == -np.inf


def test_the_grid_holds_the_heights_of_its_cells_centres() -> None:
    grid = height_map(GROUND, (-3.0, -1.5), (4.0, 1.5), cell=0.05)
    x, y = np.meshgrid(-2.975 + 0.05 * np.arange(140), -1.475 + 0.05 * np.arange(60), indexing="ij")
    centres = np.stack([x, y], axis=-1)
    assert np.allclose(grid.values, GROUND.heights(centres), atol=1e-6)
    assert np.allclose(grid.at(centres + 0.02), grid.values, atol=1e-6)


def test_outside_of_the_grid_counts_the_nearest_cell() -> None:
    grid = height_map(Ground((column((0.0, 0.0), (1.0, 1.0), 0.2, 0.0),)), (0.0, 0.0), (1.0, 1.0))
    assert grid.at(np.array([[5.0, 5.0], [-5.0, 0.5]])).tolist() == pytest.approx([0.2, 0.2])


def test_points_keep_their_shape() -> None:
    assert GROUND.heights(np.zeros((2, 3, 2))).shape == (2, 3)
