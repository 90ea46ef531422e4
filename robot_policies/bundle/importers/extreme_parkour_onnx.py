"""The networks of Extreme Parkour as ONNX, made anew from the parameters of its export. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_policies.bundle.importers.refusal import refused
from robot_policies.types import Array32

PROPRIO, SCAN, EXPLICIT, LATENT, HISTORY_LATENT, ACTIONS = 53, 132, 9, 32, 20, 12
ACTOR_IN = PROPRIO + LATENT + EXPLICIT + HISTORY_LATENT
IMAGE = (58, 87)
HIDDEN = 512  # of the GRU
OPSET, IR = 17, 9


class Weights:
    """Parameters by name. A name may have anything before it."""

    def __init__(self, arrays: Mapping[str, Array32], where: str) -> None:
        """Take the arrays of the file ``where``."""
        self._arrays, self._where = arrays, where

    def __call__(self, name: str, shape: Sequence[int]) -> Array32:
        """Return one parameter. Raises ``ImportFormatError`` where it is missing, of another shape, or not finite."""
        found = [key for key in self._arrays if key == name or key.endswith(f".{name}")]
        asked = f"{self._where}: {name}: numbers of shape {list(shape)}"
        if len(found) != 1:
            raise refused(asked, f"{len(found)} parameters of that name", f"one of: {', '.join(sorted(self._arrays))}")
        array = self._arrays[found[0]]
        if array.shape != tuple(shape) or not np.isfinite(array).all():
            raise refused(asked, f"shape {list(array.shape)}, or not finite", "the layers of the public export")
        return array


class Layers:
    """A network that grows layer by layer; ``name`` is the newest value's."""

    def __init__(self, weights: Weights, name: str = "") -> None:
        """Begin at the input ``name``."""
        self.weights, self.name = weights, name
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array32] = {}

    def node(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add an operator and return the name of its value."""
        self.name = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [self.name], **attributes))
        return self.name

    def constant(self, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        """Add a constant and return its name."""
        name = f"c{len(self.constants)}"
        self.constants[name] = array  # type: ignore[assignment]
        return name

    def linear(self, name: str, rows: int, columns: int, activation: str = "Elu", output: str = "") -> None:
        """Add weight (columns, rows) and bias of ``name``, then an activation, unless that is empty."""
        weight = self.constant(self.weights(f"{name}.weight", (columns, rows)))
        bias = self.constant(self.weights(f"{name}.bias", (columns,)))
        self.node("Gemm", [self.name, weight, bias], "" if activation else output, transB=1)
        if activation:
            self.node(activation, [self.name], output)

    def convolution(self, name: str, shape: Sequence[int], stride: int = 1) -> None:
        """Add a convolution with a weight of ``shape`` (out, in, kernel ...), without padding."""
        weight = self.constant(self.weights(f"{name}.weight", shape))
        bias = self.constant(self.weights(f"{name}.bias", shape[:1]))
        self.node("Conv", [self.name, weight, bias], strides=[stride] * (len(shape) - 2))

    def shape(self, *sizes: int) -> None:
        """Give the newest value another shape."""
        self.node("Reshape", [self.name, self.constant(np.array(sizes, dtype=np.int64))])

    def model(self, inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]]) -> bytes:
        """Return the ONNX file."""
        takes, gives = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
            for side in (inputs, outputs)
        )
        held = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "extreme_parkour", takes, gives, held)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())


def estimator(weights: Weights) -> bytes:
    """Return proprio (1, 53) to explicit (1, 9): twice the base's velocity, and six that training made zeros."""
    net = Layers(weights, "proprio")
    net.linear("estimator.estimator.0", PROPRIO, 128)
    net.linear("estimator.estimator.2", 128, 64)
    net.linear("estimator.estimator.4", 64, EXPLICIT, "", "explicit")
    return net.model({"proprio": [1, PROPRIO]}, {"explicit": [1, EXPLICIT]})


def history_encoder(weights: Weights) -> bytes:
    """Return history (1, 530), ten frames, oldest first, to latent (1, 20)."""
    net, name = Layers(weights, "history"), "actor.history_encoder"
    net.shape(10, PROPRIO)
    net.linear(f"{name}.encoder.0", PROPRIO, 30)
    net.node("Transpose", [net.name], perm=[1, 0])
    net.shape(1, 30, 10)
    net.convolution(f"{name}.conv_layers.0", (20, 30, 4), stride=2)
    net.node("Elu", [net.name])
    net.convolution(f"{name}.conv_layers.2", (10, 20, 2))
    net.node("Elu", [net.name])
    net.shape(1, 30)
    net.linear(f"{name}.linear_output.0", 30, HISTORY_LATENT, "Elu", "latent")
    return net.model({"history": [1, 10 * PROPRIO]}, {"latent": [1, HISTORY_LATENT]})


def actor(weights: Weights, last: str = "") -> bytes:
    """Return obs (1, 114) to actions (1, 12); ``last`` is the output's activation, that some exports have."""
    net, name = Layers(weights, "obs"), "actor.actor_backbone"
    for place, (rows, columns) in {0: (ACTOR_IN, 512), 2: (512, 256), 4: (256, 128)}.items():
        net.linear(f"{name}.{place}", rows, columns)
    net.linear(f"{name}.6", 128, ACTIONS, last, "actions")
    return net.model({"obs": [1, ACTOR_IN]}, {"actions": [1, ACTIONS]})


def scan_encoder(weights: Weights) -> bytes:
    """Return scan (1, 132) to latent (1, 32)."""
    net, name = Layers(weights, "scan"), "actor.scan_encoder"
    net.linear(f"{name}.0", SCAN, 128)
    net.linear(f"{name}.2", 128, 64)
    net.linear(f"{name}.4", 64, LATENT, "Tanh", "latent")
    return net.model({"scan": [1, SCAN]}, {"latent": [1, LATENT]})
