"""A bundle that sees: it holds the stand pose, and what it sees moves its targets a little, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from helpers.bundles import README, contract_of
from helpers.networks import model_bytes
from onnx import helper

from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import write_bundle
from robot_policies.robot_spec import RobotSpec
from robot_policies.sensor_spec import load_depth_sensor

ROWS, COLUMNS = 6, 8
PERIOD = 5  # ticks: the encoder runs at 10 Hz
DELAY = (0.080, 0.142)  # [s], of the D435


def seeing_contract(
    spec: RobotSpec,
    lost: str = "landing",
    delay: tuple[float, float] = DELAY,
    period: int = PERIOD,
    pose: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A policy that holds the stand pose, and whose encoder reads the robot's own camera, resized to 6 x 8."""
    contract, sensor = contract_of(spec), load_depth_sensor("d435")
    mount = spec.sensors.depth["depth"]
    encoder = {
        "name": "encoder",
        "file": "encoder.onnx",
        "period": period,
        "inputs": [{"name": "image", "shape": [1, ROWS * COLUMNS], "source": [{"depth": "depth"}]}],
        "outputs": [{"name": "latent", "shape": [1, 2]}],
    }
    contract |= {"name": "seeing", "kind": "parkour"}
    contract["networks"].insert(0, encoder)
    actor = contract["networks"][1]["inputs"][0]
    actor["shape"] = [1, actor["shape"][1] + 2]
    actor["source"].append({"network": "encoder", "output": "latent"})
    contract["limits"]["inputs"]["depth"] = {"max_age": 0.23, "lost": lost}
    names = ("width", "height", "fx", "fy", "cx", "cy")
    contract["depth"] = {
        "depth": {
            "sensor": "d435", "intrinsics": {name: getattr(sensor, name) for name in names},
            "pose": pose or {"position": list(mount.position), "pitch": mount.pitch}, "crop": [0, 0, 0, 0],
            "size": [ROWS, COLUMNS], "interpolation": "area", "near": 0.0, "far": 3.0, "invalid": "far",
            "scale": 1.0, "offset": 0.0, "rate": 30.0, "delay": list(delay),
        }
    }  # fmt: skip
    index = spec.joint_index(contract["joints"]["names"])
    gains = {"stiffness": spec.stand_stiffness[index].tolist(), "damping": spec.stand_damping[index].tolist()}
    contract["joints"] |= gains
    contract["action"]["offset"] = spec.poses["stand"][index].tolist()
    return contract


def seeing_bundle(folder: Path, spec: RobotSpec, effect: float = 0.0, **changes: Any) -> Bundle:
    """Write the bundle into the new ``folder``.

    Args:
        folder: must not exist.
        spec: of a robot with one depth camera.
        effect: of what is seen on each action.
        **changes: as of ``seeing_contract``.
    """
    contract = seeing_contract(spec, **changes)
    size, count = contract["networks"][1]["inputs"][0]["shape"][1], len(spec.joint_names)
    pixels = np.random.default_rng(0).standard_normal((ROWS * COLUMNS, 2)).astype(np.float32) / ROWS
    weights = np.zeros((size, count), np.float32)
    weights[-2:] = effect
    files = {
        "encoder.onnx": model_bytes(
            [helper.make_node("MatMul", ["image", "w"], ["latent"])],
            {"image": [1, ROWS * COLUMNS]},
            {"latent": [1, 2]},
            {"w": pixels},
        ),
        "actor.onnx": model_bytes(
            [helper.make_node("Gemm", ["obs", "w", "b"], ["actions"])],
            {"obs": [1, size]},
            {"actions": [1, count]},
            {"w": weights, "b": np.zeros(count, np.float32)},
        ),
        "README.md": README,
    }
    return write_bundle(folder, contract, files, spec, ticks=32)
