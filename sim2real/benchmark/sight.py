"""A policy that sees, to measure with where none is shipped: the shipped walk with a depth network beside it.

The network has 0.43 million parameters and takes 2.5 million products an image, as much as a depth encoder that two
cores can train. It reads what the robot's own camera gives. What it says moves nothing: the walk is as without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from robot_policies import resources
from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.bundle.write import write_bundle
from robot_policies.robot_spec import RobotSpec
from robot_policies.sensor_spec import load_depth_sensor
from sim2real.benchmark.walk import POLICY

NAME, LATENT = "walk_that_sees", 32
ROWS, COLUMNS = 29, 49  # every second pixel of the camera's image, less its borders
CHANNELS = ((1, 16, 5), (16, 32, 3), (32, 32, 3))  # in, out, edge of the kernel; strides of 2
HIDDEN = 256


def seeing_bundle(folder: Path, spec: RobotSpec, period: int = 1) -> Bundle:
    """Write the bundle into the new ``folder``; its depth network is stepped every ``period`` ticks.

    Raises:
        RobotPoliciesError: the shipped walk is not there, or ``spec`` has not one depth camera.
    """
    walk = load_bundle(POLICY, spec)
    contract = yaml.safe_load((walk.folder / "policy.yaml").read_text(encoding="utf-8"))
    for key in ("format", "files"):
        del contract[key]
    contract["name"] = NAME
    contract["networks"].append(_network(period))
    contract["limits"]["inputs"]["depth"] = {"max_age": 0.5, "lost": "blind"}
    contract["depth"] = {"depth": _depth(spec)}
    files: dict[str, bytes | str] = {
        item: (walk.folder / item).read_bytes() for item in walk.contract.files if item.endswith(".onnx")
    }
    readme = f"# {NAME}\n\nTo measure with: {POLICY} and a depth network that nothing reads.\n"
    return write_bundle(folder, contract, {**files, "sight.onnx": _onnx(), "README.md": readme}, spec, ticks=32)


def shipped() -> bool:
    """Return whether a policy that sees is shipped."""
    return "go2_parkour" in dict(resources.listing("bundles"))


def _network(period: int) -> dict[str, Any]:
    source = [{"depth": "depth"}]
    return {
        "name": "sight",
        "file": "sight.onnx",
        "period": period,
        "inputs": [{"name": "image", "shape": [1, ROWS * COLUMNS], "source": source}],
        "outputs": [{"name": "latent", "shape": [1, LATENT]}],
    }


def _depth(spec: RobotSpec) -> dict[str, Any]:
    (mount,) = spec.sensors.depth.values()
    sensor = load_depth_sensor(mount.sensor)
    names = ("width", "height", "fx", "fy", "cx", "cy")
    return {
        "sensor": mount.sensor,
        "intrinsics": {name: getattr(sensor, name) for name in names},
        "pose": {"position": list(mount.position), "pitch": mount.pitch},
        "crop": [0, 2, 4, 4],
        "size": [ROWS, COLUMNS],
        "interpolation": "nearest",
        "near": 0.0,
        "far": 2.0,
        "invalid": "far",
        "scale": 0.5,
        "offset": -0.5,
        "rate": sensor.rate,
        "delay": list(sensor.delay),
    }


def _onnx() -> bytes:
    random, nodes, weights = np.random.default_rng(0), list[onnx.NodeProto](), dict[str, Any]()
    weights["shape"] = np.array([1, 1, ROWS, COLUMNS])
    nodes.append(helper.make_node("Reshape", ["image", "shape"], ["x0"]))
    size = (ROWS, COLUMNS)
    for number, (wide, out, edge) in enumerate(CHANNELS):
        weights[f"w{number}"] = (random.standard_normal((out, wide, edge, edge)) / edge).astype(np.float32)
        conv = helper.make_node("Conv", [f"x{number}", f"w{number}"], [f"c{number}"], strides=[2 if number else 1] * 2)
        nodes += [conv, helper.make_node("Elu", [f"c{number}"], [f"x{number + 1}"])]
        size = tuple((length - edge) // (2 if number else 1) + 1 for length in size)  # type: ignore[assignment]
    flat = CHANNELS[-1][1] * size[0] * size[1]
    weights["hidden"] = (random.standard_normal((flat, HIDDEN)) / flat**0.5).astype(np.float32)
    weights["last"] = (random.standard_normal((HIDDEN, LATENT)) / HIDDEN**0.5).astype(np.float32)
    nodes += [
        helper.make_node("Flatten", [f"x{len(CHANNELS)}"], ["flat"]),
        helper.make_node("MatMul", ["flat", "hidden"], ["h"]),
        helper.make_node("Elu", ["h"], ["e"]),
        helper.make_node("MatMul", ["e", "last"], ["latent"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count])
        for name, count in (("image", ROWS * COLUMNS), ("latent", LATENT))
    ]
    arrays = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "sight", ends[:1], ends[1:], arrays)
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )
