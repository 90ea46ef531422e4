"""The student's networks as ONNX files, operator by operator. The names are those that the contract wires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import helper

from robot_policies.bundle.importers.onnx_layers import Layers, Weights
from sim2real.training.parkour.depth_input import SIZE
from sim2real.training.parkour.views import FEATURES, FRAMES, HIDDEN, LATENT, RECENT, SCAN_LATENT, VELOCITY, YAW


def onnx_files(student: Mapping[str, Any], frame: int, joints: int, hidden: tuple[int, ...]) -> dict[str, bytes]:
    """Return the files by name.

    Args:
        student: state dict of ``Student``.
        frame: size of one frame.
        joints: number of actions.
        hidden: sizes of the actor's hidden layers.

    Raises:
        ImportFormatError: a parameter is missing, of another size or not finite.
    """
    arrays = {name: np.asarray(value.detach().cpu().numpy(), np.float32) for name, value in student.items()}
    weights = Weights(arrays, "student")
    actor = (frame + YAW + SCAN_LATENT + VELOCITY + LATENT, *hidden, joints)
    return {
        "depth_encoder.onnx": _depth_encoder(weights, frame),
        "estimator.onnx": _linear(weights, "estimator", ("recent", "velocity"), (RECENT * frame, 128, 64, VELOCITY)),
        "history_encoder.onnx": _history_encoder(weights, frame),
        "actor.onnx": _linear(weights, "actor", ("observation", "action"), actor),
    }


def _linear(weights: Weights, name: str, ends: tuple[str, str], sizes: tuple[int, ...]) -> bytes:
    """Return layers with ELU between them."""
    net = Layers(weights, ends[0])
    last = len(sizes) - 2
    for place, (rows, columns) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        end = place == last
        net.linear(f"{name}.{2 * place}", rows, columns, "" if end else "Elu", ends[1] if end else "")
    return net.model({ends[0]: [1, sizes[0]]}, {ends[1]: [1, sizes[-1]]})


def _history_encoder(weights: Weights, frame: int) -> bytes:
    net = Layers(weights, "history")
    net.shape(FRAMES, frame)
    net.linear("history.encoder.0", frame, 30)
    net.node("Transpose", [net.name], perm=[1, 0])
    net.shape(1, 30, FRAMES)
    net.convolution("history.conv.0", (20, 30, 4), stride=2)
    net.node("Elu", [net.name])
    net.convolution("history.conv.2", (10, 20, 2))
    net.node("Elu", [net.name])
    net.shape(1, 30)
    net.linear("history.output.0", 30, LATENT, "Elu", "latent")
    return net.model({"history": [1, FRAMES * frame]}, {"latent": [1, LATENT]})


def _depth_encoder(weights: Weights, frame: int) -> bytes:
    net = Layers(weights, "image")
    net.shape(1, 1, *SIZE)
    net.convolution("depth.image.0", (16, 1, 5, 5), stride=2)
    net.node("Elu", [net.name])
    net.convolution("depth.image.2", (32, 16, 3, 3), stride=2)
    net.node("Elu", [net.name])
    net.shape(1, 32 * 6 * 11)
    net.linear("depth.image.5", 32 * 6 * 11, FEATURES)
    net.node("Concat", [net.name, "frame"], axis=1)
    net.linear("depth.joined.0", FEATURES + frame + 1, FEATURES)
    product, added = (
        ("depth.memory.weight_ih", "depth.memory.weight_hh"),
        ("depth.memory.bias_ih", "depth.memory.bias_hh"),
    )
    net.gru(product, added, (FEATURES, HIDDEN), "memory")
    net.linear("depth.head.0", HIDDEN, SCAN_LATENT + YAW, "Tanh")
    sizes = net.constant(np.array([SCAN_LATENT, YAW], dtype=np.int64))
    net.nodes.append(helper.make_node("Split", [net.name, sizes], ["latent", "yaw"], axis=1))
    state = {"memory_out": (1, 1, HIDDEN)}
    inputs = {"image": (1, *SIZE), "frame": (1, frame + 1), "memory_in": (1, 1, HIDDEN)}
    return net.model(inputs, {"latent": (1, SCAN_LATENT), "yaw": (1, YAW), **state})
