"""Ways to break a bundle: each a function of its folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from helpers.bundles import edit, relist
from helpers.nested import put_at
from helpers.networks import gru, mlp, model_bytes
from onnx import TensorProto, helper, numpy_helper

Breaker = Callable[[Path], Any]
Broken = dict[str, tuple[Breaker, str]]  # what is broken -> (how, what the message must hold)

TERMS = "observations/policy/terms"
SOURCE = "networks/0/inputs/0/source"

DEPTH: dict[str, Any] = {
    "sensor": "d435",
    "intrinsics": {"width": 6, "height": 4, "fx": 4.0, "fy": 4.0, "cx": 2.5, "cy": 1.5},
    "pose": {"position": [0.3, 0.0, 0.1], "pitch": 0.4},
    "crop": [0, 0, 0, 0],
    "size": [4, 6],
    "interpolation": "area",
    "near": 0.0,
    "far": 2.0,
    "invalid": "far",
    "scale": 1.0,
    "offset": 0.0,
    "rate": 10.0,
    "delay": [0.0, 0.1],
}


def put(path: str, value: Any) -> Breaker:
    """Set, or with ``...`` remove, the entry at ``path`` of the contract; numbers index lists."""
    keys = [int(key) if key.isdigit() else key for key in path.split("/")]
    return lambda folder: edit(folder, lambda data: put_at(data, keys, value))


def text(old: str, new: str) -> Breaker:
    def change(folder: Path) -> None:
        path = folder / "policy.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def add(name: str, content: bytes = b"x", listed: bool = True) -> Breaker:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        if listed:
            relist(folder)

    return change


def actor(content: bytes) -> Breaker:
    return add("actor.onnx", content)


def both(*breakers: Breaker) -> Breaker:
    return lambda folder: [breaker(folder) for breaker in breakers]


def bad_weight(value: float) -> bytes:
    model = onnx.load_model_from_string(mlp((45, 16, 8, 12)))
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[0, 0] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "w0"))
    return model.SerializeToString()


def with_node(op: str, domain: str = "") -> bytes:
    model = onnx.load_model_from_string(mlp((45, 12), output="linear"))
    model.graph.node.append(helper.make_node(op, ["linear"], ["actions"], domain=domain))
    model.graph.output[0].name = "actions"
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model.SerializeToString()


def cast_input() -> bytes:
    nodes = [
        helper.make_node("Cast", ["obs"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["float", "w"], ["actions"]),
    ]
    weights = {"w": np.zeros((45, 12), np.float32)}
    return model_bytes(nodes, {"obs": [1, 45]}, {"actions": [1, 12]}, weights, {"obs": TensorProto.DOUBLE})


def external(location: str) -> Breaker:
    """Weights in weights.bin, which the network calls ``location``."""

    def change(folder: Path) -> None:
        model = onnx.load_model_from_string(mlp((45, 16, 8, 12)))
        onnx.save_model(
            model, folder / "actor.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
        )
        model = onnx.load(folder / "actor.onnx", load_external_data=False)
        for tensor in model.graph.initializer:
            tensor.external_data[0].value = location
        (folder / "actor.onnx").write_bytes(model.SerializeToString())
        relist(folder)

    return change


def link(name: str, target: str) -> Breaker:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.symlink(target, folder / name)

    return change


def grow(name: str, size: int) -> Breaker:
    def change(folder: Path) -> None:
        with (folder / name).open("r+b") as file:
            file.truncate(size)  # sparse

    return change


def second(**source: Any) -> Breaker:
    """A second network after the actor; the actor's input then reads ``source`` too."""

    def change(data: dict[str, Any]) -> None:
        item = {"name": "obs", "shape": [1, 45], "source": [{"observation": "policy"}]}
        late = {"name": "late", "file": "actor.onnx", "period": 1, "inputs": [item]}
        data["networks"].append({**late, "outputs": [{"name": "actions", "shape": [1, 12]}]})
        data["networks"][0]["inputs"][0]["source"].append(source)

    return lambda folder: edit(folder, change)


def gru_states(*shape: int) -> Breaker:
    state = {"input": "h_in", "output": "h_out", "shape": list(shape), "reset": "activation"}
    return both(actor(gru(45, 4, 12)), put("networks/0/states", [state]))


def camera(**changes: Any) -> Breaker:
    limit = {"max_age": 0.2, "lost": "landing"}
    return both(put("depth", {"front": {**DEPTH, **changes}}), put("limits/inputs/depth", limit))
