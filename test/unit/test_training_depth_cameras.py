"""The depth cameras of training: what the student sees is what the bundle's pipeline makes of the simulated camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.lane_views import SPEC, clipped, poses, profile, simulated

from robot_policies.contract import Depth
from robot_policies.exceptions import InputError
from robot_policies.observation.depth import DepthPipeline
from robot_policies.schema import parse
from robot_policies.types import Array, Array32, DepthImage
from sim2real.mujoco.camera_profile import CameraProfile
from sim2real.mujoco.depth_camera import optical_rotation
from sim2real.mujoco.depth_faults import DepthFaults, apply, edges
from sim2real.mujoco.depth_renderer import FRAMES
from sim2real.mujoco.ground import Ground, column
from sim2real.mujoco.terrain import find_place
from sim2real.randomization.ranges import NOMINAL
from sim2real.training.build import build_env
from sim2real.training.parkour.camera import Bases, DepthCameras, optical_rotations, read_pixels, thinned
from sim2real.training.parkour.env import ParkourEnv
from sim2real.training.parkour.tasks import GO2_PARKOUR_TEACHER

MOUNT = SPEC.sensors.depth["depth"]
BUNDLE: dict[str, Any] = {
    "sensor": "d435",
    "intrinsics": {"width": 106, "height": 60, "fx": 55.85, "fy": 55.85, "cx": 52.5, "cy": 29.5},
    "pose": {"position": list(MOUNT.position), "pitch": MOUNT.pitch},
    "crop": [0, 2, 4, 4],
    "size": [29, 49],
    "interpolation": "nearest",
    "near": 0.0,
    "far": 2.0,
    "invalid": "far",
    "scale": 0.5,
    "offset": -0.5,
    "rate": 10.0,
    "delay": [0.0, 0.0],
}
METRE = BUNDLE["scale"]  # of a value of the network's image per metre
STEPS = find_place("parkour_steps:0.4:1")
WAYS = [("nearest", [29, 49]), ("nearest", [30, 44]), ("bicubic", [58, 87]), ("area", [29, 49]), ("bilinear", [30, 40])]


def bundle(**changes: Any) -> Depth:
    return parse(Depth, {**BUNDLE, **changes}, "test")


def moved(**pose: Any) -> dict[str, Any]:
    return {"pose": {**BUNDLE["pose"], **pose}}


def cameras(
    robots: int,
    depth: Depth | None = None,
    camera: CameraProfile | None = None,
    ground: Ground = STEPS.ground,
    varied: bool = False,
) -> DepthCameras:
    camera = camera or profile(rate=50.0)
    return DepthCameras([ground], depth or bundle(), camera, robots, 0.02, np.random.default_rng(0), varied)


def bases(position: Array, quat_wxyz: Array) -> Bases:
    return Bases(np.zeros(len(position), np.int64), position, quat_wxyz)


def all_of(robots: int) -> np.ndarray:
    return np.ones(robots, dtype=bool)


def deployed(depth: Depth, images: Array32) -> Array32:
    """What the robot makes of whole sensor images (N, 60, 106)."""
    pipeline = DepthPipeline("front", depth)
    return np.array([pipeline(DepthImage(0, image)) for image in images])


@pytest.mark.parametrize(("way", "size"), WAYS)
@pytest.mark.parametrize("invalid", ["far", "near", "zero"])
def test_what_the_pipeline_reads_gives_what_the_whole_image_gives(way: str, size: list[int], invalid: str) -> None:
    depth = bundle(interpolation=way, size=size, invalid=invalid)
    rng = np.random.default_rng(0)
    whole = rng.uniform(-0.5, 3.0, (4, 60, 106)).astype(np.float32)
    whole[rng.random(whole.shape) < 0.1] = np.nan
    pixels = read_pixels(depth)
    part = whole[:, pixels.rows][:, :, pixels.columns]
    found = DepthPipeline("training", pixels.depth).many(part)
    np.testing.assert_allclose(found, deployed(depth, whole), atol=1e-6)
    assert part.shape[1:] == (tuple(size) if way == "nearest" else (58, 98))


@pytest.mark.parametrize(("way", "size"), WAYS)
@pytest.mark.parametrize("invalid", ["far", "zero"])
def test_the_student_sees_what_the_robot_sees(way: str, size: list[int], invalid: str) -> None:
    """Renderer and pipeline of training against simulated camera and deployed pipeline: 1 cm on 99 % of the pixels."""
    depth = bundle(interpolation=way, size=size, invalid=invalid)
    for terrain in ("parkour_steps:0.4:1", "mixed:0.8:2"):
        place = find_place(terrain)
        position, quat = poses(place, 6, seed=1)
        expected = deployed(depth, simulated(terrain, position, quat))
        found = cameras(6, depth, ground=place.ground).look(bases(position, quat), all_of(6), all_of(6))
        assert found.shape == (6, size[0] * size[1]) and found.dtype == np.float32
        assert np.ptp(expected) > 0.4
        assert (np.abs(found - expected) < 0.01 * METRE).mean() >= 0.999


def test_each_robot_has_a_camera_of_its_own_within_the_bundles_range() -> None:
    depth = bundle(**moved(position_range=[0.02, 0.01, 0.03], pitch_range=0.1), delay=[0.08, 0.142])
    drawn = cameras(500, depth)
    offset = drawn._position - np.array(MOUNT.position)
    assert (np.abs(offset) <= (0.02, 0.01, 0.03)).all() and (np.ptp(offset, axis=0) > (0.038, 0.019, 0.057)).all()
    assert (np.abs(drawn._pitch - MOUNT.pitch) <= 0.1).all() and np.ptp(drawn._pitch) > 0.19
    delay = drawn._captures._delay / 1e9
    assert 0.08 <= delay.min() < 0.082 and 0.14 < delay.max() <= 0.142


def test_place_and_pitch_are_those_of_the_drawn_camera() -> None:
    """A wall straight ahead of a level camera comes nearer by what the camera is moved ahead."""
    wall = Ground((column((1.355, -9.0), (1.5, 9.0), 5.0, -1.0),), floor=-9.0)
    depth = bundle(**moved(pitch=0.0, position_range=[0.05, 0.0, 0.0]))
    many = cameras(50, depth, ground=wall)
    stand = bases(np.zeros((50, 3)), np.tile((1.0, 0.0, 0.0, 0.0), (50, 1)))
    middle = many.look(stand, np.zeros(50, bool), all_of(50)).reshape(50, 29, 49)[:, 14, 24]
    np.testing.assert_allclose((middle + 0.5) / METRE, 1.355 - many._position[:, 0], atol=1e-5)
    tilted = cameras(50, bundle(**moved(pitch=0.2, pitch_range=0.1)), ground=wall)
    image = tilted.look(stand, np.zeros(50, bool), all_of(50)).reshape(50, 29, 49)
    down = tilted._pitch + np.arctan((28 - 29.5) / 55.85)  # of the ray through row 14, which is row 28 of the sensor
    expected = np.cos(tilted._pitch - down) / np.cos(down)
    np.testing.assert_allclose((image[:, 14, 24] + 0.5) / METRE, expected, atol=1e-5)


def test_rows_that_are_due_are_refreshed_and_the_others_keep_their_image() -> None:
    many = cameras(4)
    none, due = np.zeros(4, bool), np.array([True, False, True, False])
    position, quat = poses(STEPS, 8, seed=3)
    before = many.look(bases(position[:4], quat[:4]), all_of(4), none)
    many._captures._phase[:] = 0
    after = many.look(bases(position[4:], quat[4:]), none, due)
    assert (before[1] == after[1]).all() and (before[3] == after[3]).all()
    assert (before[0] != after[0]).any() and (before[2] != after[2]).any()
    before[:] = 7.0
    assert (many.look(bases(position[4:], quat[4:]), none, none) == after).all(), "what was given out is a copy"


def test_a_restart_draws_a_new_camera_and_shows_the_start() -> None:
    depth = bundle(**moved(position_range=[0.02, 0.02, 0.02]), delay=[0.1, 0.142])
    many, first = cameras(3, depth), np.array([False, True, False])
    position, quat = poses(STEPS, 33, seed=4)
    for step in range(10):
        now = bases(position[3 * step : 3 * step + 3], quat[3 * step : 3 * step + 3])
        shown = many.look(now, np.zeros(3, bool), all_of(3))
    mounted = many._position.copy()
    start = bases(position[30:], quat[30:])
    fresh = many.look(start, first, np.zeros(3, bool))
    assert (mounted[[0, 2]] == many._position[[0, 2]]).all() and (mounted[1] != many._position[1]).any()
    assert (fresh[[0, 2]] == shown[[0, 2]]).all()
    expected = many._pipeline.many(many.capture(np.array([1]), bases(position[31:32], quat[31:32])))
    assert (fresh[1] == expected[0]).all()


def test_the_image_is_as_old_as_the_delay_says() -> None:
    many = cameras(2, bundle(delay=[0.1, 0.1]), ground=Ground((column((9.0, -9.0), (9.1, 9.0), 5.0, -1.0),), -9.0))
    many._captures._phase[:] = 0  # the grid of a camera at 50 Hz is that of the control steps
    level = np.tile((1.0, 0.0, 0.0, 0.0), (2, 1))
    many._position[:], many._pitch[:] = 0.0, 0.0
    for step in range(30):
        x = 7.2 + 0.01 * step
        shown = many.look(bases(np.tile((x, 0.0, 0.0), (2, 1)), level), np.zeros(2, bool), all_of(2))
    depth = (shown.reshape(2, 29, 49)[:, 14, 24] + 0.5) / METRE
    np.testing.assert_allclose(depth, 9.0 - (7.2 + 0.01 * (29 - 5)), atol=1e-4)


@pytest.mark.parametrize("invalid", ["far", "zero"])
def test_the_faults_are_as_many_as_in_the_sensors_image(invalid: str) -> None:
    """Holes, noise, blind band and left band: the same statistics as the simulated camera and the whole pipeline."""
    options = {"noise": 0.01, "hole_edges": 0.5, "hole_random": 0.02, "blind_band": 0.28, "left_band": True}
    depth, position, quat = bundle(invalid=invalid), *poses(STEPS, 80, seed=5)
    camera = profile(**options)
    whole = simulated(STEPS.name, position, quat, **options)
    pixels = read_pixels(depth)
    expected = whole[:, pixels.rows][:, :, pixels.columns]
    found = cameras(80, depth, camera).capture(np.arange(80), bases(position, quat))
    perfect = simulated(STEPS.name, position, quat)[:, pixels.rows][:, :, pixels.columns]
    near, seen = (perfect > 0.0) & (perfect < 2.0), (perfect > 0.35) & (perfect < 2.0)
    lost, missed = ((image == 0.0)[near].mean() for image in (found, expected))
    assert 0.04 < missed < 0.5 and lost == pytest.approx(missed, rel=0.1)
    spread, wanted = ((image - perfect)[seen & (image > 0.0)].std() for image in (found, expected))
    assert spread == pytest.approx(wanted, rel=0.05)
    assert found[found > 0.0].min() >= 0.28
    left, right = (np.mean((image == 0.0)[:, :, :3][near[:, :, :3]]) for image in (found, expected))
    assert left == pytest.approx(right, rel=0.1) and left > 0.3


def test_edge_holes_are_thinned_with_the_pixels() -> None:
    position, quat = poses(STEPS, 60, seed=6)
    some = cameras(60, camera=profile(hole_edges=0.5)).capture(np.arange(60), bases(position, quat))
    none = cameras(60).capture(np.arange(60), bases(position, quat))
    holes = simulated(STEPS.name, position, quat, hole_edges=0.5)[:, :58:2, 4:102:2]
    nearby = (none > 0.0) & (none < 2.0)
    lost = (holes == 0.0)[nearby].mean()
    assert lost > 0.005 and (some == 0.0)[nearby].mean() == pytest.approx(lost, rel=0.2)
    whole = clipped(simulated(STEPS.name, position, quat), 3.0)
    share = edges(whole)[:, :58:2, 4:102:2].mean()
    assert edges(whole[:, :58:2, 4:102:2]).mean() / read_pixels(bundle()).stride == pytest.approx(share, rel=0.15)
    assert thinned(DepthFaults(hole_edges=0.5, noise=0.1), 2.0) == DepthFaults(hole_edges=0.25, noise=0.1)
    assert read_pixels(bundle(interpolation="area")).stride == 1.0


def test_cameras_differ_in_how_faulty_they_are() -> None:
    """As the evaluation's do: without it, a student that passed 39 of 40 walls passed 22 before such cameras."""
    position, quat = poses(STEPS, 40, seed=8)
    perfect = cameras(40).capture(np.arange(40), bases(position, quat))
    spreads, nearest = [], []
    for varied in (False, True):
        made = cameras(40, camera=profile(noise=0.01, blind_band=0.28), varied=varied)
        images = [made.capture(np.arange(40), bases(position, quat)) for _ in range(30)]
        told = [(image > 0.0) & (perfect > 0.5) & (perfect < 1.5) for image in images]
        errors = [(i[t] - perfect[t]) / perfect[t] ** 2 for i, t in zip(images, told, strict=True)]
        spreads.append(np.array([error.std() for error in errors]))
        nearest.append(np.array([image[image > 0.0].min() for image in images]))
    (same, others), (edge, edges_found) = spreads, nearest
    assert np.ptp(same) < 0.002 and others.min() < 0.0065 and others.max() > 0.0135
    assert edge.min() >= 0.28 and edges_found.min() < 0.22 and (edges_found > 0.25).any()


