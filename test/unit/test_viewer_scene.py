"""Where boxes and arrows of the page are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_policies.nodes.viewer_charts import LEAST, bounds
from robot_policies.nodes.viewer_scene import (
    ARROW_SCALE,
    HIGH,
    LOW,
    SLACK,
    arrow_points,
    corners,
    edges,
    lifted,
    shaded,
    solid,
)
from robot_policies.robots.robot import GroundBox

UP = (1.0, 0.0, 0.0, 0.0)
FLAT = GroundBox((2.0, 1.0, 0.1), UP, (1.0, 2.0, 0.2))
RAMP = GroundBox((5.0, 0.0, 0.0), (math.cos(0.1), 0.0, -math.sin(0.1), 0.0), (2.0, 1.0, 0.1))  # up along x


def test_the_corners_of_a_box_are_where_it_is() -> None:
    found = corners(FLAT)
    assert found.min(axis=0) == pytest.approx([1.5, 0.0, 0.0])
    assert found.max(axis=0) == pytest.approx([2.5, 2.0, 0.2])
    assert len({tuple(corner) for corner in found.round(6)}) == 8
    tilted = corners(RAMP)
    assert tilted[tilted[:, 0].argmax()][2] > 0.1, "a pitch of -0.2 rad lifts the far end"


def test_a_box_of_triangles_has_the_same_corners() -> None:
    mesh = solid(RAMP)
    near = np.linalg.norm(mesh.vertices[:, None] - corners(RAMP)[None], axis=-1)
    assert near.min(axis=1).max() < 1e-9
    assert near.min(axis=0).max() < 1e-9


def test_the_edges_of_a_box_are_as_long_as_it_is() -> None:
    lengths = np.linalg.norm(np.diff(edges(RAMP), axis=1)[:, 0], axis=-1)
    assert sorted(lengths) == pytest.approx(sorted([2.0] * 4 + [1.0] * 4 + [0.1] * 4))


def test_higher_boxes_are_darker() -> None:
    stairs = [GroundBox((i * 0.3, 0.0, 0.05 * i), UP, (0.3, 1.0, 0.1 + 0.1 * i)) for i in range(4)]
    shades = [colour for colour, _ in shaded(stairs)]
    assert shades == sorted(shades, reverse=True)
    assert shades[0] == pytest.approx(tuple(LOW))
    assert shades[-1] == pytest.approx(tuple(HIGH))
    assert len(shaded([FLAT, FLAT])) == 1, "boxes of one height have one shade"


def test_the_view_follows_up_stairs_and_down_but_not_each_step() -> None:
    lift = 0.0
    for height in (0.05, -0.05, SLACK, -SLACK):
        lift = lifted(lift, height)
        assert lift == 0.0
    for height in np.linspace(0.0, 2.0, 50):
        lift = lifted(lift, float(height))
    assert lift == pytest.approx(2.0 - SLACK)
    assert lifted(lift, 1.9) == lift
    assert lifted(lift, -2.0) == pytest.approx(-2.0 + SLACK)


def test_arrows_point_where_the_robot_goes() -> None:
    move, nose = arrow_points((1.0, -0.5, 0.0), 0.1)
    assert move is not None
    assert (move[1] - move[0]) == pytest.approx([ARROW_SCALE, -0.5 * ARROW_SCALE, 0.0])
    assert nose is None
    move, nose = arrow_points((0.0, 0.01, -0.8), 0.0)
    assert move is None
    assert nose is not None
    assert nose[1][1] < 0.0, "a turn to the right takes the nose to the right"


def test_the_axis_of_a_joint_that_stands_still_is_not_filled_with_noise() -> None:
    low, high = bounds(np.array([0.7, 0.7001, np.nan]))
    assert high - low == pytest.approx(np.full(3, LEAST))
    assert low[0] < 0.7 < high[0]
    assert bounds(np.array([np.nan]))[0] == pytest.approx([-LEAST / 2])
