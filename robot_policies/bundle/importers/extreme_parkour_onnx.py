"""The networks of Extreme Parkour as ONNX, made anew from the parameters of its export. Needs no PyTorch."""

from __future__ import annotations

from robot_policies.bundle.importers.onnx_layers import Layers, Weights

PROPRIO, SCAN, EXPLICIT, LATENT, HISTORY_LATENT, ACTIONS = 53, 132, 9, 32, 20, 12
ACTOR_IN = PROPRIO + LATENT + EXPLICIT + HISTORY_LATENT
IMAGE = (58, 87)
HIDDEN = 512  # of the GRU


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
