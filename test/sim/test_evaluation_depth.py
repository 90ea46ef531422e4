"""A bundle that sees, on a course: its cameras look at the ground that the robot walks on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.bundles import standing
from helpers.images import camera
from helpers.offline import SPEC
from helpers.seeing import seeing_bundle
from helpers.seeing_walk import seeing_walk

from robot_policies.bundle.load import Bundle
from robot_policies.exceptions import InputError
from robot_policies.types import DepthImage
from sim2real.evaluation import episode
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, build, run_episode
from sim2real.evaluation.world import simulated_cameras
from sim2real.mujoco.robot import GroundTruth

STILL = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seeing_bundle(tmp_path_factory.mktemp("bundles") / "seeing", SPEC)


def job_of(bundle: Bundle, name: str, difficulty: float) -> Job:
    return Job(str(bundle.folder), "go2", load_course(name), difficulty, 0, 1.0, STILL)


def test_a_bundle_that_sees_runs_on_a_lane_and_is_judged_by_it(seeing: Bundle) -> None:
    result = run_episode(job_of(seeing, "step", 0.2))
    assert result.metrics["active_s"] == pytest.approx(1.0, abs=0.006) and not result.fell and not result.trips
    assert len(result.failures) == 1 and "the goal is at 2.20 m" in result.failures[0]


def seen(bundle: Bundle, name: str, difficulty: float) -> np.ndarray:
    """Return the last of the images of the first seconds of an episode."""
    job = job_of(bundle, name, difficulty)
    rig = build(job)
    terrain = job.course.place(difficulty, 0).name
    cameras = simulated_cameras(bundle.contract, SPEC, rig.robot.ground_truth, terrain, 0)
    assert cameras is not None
    image = None
    while rig.metrics.stamp_ns < 2_000_000_000:
        image = cameras(rig.run.cycle().state).get("depth", image)
    assert image is not None
    return np.asarray(image.depth)


def test_its_camera_sees_the_obstacle_ahead(seeing: Bundle) -> None:
    flat, step, gap = (seen(seeing, *what) for what in (("flat", 0.0), ("step", 0.4), ("gap", 1.0)))
    both = (flat > 0) & (step > 0) & (gap > 0)
    assert both.mean() > 0.5
    nearer, farther = (step - flat)[both], (gap - flat)[both]
    assert (nearer < -0.1).mean() > 0.1 and (nearer > 0.1).mean() < 0.05
    assert (farther > 0.1).mean() > 0.1 and (farther < -0.1).mean() < 0.05


def test_an_episode_that_sees_can_be_repeated(seeing: Bundle) -> None:
    one, again = (run_episode(job_of(seeing, "gap", 0.3)) for _ in range(2))
    assert one.metrics["energy_j"] == again.metrics["energy_j"]


def test_a_randomised_plant_draws_the_camera_too(tmp_path: Path) -> None:
    """Seeds see one scene from other places, with other delays; the nominal plant from one."""
    pose = {"position": [0.355, 0.0, 0.065], "pitch": 0.3927, "position_range": [0.02] * 3, "pitch_range": 0.05}
    bundle = seeing_bundle(tmp_path / "seeing", SPEC, pose=pose)
    first = {(plant, seed): first_image(bundle, plant, seed) for plant in ("nominal", "randomized") for seed in (0, 1)}
    for plant in ("nominal", "randomized"):
        one, other = first[plant, 0], first[plant, 1]
        seen_by_both = (one.depth > 0) & (other.depth > 0)
        apart = float(np.median(np.abs(one.depth - other.depth)[seen_by_both]))
        assert (apart > 0.01) == (plant == "randomized"), (plant, apart)
    again = first_image(bundle, "randomized", 1)
    assert np.array_equal(again.depth, first["randomized", 1].depth)
    job = replace(job_of(bundle, "flat", 0.0), plant="randomized", seed=1, seconds=0.5)
    assert not run_episode(job).trips, "what is drawn is within what the policy accepts"


def first_image(bundle: Bundle, plant: str, seed: int) -> DepthImage:
    """Return the first image of a robot that stands still."""
    base = GroundTruth(0, *(np.zeros(3),), np.array([1.0, 0, 0, 0]), *([np.zeros(3)] * 2), SPEC.poses["stand"],
                       np.zeros(19), ())  # fmt: skip
    base = replace(base, position=np.array([0.0, 0.0, 0.32]))
    cameras = simulated_cameras(bundle.contract, SPEC, lambda: base, "step:0.3", seed, plant == "randomized")
    assert cameras is not None
    for stamp in range(0, 1_000_000_000, 5_000_000):
        found = cameras(standing(SPEC, stamp)).get("depth")
        if found is not None:
            return found
    raise AssertionError("no image")


def test_where_the_camera_fails_the_companion_walks_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline of ``run --companion``: alone, the one that sees stands still."""
    bundle = seeing_walk(tmp_path / "sees", SPEC)
    monkeypatch.setattr(episode, "simulated_cameras", lambda *_: camera(lambda stamp_ns: stamp_ns < 3_000_000_000))
    job = replace(job_of(bundle, "flat", 0.0), seconds=4.0, command=(0.4, 0.0, 0.0))
    alone, pair = run_episode(job), run_episode(replace(job, companion="go2_walk"))
    (why,) = alone.failures
    assert "lin_vel_x" in why and "for a command of 0.4" in why
    assert (pair.success, pair.trips, pair.failures) == (True, (), ())
    assert pair.metrics["active_s"] == pytest.approx(4.0, abs=0.006)


def test_a_companion_is_blind_to_true_heights_too(seeing: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one height scan is made, and it is the main bundle's."""
    monkeypatch.setattr(episode, "reads_height_scan", lambda contract: contract.name == "go2_walk")
    with pytest.raises(InputError, match="--companion: a blind policy; found go2_walk, which reads height_scan"):
        build(replace(job_of(seeing, "flat", 0.0), companion="go2_walk"))
