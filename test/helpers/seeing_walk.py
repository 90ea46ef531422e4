"""A policy of kind parkour that really walks: go2_walk's actor behind a depth network whose latent changes nothing.

The depth network remembers, and answers NaN to an image without any return: whoever feeds it one is found out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from helpers.checkout import ROOT
from helpers.networks import model_bytes
from onnx import helper, numpy_helper

from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import write_bundle
from robot_policies.robot_spec import RobotSpec

WALK = ROOT / "bundles" / "go2_walk"
NAME = "go2_sees"
IMAGE = (15, 26)  # rows, columns of the network's image
LATENT = 32
PERIOD = 5  # ticks: 10 Hz
MAX_AGE = 0.2  # [s]
STIFFNESS, DAMPING = 34.0, 0.8  # not go2_walk's 30 and 0.7: the gains change with the policy


def eye() -> bytes:
    """Return image (1, 1, h, w), memory_in (1, 1) to latent (1, 32), memory_out."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean4"], axes=[2, 3], keepdims=1),
        helper.make_node("Reshape", ["mean4", "flat"], ["mean"]),
        helper.make_node("Mul", ["memory_in", "most"], ["kept"]),
        helper.make_node("Add", ["kept", "mean"], ["memory_out"]),
        helper.make_node("Sub", ["full", "mean"], ["room"]),
        helper.make_node("Sqrt", ["room"], ["root"]),  # NaN where every pixel is far
        helper.make_node("Add", ["root", "memory_out"], ["both"]),
        helper.make_node("MatMul", ["both", "wide"], ["latent"]),
    ]
    weights = {
        "flat": np.array([1, 1], np.int64),
        "most": np.full((1, 1), 0.9, np.float32),
        "full": np.full((1, 1), 0.999, np.float32),
        "wide": np.linspace(0.5, 1.5, LATENT, dtype=np.float32)[None],
    }
    shapes = {"image": [1, 1, *IMAGE], "memory_in": [1, 1]}, {"latent": [1, LATENT], "memory_out": [1, 1]}
    return model_bytes(nodes, *shapes, weights)


def actor() -> bytes:
    """Return go2_walk's actor with a second input, of which nothing is felt unless it is NaN."""
    model = onnx.load(str(WALK / "actor.onnx"))
    graph = model.graph
    for node in graph.node:
        node.input[:] = ["seen" if name == "observation" else name for name in node.input]
    size = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    graph.initializer.append(numpy_helper.from_array(np.zeros((LATENT, size), np.float32), "nothing"))
    graph.input.append(helper.make_tensor_value_info("latent", onnx.TensorProto.FLOAT, [1, LATENT]))
    graph.node.insert(0, helper.make_node("Add", ["observation", "felt"], ["seen"]))
    graph.node.insert(0, helper.make_node("MatMul", ["latent", "nothing"], ["felt"]))
    return model.SerializeToString()


def contract(lost: str, **changes: Any) -> dict[str, Any]:
    """Return go2_walk's contract with a camera; ``changes`` replace top-level keys."""
    data: dict[str, Any] = yaml.safe_load((WALK / "policy.yaml").read_text(encoding="utf-8"))
    data = {key: value for key, value in data.items() if key not in ("format", "files")}
    data |= {"name": NAME, "kind": "parkour", "provenance": {"source": "made by a test"}}
    count = len(data["joints"]["names"])
    data["joints"] |= {"stiffness": [STIFFNESS] * count, "damping": [DAMPING] * count}
    data["depth"] = {"front": depth()}
    walk = data["networks"][0]
    vision = {
        "name": "eye",
        "file": "eye.onnx",
        "period": PERIOD,
        "inputs": [{"name": "image", "shape": [1, 1, *IMAGE], "source": [{"depth": "front"}]}],
        "outputs": [{"name": "latent", "shape": [1, LATENT]}],
        "states": [{"input": "memory_in", "output": "memory_out", "shape": [1, 1], "reset": "activation"}],
    }
    latent = {"name": "latent", "shape": [1, LATENT], "source": [{"network": "eye", "output": "latent"}]}
    data["networks"] = [vision, {**walk, "inputs": [*walk["inputs"], latent]}]
    data["limits"]["inputs"]["depth"] = {"max_age": MAX_AGE, "lost": lost}
    return {**data, **changes}


def depth() -> dict[str, Any]:
    """Return the depth input: the robot's own camera."""
    return {
        "sensor": "d435",
        "intrinsics": {"width": 106, "height": 60, "fx": 55.85, "fy": 55.85, "cx": 52.5, "cy": 29.5},
        "pose": {"position": [0.355, 0.0, 0.065], "pitch": 0.3927},
        "crop": [0, 0, 0, 0],
        "size": list(IMAGE),
        "interpolation": "nearest",
        "near": 0.0,
        "far": 2.0,
        "invalid": "far",
        "scale": 0.5,
        "offset": 0.0,
        "rate": 10.0,
        "delay": [0.06, 0.15],
    }


def seeing_walk(folder: Path, spec: RobotSpec, lost: str = "companion", **changes: Any) -> Bundle:
    """Write the bundle into the new ``folder``; ``lost`` says what follows when it is blind."""
    files = {"actor.onnx": actor(), "eye.onnx": eye(), "README.md": "# go2_sees\n\nA test bundle.\n"}
    return write_bundle(folder, contract(lost, **changes), files, spec, ticks=32)
