"""The renderer of training against the simulator's own camera, and against geometry by hand."""

from __future__ import annotations

import itertools
import time

import mujoco
import numpy as np
import pytest
from helpers.lane_views import SPEC, clipped, poses, profile, simulated

from robot_policies.types import Array, Array32
from sim2real.mujoco.depth_camera import BasePose, Mirror, RayCamera, optical_rotation
from sim2real.mujoco.depth_renderer import FRAMES, DepthRenderer, box_table
from sim2real.mujoco.ground import Box, Ground, column
from sim2real.mujoco.terrain import find_place
from sim2real.mujoco.world import build_model
from sim2real.training.grounds import GroundKind
from sim2real.training.parkour.camera import rotations
from sim2real.training.parkour.tasks import GO2_PARKOUR_TEACHER

PROFILE = profile()
K = PROFILE.intrinsics
ROWS, COLUMNS = (np.arange(K.height) - K.cy) / K.fy, (np.arange(K.width) - K.cx) / K.fx
REACH = 3.0
LEVEL = optical_rotation(0.0)


def renderer(*grounds: Ground, reach: float = REACH, rows: Array = ROWS, columns: Array = COLUMNS) -> DepthRenderer:
    return DepthRenderer(grounds, rows, columns, reach)


def see(ground: Ground, position: tuple[float, float, float], rotation: Array = LEVEL, reach: float = REACH) -> Array32:
    return renderer(ground, reach=reach).depth(np.array([0]), np.array([position]), rotation[None])[0]


def cameras(position: Array, quat_wxyz: Array) -> tuple[Array, Array]:
    """Optical centres (F, 3) and rotations (F, 3, 3) of the robot file's camera."""
    base = rotations(quat_wxyz)
    return position + base @ np.array(PROFILE.mount.position), base @ optical_rotation(PROFILE.mount.pitch)


@pytest.mark.parametrize("kind", GO2_PARKOUR_TEACHER.grounds, ids=lambda kind: kind.kind)
def test_it_sees_what_the_simulated_camera_sees(kind: GroundKind) -> None:
    """Every kind of lane, first and last level, rolled and pitched bases. Asked: 1 cm on 99 % of the pixels."""
    for difficulty, reach in ((kind.lowest, REACH), (kind.highest, REACH), (kind.highest, PROFILE.far)):
        place = find_place(f"{kind.kind}:{difficulty}:3")
        position, quat = poses(place, 8, seed=round(1000 * difficulty))
        expected = simulated(place.name, position, quat)
        found = renderer(place.ground, reach=reach).depth(np.zeros(8, np.int64), *cameras(position, quat))
        assert np.ptp(clipped(expected, reach)) > 0.5, "there is something to see"
        error = np.abs(clipped(found, reach) - clipped(expected, reach))
        assert (error < 0.01).mean() >= 0.9999
        assert (error < 1e-4).mean() >= 0.999


def test_boxes_of_any_attitude_are_met_where_mujoco_meets_them() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        centre, half = rng.uniform((0.8, -1.0, -0.5), (2.2, 1.0, 1.0), (6, 3)), rng.uniform(0.02, 0.5, (6, 3))
        turn = rng.uniform(-3.0, 3.0, (6, 2))
        boxes = tuple(Box(tuple(c), tuple(h), *angles) for c, h, angles in zip(centre, half, turn, strict=True))
        ground = Ground(boxes, floor=-0.7)
        model = build_model(SPEC, ground.add_to)
        mirror = Mirror(model, SPEC.joint_names)
        rays = RayCamera(model, mirror.base_body, PROFILE.mount, K)
        position, quat = rng.uniform((-0.6, -0.3, -0.2), (-0.4, 0.3, 0.6)), rng.normal(size=4) * 0.2 + (1, 0, 0, 0)
        quat /= np.linalg.norm(quat)
        expected = rays.depth(mirror.pose(SPEC.poses["stand"], BasePose(position, quat)))
        found = renderer(ground, reach=8.0).depth(np.array([0]), *cameras(position[None], quat[None]))[0]
        assert (np.abs(clipped(found, 8.0) - clipped(expected, 8.0)) < 1e-4).mean() > 0.999


def test_a_wall_has_one_depth_and_ends_where_it_ends() -> None:
    image = see(Ground((column((2.0, 0.1), (2.2, 0.5), 1.0, -1.0),), floor=-5.0), (0.0, 0.0, 0.5))
    left, right = (K.cx - K.fx * y / 2.0 for y in (0.5, 0.1))  # right of the image is -y
    inside = [u for u in range(K.width) if left < u < right]
    rows = [v for v in range(K.height) if K.cy - K.fy * 0.5 / 2.0 < v < K.cy + K.fy * 1.5 / 2.0]
    assert image[np.ix_(rows, inside)] == pytest.approx(2.0, abs=1e-6), "along the optical axis, not along the ray"
    assert (image[:30, [inside[0] - 1, inside[-1] + 1]] == 0.0).all(), "beside it the horizon: no return"


@pytest.mark.parametrize("pitch", [0.0, 0.2, 0.3927])
def test_the_floor_has_its_depth(pitch: float) -> None:
    image = see(Ground(floor=-0.3), (3.0, -7.0, 0.2), optical_rotation(pitch))
    for row in (35, 45, 59):
        down = np.sin(pitch) + ROWS[row] * np.cos(pitch)
        assert image[row] == pytest.approx(0.5 / down, rel=1e-5)


def test_the_floor_is_seen_from_above_only() -> None:
    assert (see(Ground(floor=1.0), (0.0, 0.0, 0.5), optical_rotation(-0.5)) == 0.0).all()