def test_faults_of_many_images_are_those_of_each() -> None:
    position, quat = poses(STEPS, 5, seed=7)
    images = simulated(STEPS.name, position, quat)
    assert (edges(images) == np.array([edges(image) for image in images])).all()
    faults = DepthFaults(blind_band=0.28, left_band=2.8)
    rng = np.random.default_rng(0)
    alone = np.array([apply(image, faults, 10.0, rng) for image in images])
    assert (apply(images, faults, 10.0, rng) == alone).all()
    columns = np.arange(4, 102, 2, dtype=np.float32)
    assert (apply(images[:, :, 4:102:2], faults, 10.0, rng, columns) == alone[:, :, 4:102:2]).all()


def test_every_image_has_noise_of_its_own() -> None:
    many = cameras(2, camera=profile(noise=0.01))
    position, quat = (np.repeat(part, 2, axis=0) for part in poses(STEPS, 1, seed=8))
    first = many.capture(np.arange(2), bases(position, quat))
    second = many.capture(np.arange(2), bases(position, quat))
    assert (first[0] != first[1]).any() and (first != second).any()


def test_more_robots_than_go_at_once() -> None:
    count = FRAMES + 3
    position, quat = poses(STEPS, count, seed=9)
    found = cameras(count).look(bases(position, quat), all_of(count), all_of(count))
    alone = cameras(1).look(bases(position[-1:], quat[-1:]), all_of(1), all_of(1))
    np.testing.assert_allclose(found[-1:], alone, atol=1e-5)


