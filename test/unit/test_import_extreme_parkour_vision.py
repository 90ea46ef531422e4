"""``--format extreme_parkour``: the vision part, by the names of its file and against its description."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_policies.inference.network import open_session

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    "layout", [{"prefix": "module."}, {"key": ""}, {"key": "model"}, {"prefix": "depth_encoder.", "key": ""}]
)
def test_prefixes_and_keys_of_the_vision_file(tmp_path: Path, layout: dict[str, str]) -> None:
    from helpers.extreme_parkour import bring, export

    source = export(tmp_path / "export", sees=True, **layout)
    assert bring(source, tmp_path / "ep").bundle.contract.networks[0].name == "depth_encoder"


def test_the_vision_part_against_its_description(tmp_path: Path) -> None:
    """A state dict of nothing but the public names, and the network written out from the paper's description."""
    import torch
    from helpers.extreme_parkour import bring, export
    from torch.nn import functional as layer

    random = torch.Generator().manual_seed(11)
    shapes = {
        "base_backbone.image_compression.0": (32, 1, 5, 5), "base_backbone.image_compression.3": (64, 32, 3, 3),
        "base_backbone.image_compression.6": (128, 64 * 25 * 39), "base_backbone.image_compression.8": (32, 128),
        "combination_mlp.0": (128, 85), "combination_mlp.2": (32, 128), "output_mlp.0": (34, 512),
    }  # fmt: skip
    state = {}
    for name, shape in shapes.items():
        fan = math.prod(shape[1:])
        state[f"{name}.weight"] = torch.randn(shape, generator=random) * (2.0 / fan) ** 0.5
        state[f"{name}.bias"] = 0.3 * torch.randn(shape[0], generator=random)
    for side, columns in (("ih", 32), ("hh", 512)):
        state[f"rnn.weight_{side}_l0"] = torch.randn((1536, columns), generator=random) * columns**-0.5
        state[f"rnn.bias_{side}_l0"] = 0.3 * torch.randn(1536, generator=random)
    source = export(tmp_path / "export", sees=False)
    torch.save({"depth_encoder_state_dict": state}, source / "vision_weight.pt")
    folder = bring(source, tmp_path / "ep").bundle.folder
    session = open_session(folder / "depth_encoder.onnx")

    double = {name: value.double() for name, value in state.items()}
    hidden, before = torch.zeros(512, dtype=torch.float64), None
    held: dict[str, Any] = {
        "previous_in": np.zeros((1, 58, 87)),
        "started_in": np.zeros(1),
        "gru_in": np.zeros((1, 1, 512)),
    }
    for _ in range(12):
        image = torch.rand((58, 87), generator=random, dtype=torch.float64) - 0.5
        proprio = torch.randn(53, generator=random, dtype=torch.float64)
        proprio[6:8] = 0.0
        x = (image if before is None else before)[None, None]
        before = image
        for place, pooled in (("0", True), ("3", False)):
            name = f"base_backbone.image_compression.{place}"
            x = layer.conv2d(x, double[f"{name}.weight"], double[f"{name}.bias"])
            x = layer.elu(layer.max_pool2d(x, 2) if pooled else x)
        x = x.flatten()
        for name in ("base_backbone.image_compression.6", "base_backbone.image_compression.8"):
            x = layer.elu(double[f"{name}.weight"] @ x + double[f"{name}.bias"])
        x = torch.cat([x, proprio])
        x = layer.elu(double["combination_mlp.0.weight"] @ x + double["combination_mlp.0.bias"])
        x = double["combination_mlp.2.weight"] @ x + double["combination_mlp.2.bias"]
        of_input = double["rnn.weight_ih_l0"] @ x + double["rnn.bias_ih_l0"]
        of_state = double["rnn.weight_hh_l0"] @ hidden + double["rnn.bias_hh_l0"]
        reset, update = (torch.sigmoid(of_input[a:b] + of_state[a:b]) for a, b in ((0, 512), (512, 1024)))
        fresh = torch.tanh(of_input[1024:] + reset * of_state[1024:])
        hidden = (1.0 - update) * fresh + update * hidden
        wanted = torch.tanh(double["output_mlp.0.weight"] @ hidden + double["output_mlp.0.bias"]).numpy()

        given = {"image": image[None].numpy(), "proprio": proprio[None].numpy(), **held}
        names = ["latent", "yaw", "previous_out", "started_out", "gru_out"]
        latent, yaw, *after = session.run(names, {name: value.astype(np.float32) for name, value in given.items()})
        np.testing.assert_allclose(np.concatenate([latent[0], yaw[0]]), wanted, atol=2e-5)
        held = dict(zip(("previous_in", "started_in", "gru_in"), after, strict=True))
    assert np.abs(wanted).max() > 0.3  # loud enough to tell
