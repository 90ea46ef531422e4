"""A bundle that sees, on a course: its cameras look at the ground that the robot walks on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.bundles import README, contract_of
from helpers.networks import model_bytes
from helpers.offline import SPEC
from onnx import helper

from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import write_bundle
from robot_policies.sensor_spec import load_depth_sensor
from sim2real.evaluation.course import load_course
from sim2real.evaluation.episode import Job, build, run_episode
from sim2real.evaluation.world import simulated_cameras

STILL = (0.0, 0.0, 0.0)
ROWS, COLUMNS = 6, 8


def seeing_contract() -> dict[str, Any]:
    """A policy that holds the stand pose, and whose encoder reads the robot's own camera, resized to 6 x 8."""
    contract, sensor = contract_of(SPEC), load_depth_sensor("d435")
    source = [{"depth": "depth"}]
    encoder = {
        "name": "encoder",
        "file": "encoder.onnx",
        "period": 5,
        "inputs": [{"name": "image", "shape": [1, ROWS * COLUMNS], "source": source}],
        "outputs": [{"name": "latent", "shape": [1, 2]}],
    }
    contract["networks"].insert(0, encoder)
    actor = contract["networks"][1]["inputs"][0]
    actor["shape"] = [1, actor["shape"][1] + 2]
    actor["source"].append({"network": "encoder", "output": "latent"})
    contract["limits"]["inputs"]["depth"] = {"max_age": 0.25, "lost": "landing"}
    names = ("width", "height", "fx", "fy", "cx", "cy")
    contract["depth"] = {
        "depth": {
            "sensor": "d435", "intrinsics": {name: getattr(sensor, name) for name in names},
            "pose": {"position": [0.355, 0.0, 0.065], "pitch": 0.3927}, "crop": [0, 0, 0, 0], "size": [ROWS, COLUMNS],
            "interpolation": "area", "near": 0.0, "far": 3.0, "invalid": "far", "scale": 1.0, "offset": 0.0,
            "rate": 30.0, "delay": [0.08, 0.142],
        }
    }  # fmt: skip
    index = SPEC.joint_index(contract["joints"]["names"])
    gains = {"stiffness": SPEC.stand_stiffness[index].tolist(), "damping": SPEC.stand_damping[index].tolist()}
    contract["joints"] |= gains
    contract["action"]["offset"] = SPEC.poses["stand"][index].tolist()
    return contract


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    contract = seeing_contract()
    size = contract["networks"][1]["inputs"][0]["shape"][1]
    zero = {"w": np.zeros((size, 12), np.float32), "b": np.zeros(12, np.float32)}
    files = {
        "encoder.onnx": model_bytes(
            [helper.make_node("MatMul", ["image", "w"], ["latent"])],
            {"image": [1, ROWS * COLUMNS]},
            {"latent": [1, 2]},
            {"w": np.ones((ROWS * COLUMNS, 2), np.float32)},
        ),
        "actor.onnx": model_bytes(
            [helper.make_node("Gemm", ["obs", "w", "b"], ["actions"])], {"obs": [1, size]}, {"actions": [1, 12]}, zero
        ),
        "README.md": README,
    }
    return write_bundle(tmp_path_factory.mktemp("bundles") / "seeing", contract, files, SPEC, ticks=32)


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
