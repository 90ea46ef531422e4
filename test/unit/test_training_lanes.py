"""The lanes of parkour and the paths along them, without a robot."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.parkour_grounds import GAPS, STEPS

from robot_policies.exceptions import ResourceError, RobotError
from sim2real.mujoco.terrain import find_place
from sim2real.training.grounds import GroundKind
from sim2real.training.parkour import views
from sim2real.training.parkour.lanes import make_lanes
from sim2real.training.parkour.path import Paths, wrap


def test_lanes_are_the_terrains_of_their_names() -> None:
    lanes = make_lanes((STEPS, GAPS), levels=3, each=2, seed=5)
    assert lanes.kind.tolist() == 6 * [0] + 6 * [1] and lanes.level.tolist() == 2 * [0, 0, 1, 1, 2, 2]
    place = find_place("parkour_gaps:0.4:6")
    points = np.random.default_rng(0).uniform((-1.5, -1.9), (14.0, 1.9), (1, 400, 2))
    cell = (np.floor(points / 0.05) + 0.5) * 0.05  # the look-up holds the middle of each cell
    np.testing.assert_allclose(lanes.at(np.array([9]), points)[0], place.ground.heights(cell[0]), atol=1e-6)
    assert lanes.finish[9] == place.lane.last_edge
    assert (lanes.lowest[6:] == 0.0).all()  # of the gaps' lanes: not their floor
    pits = make_lanes((GroundKind("mixed", 1.0, 1.0, 1.0),), levels=1, each=1, seed=0)
    assert -0.8 < pits.lowest[0] < -0.3  # where it goes down, but not to the floor of its gap
    assert len({len(tile.ground.boxes) for tile in lanes.tiles[:6]}) == 1


def test_what_is_no_lane_is_refused() -> None:
    with pytest.raises(ResourceError, match="rough:0.03:0: a lane; found no lane"):
        make_lanes((GroundKind("rough", 1.0, 0.03, 0.03),), 1, 1, 0)
    with pytest.raises(RobotError, match="sand"):
        make_lanes((GroundKind("sand", 1.0, 0.1, 0.1),), 1, 1, 0)


@pytest.mark.parametrize(("obstacle", "sign"), [("hurdle:0.3:0", 1.0), ("gap:0.1:0", -1.0)])
def test_no_wall_and_no_gap_hides_between_the_points_of_the_scan(obstacle: str, sign: float) -> None:
    """Both are 0.1 m along the lane; points are 0.15 m apart."""
    kind, difficulty, _ = obstacle.split(":")
    lanes = make_lanes((GroundKind(kind, 1.0, float(difficulty), float(difficulty)),), levels=1, each=1, seed=0)
    begin = find_place(obstacle).lane.first_edge
    tile = np.zeros(1, dtype=np.int64)
    for place in np.linspace(begin - 1.0, begin - 0.2, 40):
        points = np.stack([place + views.SCAN_X, np.zeros(len(views.SCAN_X))], axis=1)[None]
        assert (sign * lanes.salient(tile, points) > 0.2).any()
        assert (sign * lanes.salient(tile, points) >= sign * lanes.at(tile, points)).all()


def test_paths_swing_around_the_middle_and_goals_lie_on_them() -> None:
    paths = Paths(200, np.random.default_rng(0))
    paths.draw(np.ones(200, dtype=bool))
    x = np.linspace(0.0, 10.0, 200)
    y = paths.left(x)
    assert 0.3 < (y == 0.0).mean() < 0.7 and 0.2 < np.abs(y).max() <= 0.5
    xy = np.stack([x, y], axis=1)
    assert paths.distance(xy).max() == 0.0
    near = paths.directions(xy)[:, 0]
    np.testing.assert_allclose(paths.left(x + 1.2), y + 1.2 * np.tan(near), atol=1e-9)


def test_angles_wrap() -> None:
    np.testing.assert_allclose(wrap(np.array([3.5, -3.5, 0.2])), [3.5 - 2 * np.pi, 2 * np.pi - 3.5, 0.2])
