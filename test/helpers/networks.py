"""Small ONNX networks, made with onnx.helper: no PyTorch, the same bytes for the same arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def model_bytes(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    weights: dict[str, np.ndarray],
    types: dict[str, int] | None = None,
    domains: Sequence[str] = (),
) -> bytes:
    """Return a model; ``types`` names the tensors that are not float32."""
    kinds = types or {}
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kinds.get(name, FLOAT), shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kinds.get(name, FLOAT), shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def mlp_weights(sizes: Sequence[int], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weight (in, out) and bias per layer."""
    random = np.random.default_rng(seed)
    return [
        (
            (random.standard_normal((rows, columns)) / np.sqrt(rows)).astype(np.float32),
            (0.1 * random.standard_normal(columns)).astype(np.float32),
        )
        for rows, columns in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def mlp(
    sizes: Sequence[int], seed: int = 0, input: str = "obs", output: str = "actions", batch: int | str = 1
) -> bytes:
    """Return an MLP with ELU between its layers: (batch, sizes[0]) to (batch, sizes[-1])."""
    nodes, weights, name = [], {}, input
    for i, (weight, bias) in enumerate(mlp_weights(sizes, seed)):
        weights |= {f"w{i}": weight, f"b{i}": bias}
        last = i == len(sizes) - 2
        linear = output if last else f"linear{i}"
        nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], [linear]))
        if not last:
            nodes.append(helper.make_node("Elu", [linear], [f"hidden{i}"]))
            name = f"hidden{i}"
    return model_bytes(nodes, {input: [batch, sizes[0]]}, {output: [batch, sizes[-1]]}, weights)


def mlp_reference(values: np.ndarray, sizes: Sequence[int], seed: int = 0) -> np.ndarray:
    """Return in numpy what ``mlp`` gives for (sizes[0],)."""
    layers = mlp_weights(sizes, seed)
    for i, (weight, bias) in enumerate(layers):
        values = values @ weight + bias
        if i < len(layers) - 1:
            values = np.where(values > 0.0, values, np.expm1(np.minimum(values, 0.0)))
    return values


def recurrent_weights(gates: int, inputs: int, hidden: int, outputs: int, seed: int) -> dict[str, np.ndarray]:
    """Return W, R, B of an ONNX LSTM (gates 4) or GRU (gates 3), and ``head`` (hidden, outputs)."""
    random = np.random.default_rng(seed)
    shapes = {"W": (1, gates * hidden, inputs), "R": (1, gates * hidden, hidden), "B": (1, 2 * gates * hidden)}
    weights = {name: (0.4 * random.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    return weights | {"head": (0.5 * random.standard_normal((hidden, outputs))).astype(np.float32)}


def lstm(inputs: int, hidden: int, outputs: int, seed: int = 0) -> bytes:
    """Return obs (1, inputs), h_in, c_in (1, 1, hidden) to actions (1, outputs), h_out, c_out."""
    nodes = [
        helper.make_node("Unsqueeze", ["obs", "axis"], ["sequence"]),
        helper.make_node(
            "LSTM", ["sequence", "W", "R", "B", "", "h_in", "c_in"], ["", "h_out", "c_out"], hidden_size=hidden
        ),
        helper.make_node("Squeeze", ["h_out", "axis"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["actions"]),
    ]
    weights = recurrent_weights(4, inputs, hidden, outputs, seed) | {"axis": np.array([0], dtype=np.int64)}
    state = [1, 1, hidden]
    return model_bytes(
        nodes,
        {"obs": [1, inputs], "h_in": state, "c_in": state},
        {"actions": [1, outputs], "h_out": state, "c_out": state},
        weights,
    )


def gru(inputs: int, hidden: int, outputs: int, seed: int = 0) -> bytes:
    """Return obs (1, inputs), h_in (1, 1, hidden) to actions (1, outputs), h_out."""
    nodes = [
        helper.make_node("Unsqueeze", ["obs", "axis"], ["sequence"]),
        helper.make_node("GRU", ["sequence", "W", "R", "B", "", "h_in"], ["", "h_out"], hidden_size=hidden),
        helper.make_node("Squeeze", ["h_out", "axis"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["actions"]),
    ]
    weights = recurrent_weights(3, inputs, hidden, outputs, seed) | {"axis": np.array([0], dtype=np.int64)}
    state = [1, 1, hidden]
    return model_bytes(nodes, {"obs": [1, inputs], "h_in": state}, {"actions": [1, outputs], "h_out": state}, weights)