def test_the_nearest_of_many_surfaces_is_seen() -> None:
    walls = [column((x, -3.0), (x + 0.1, 3.0), 2.0, -1.0) for x in (2.0, 1.0, 2.5, 1.5)]
    for order in itertools.permutations(walls):
        assert see(Ground(order), (0.0, 0.0, 0.5))[20:30] == pytest.approx(1.0, abs=1e-6)


def test_boxes_beyond_the_reach_are_left_out() -> None:
    wall = Ground((column((2.5, -9.0), (2.6, 9.0), 2.0, -1.0),))
    assert see(wall, (0.0, 0.0, 0.5), reach=3.0)[0, 53] == pytest.approx(2.5, abs=1e-6)
    assert see(wall, (0.0, 0.0, 0.5), reach=2.0)[0, 53] == 0.0


def test_a_camera_in_a_box_sees_nothing_but_nearness() -> None:
    image = see(Ground((column((-1.0, -1.0), (1.0, 1.0), 1.0, -1.0),)), (0.0, 0.0, 0.5))
    assert (image < 1e-6).all()


def test_a_camera_in_the_plane_of_a_side_does_not_break() -> None:
    steps = Ground((column((0.0, -1.0), (1.0, 1.0), 0.5, -1.0), column((1.0, -1.0), (2.0, 1.0), 0.8, -1.0)))
    with np.errstate(divide="raise", invalid="raise"):
        image = see(steps, (0.0, -1.0, 0.5))
    assert np.isfinite(image).all() and (image >= 0.0).all()


def test_every_frame_sees_its_own_ground_whatever_is_rendered_beside_it() -> None:
    """More frames than go at once, of several grounds, in an image that blocks do not divide."""
    places = [find_place(name) for name in ("parkour_steps:0.4:1", "parkour_rough:0.1:2", "parkour_slopes:0.4:3")]
    rows, columns = ROWS[:37:3], COLUMNS[5:98:4]
    many = renderer(*(place.ground for place in places), rows=rows, columns=columns)
    ground = np.arange(FRAMES + 9) % 3
    drawn = [poses(place, 1, seed) for seed, place in ((n, places[g]) for n, g in enumerate(ground))]
    position, quat = (np.concatenate(part) for part in zip(*drawn, strict=True))
    images = many.depth(ground, *cameras(position, quat))
    assert images.shape == (FRAMES + 9, len(rows), len(columns)) and images.dtype == np.float32
    for frame in (0, 1, 2, FRAMES - 1, FRAMES, FRAMES + 8):
        alone = renderer(places[ground[frame]].ground)
        whole = alone.depth(np.array([0]), *cameras(position[[frame]], quat[[frame]]))[0]
        picked = whole[:37:3, 5:98:4]
        assert np.abs(clipped(images[frame], REACH) - clipped(picked, REACH)).max() < 1e-4


def test_boxes_below_the_floor_are_dropped_and_grounds_may_be_empty() -> None:
    buried, seen = Box((0.0, 0.0, -20.0), (0.1, 0.1, 0.1)), column((0.0, -1.0), (1.0, 1.0), 0.3, -0.5)
    table = box_table([Ground((buried, seen)), Ground(), Ground((seen, seen), floor=-2.0)])
    assert table.first.tolist() == [0, 1, 1, 3]
    none = renderer(Ground()).depth(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3, 3)))
    assert none.shape == (0, 60, 106)


def test_the_camera_looks_over_the_legs() -> None:
    """All targets that parkour can ask for: next to no leg in the picture, so that training need not draw any."""
    model = build_model(SPEC, None)
    mirror = Mirror(model, SPEC.joint_names)
    rays = RayCamera(model, mirror.base_body, PROFILE.mount, K)
    swing = GO2_PARKOUR_TEACHER.action_scale * GO2_PARKOUR_TEACHER.action_clip
    low, high = (np.array([model.joint(name).range[end] for name in SPEC.joint_names]) for end in (0, 1))
    high_up = BasePose(np.array([0.0, 0.0, 50.0]), np.array([1.0, 0.0, 0.0, 0.0]))

    def leg_pixels(offset: Array) -> float:
        legs = np.clip(SPEC.poses["stand"] + np.tile(offset, 4) * np.tile([1, 1, 1, -1, 1, 1], 2), low, high)
        image = rays.depth(mirror.pose(legs, high_up))
        return float(((image > 0.0) & (image < 2.0)).mean())

    grid = np.linspace(-swing, swing, 7)
    seen = [leg_pixels(np.array(offset)) for offset in itertools.product(grid, grid, grid)]
    assert np.mean(np.array(seen) > 0.0) < 0.01 and max(seen) < 0.005
    assert leg_pixels(np.array([0.0, -1.8, 0.66])) > 0.05, "half a radian farther they would be seen"


def test_it_is_fast_enough() -> None:
    """A loose bound, on whatever else the machine does; docs/training/depth.md has the measurement."""
    place = find_place("parkour_steps:0.4:1")
    position, quat = poses(place, 200, seed=0)
    fast = renderer(place.ground, rows=ROWS[:58:2], columns=COLUMNS[4:102:2])
    where, seconds = cameras(position, quat), []
    for _ in range(3):
        start = time.process_time()
        fast.depth(np.zeros(200, np.int64), *where)
        seconds.append(time.process_time() - start)
    assert 200 / min(seconds) > 2000


def test_rotations_are_mujocos() -> None:
    quat = np.random.default_rng(0).normal(size=(5, 4))
    for one, found in zip(quat, rotations(3.0 * quat), strict=True):
        expected = np.zeros(9)
        mujoco.mju_quat2Mat(expected, one / np.linalg.norm(one))
        np.testing.assert_allclose(found, expected.reshape(3, 3), atol=1e-12)