def test_a_delay_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="captures"):
        cameras(1, replace(bundle(), delay=(0.0, 100.0)))


def test_optical_rotations_are_the_simulated_cameras() -> None:
    pitch = np.array([-0.3, 0.0, 0.3927])
    expected = np.array([optical_rotation(each) for each in pitch])
    np.testing.assert_allclose(optical_rotations(pitch), expected, atol=1e-12)


@pytest.fixture
def env() -> Iterator[ParkourEnv]:
    made = build_env(replace(GO2_PARKOUR_TEACHER, levels=2, tiles=1, randomization=NOMINAL), 16, seed=0)
    assert isinstance(made, ParkourEnv)
    yield made
    made.batch.close()


def test_it_sees_the_lanes_of_an_environment(env: ParkourEnv) -> None:
    grounds = [tile.ground for tile in env.lanes.tiles]
    many = DepthCameras(grounds, bundle(), profile(rate=50.0), 16, 0.02, np.random.default_rng(0), varied=False)
    many._captures._phase[:] = 0
    for _ in range(3):
        done = env.step(np.zeros((16, 12))).done
        qpos = env.batch.qpos
        found = many.look(Bases(env.fleet.tile, qpos[:, :3], qpos[:, 3:7]), done, all_of(16))
    for robot in (0, 7, 15):
        tile = env.fleet.tile[robot]
        kind, level = GO2_PARKOUR_TEACHER.grounds[env.lanes.kind[tile]], env.lanes.level[tile]
        name = f"{kind.kind}:{(kind.lowest, kind.highest)[level]:.4f}:0"
        expected = deployed(bundle(), simulated(name, qpos[[robot], :3], qpos[[robot], 3:7]))
        assert (np.abs(found[robot] - expected[0]) < 0.01 * METRE).mean() >= 0.99
