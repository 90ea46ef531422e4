"""A bundle that sees, on a course: its cameras look at the ground that the robot walks on."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.offline import SPEC
from helpers.seeing import seeing_bundle

from robot_policies.bundle.load import Bundle
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, build, run_episode
from sim2real.evaluation.world import simulated_cameras

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
