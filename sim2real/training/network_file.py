"""The actor as an ONNX file, written operator by operator: no exporter, no hidden state, names of our choice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_policies.exceptions import BundleError, expected
from robot_policies.types import Array32

INPUT, OUTPUT = "observation", "action"
OPSET = 17  # any ONNX Runtime since 1.12 runs it
IR_VERSION = 8  # that of opset 17

_LAYER = re.compile(r"^mlp\.(\d+)\.weight$")


def actor_layers(state: Mapping[str, Any]) -> list[tuple[Array32, Array32]]:
    """Return weight (out, in) and bias (out,) of each layer of rsl-rl's ``MLPModel``, from its state dict.

    Raises:
        BundleError: the state dict holds no such layers, or a number that is not finite.
    """
    numbers = sorted(int(match.group(1)) for key in state if (match := _LAYER.match(key)))
    layers = [(_array(state[f"mlp.{n}.weight"]), _array(state[f"mlp.{n}.bias"])) for n in numbers]
    if not layers:
        raise BundleError(expected("actor: layers mlp.N.weight and mlp.N.bias", sorted(state), "an MLP of rsl-rl"))
    if not all(np.isfinite(part).all() for layer in layers for part in layer):
        raise BundleError(expected("actor: finite weights", "others", "an earlier checkpoint"))
    return layers


def _array(tensor: Any) -> Array32:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float32)


def onnx_bytes(layers: list[tuple[Array32, Array32]]) -> bytes:
    """Return an ONNX model: ``observation`` (1, in) through ELU layers to ``action`` (1, out)."""
    nodes, weights, value = [], [], INPUT
    for number, (weight, bias) in enumerate(layers):
        last = number == len(layers) - 1
        weights += [
            numpy_helper.from_array(weight, f"weight_{number}"),
            numpy_helper.from_array(bias, f"bias_{number}"),
        ]
        linear = OUTPUT if last else f"linear_{number}"
        nodes.append(helper.make_node("Gemm", [value, f"weight_{number}", f"bias_{number}"], [linear], transB=1))
        if not last:
            value = f"elu_{number}"
            nodes.append(helper.make_node("Elu", [linear], [value]))
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, layers[0][0].shape[1]])]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, layers[-1][0].shape[0]])]
    graph = helper.make_graph(nodes, "actor", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def evaluate(layers: list[tuple[Array32, Array32]], observation: Array32) -> Array32:
    """Return the actions (N, out) for observations (N, in), in numpy."""
    values = observation
    for number, (weight, bias) in enumerate(layers):
        values = values @ weight.T + bias
        if number < len(layers) - 1:
            values = np.where(values > 0.0, values, np.expm1(np.minimum(values, 0.0)))
    return np.asarray(values, dtype=np.float32)
