"""The depth network of Extreme Parkour as ONNX: buffer of two images, CNN, fusion with proprioception, GRU, head."""

from __future__ import annotations

import numpy as np
from onnx import helper

from robot_policies.bundle.importers.extreme_parkour_onnx import HIDDEN, IMAGE, LATENT, PROPRIO
from robot_policies.bundle.importers.onnx_layers import Layers, Weights

STATES = {"previous": (1, *IMAGE), "started": (1,), "gru": (1, 1, HIDDEN)}  # NAME_in and NAME_out
_CNN = "image_compression"
_FEATURES = 64 * 25 * 39  # of 58 x 87 after convolution 5, pooling 2 and convolution 3


def depth_encoder(weights: Weights) -> bytes:
    """Return image (1, 58, 87) and proprio (1, 53), with the states, to latent (1, 32) and yaw (1, 2).

    The network sees the image of its step before, ``previous``; at the first step, where ``started`` is 0, the image.
    """
    net = Layers(weights)
    _older_image(net)
    _compression(net)
    net.node("Concat", [net.name, "proprio"], axis=1)
    net.linear("combination_mlp.0", LATENT + PROPRIO, 128)
    net.linear("combination_mlp.2", 128, LATENT, "")
    product, added = ("rnn.weight_ih_l0", "rnn.weight_hh_l0"), ("rnn.bias_ih_l0", "rnn.bias_hh_l0")
    net.gru(product, added, (LATENT, HIDDEN), "gru")
    net.linear("output_mlp.0", HIDDEN, LATENT + 2, "Tanh")
    sizes = net.constant(np.array([LATENT, 2], dtype=np.int64))
    net.nodes.append(helper.make_node("Split", [net.name, sizes], ["latent", "yaw"], axis=1))
    inputs = {"image": (1, *IMAGE), "proprio": (1, PROPRIO)} | {f"{name}_in": shape for name, shape in STATES.items()}
    outputs = {"latent": (1, LATENT), "yaw": (1, 2)} | {f"{name}_out": shape for name, shape in STATES.items()}
    return net.model(inputs, outputs)


def _older_image(net: Layers) -> None:
    net.node("Identity", ["image"], "previous_out")
    net.node("Identity", [net.constant(np.ones(1, dtype=np.float32))], "started_out")
    begun = net.node("Greater", ["started_in", net.constant(np.zeros(1, dtype=np.float32))])
    net.node("Where", [begun, "previous_in", "image"])
    net.shape(1, 1, *IMAGE)


def _compression(net: Layers) -> None:
    net.convolution(f"{_CNN}.0", (32, 1, 5, 5))
    net.node("MaxPool", [net.name], kernel_shape=[2, 2], strides=[2, 2])
    net.node("Elu", [net.name])
    net.convolution(f"{_CNN}.3", (64, 32, 3, 3))
    net.node("Elu", [net.name])
    net.shape(1, _FEATURES)
    net.linear(f"{_CNN}.6", _FEATURES, 128)
    net.linear(f"{_CNN}.8", 128, LATENT)
