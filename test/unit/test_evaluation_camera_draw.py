"""The camera of an episode on a randomised plant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from helpers.broken import DEPTH
from helpers.offline import SPEC

from robot_policies.contract import CameraPose, Depth
from robot_policies.schema import parse
from sim2real.evaluation.camera_draw import drawn_camera
from sim2real.mujoco.camera_profile import CameraOptions, CameraProfile, camera_profile
from sim2real.randomization.depth_faults import BLIND, HOLES, NOISE

NOMINAL = camera_profile(SPEC, CameraOptions())
REACH, PITCH = (0.02, 0.01, 0.03), 0.05
POSE = CameraPose(position=(0.3, 0.0, 0.1), pitch=0.4, position_range=REACH, pitch_range=PITCH)
DT = 0.02
TRAINED = replace(parse(Depth, {**DEPTH, "delay": [0.08, 0.2]}, "test"), pose=POSE)


def many(count: int = 400) -> list[CameraProfile]:
    return [drawn_camera(NOMINAL, TRAINED, DT, seed) for seed in range(count)]


def test_place_and_pitch_fill_the_bundles_range_around_the_robots_mount() -> None:
    shifts = np.array([camera.mount.position for camera in many()]) - NOMINAL.mount.position
    pitches = np.array([camera.mount.pitch for camera in many()]) - NOMINAL.mount.pitch
    for found, reach in ((shifts, np.array(REACH)), (pitches[:, None], np.array([PITCH]))):
        assert (np.abs(found) <= reach).all()
        assert found.min(axis=0) == pytest.approx(-reach, rel=0.05) and found.max(axis=0) == pytest.approx(
            reach, rel=0.05
        )


def test_no_image_is_used_later_than_the_bundle_was_trained_for() -> None:
    """The newest image is 1/30 s older when the next is due, and a tick is at most 0.02 s later."""
    least = np.array([camera.delay for camera in many()])
    most = least + [camera.jitter for camera in many()]
    latest = 0.2 - 1 / 30 - 0.02
    assert least.min() >= 0.08 and most.max() <= latest + 1e-12
    assert least.min() < 0.082 and most.max() > latest - 0.002
    assert (least > 0.12).any() and (most < 0.1).any(), "episodes differ in their delay as a whole"


def test_faults_vary_around_the_sensors() -> None:
    for name, (low, high) in (("noise", NOISE), ("hole_random", HOLES), ("hole_edges", HOLES), ("blind_band", BLIND)):
        ratio = np.array([getattr(camera.faults, name) for camera in many()]) / getattr(NOMINAL.faults, name)
        assert low <= ratio.min() < low + 0.05 and high - 0.05 < ratio.max() <= high, name
    faulty = replace(NOMINAL, faults=replace(NOMINAL.faults, hole_edges=1.0, hole_random=0.9))
    assert all(drawn_camera(faulty, TRAINED, DT, seed).faults.hole_edges <= 1.0 for seed in range(50))


def test_a_bundle_without_ranges_keeps_the_mount() -> None:
    exact = replace(TRAINED, pose=CameraPose(position=(0.3, 0.0, 0.1), pitch=0.4), delay=(0.1, 0.1))
    camera = drawn_camera(NOMINAL, exact, DT, 3)
    assert camera.mount == NOMINAL.mount and (camera.delay, camera.jitter) == (0.1, 0.0)


def test_the_seed_and_the_cameras_number_decide() -> None:
    assert drawn_camera(NOMINAL, TRAINED, DT, 5) == drawn_camera(NOMINAL, TRAINED, DT, 5)
    assert drawn_camera(NOMINAL, TRAINED, DT, 5) != drawn_camera(NOMINAL, TRAINED, DT, 6)
    assert drawn_camera(NOMINAL, TRAINED, DT, 5) != drawn_camera(NOMINAL, TRAINED, DT, 5, 1)
