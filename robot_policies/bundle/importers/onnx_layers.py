"""ONNX files written layer by layer from named parameters: no exporter, no PyTorch, names of our choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_policies.bundle.importers.refusal import refused
from robot_policies.types import Array32

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

    def gru(self, weights: tuple[str, str], biases: tuple[str, str], sizes: tuple[int, int], state: str) -> None:
        """Add one step of a GRU over one value; the new state is the newest value, (1, hidden).

        Args:
            weights: names of the products with the input and with the state, gates in PyTorch's order.
            biases: names of what is added to either.
            sizes: of the input and of the state.
            state: the state goes from ``{state}_in`` to ``{state}_out``, both (1, 1, hidden).
        """
        columns, hidden = sizes
        products = [
            self.constant(_gates(self.weights(name, (3 * hidden, size)))[None])
            for name, size in zip(weights, (columns, hidden), strict=True)
        ]
        added = np.concatenate([_gates(self.weights(name, (3 * hidden,))) for name in biases])[None]
        self.shape(1, 1, columns)
        inputs = [self.name, *products, self.constant(added), "", f"{state}_in"]
        # PyTorch applies the reset gate after the product with the state, and the bias of it: linear_before_reset.
        self.nodes.append(
            helper.make_node("GRU", inputs, ["", f"{state}_out"], hidden_size=hidden, linear_before_reset=1)
        )
        self.name = f"{state}_out"
        self.shape(1, hidden)

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
        graph = helper.make_graph(self.nodes, "network", takes, gives, held)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(made)
        return bytes(made.SerializeToString())


def _gates(array: Array32) -> Array32:
    """Return reset, update, new, as PyTorch has the gates of a GRU, as update, reset, new, as ONNX has them."""
    reset, update, new = np.split(array, 3)
    return np.concatenate([update, reset, new])
