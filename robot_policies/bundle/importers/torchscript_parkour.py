"""Reads the files of Extreme Parkour and runs the base trace. In the child process only: it imports PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from robot_policies.bundle.importers.torchscript_module import Refused, forward, last_line, load

VISION_MARK = "image_compression"  # in a key of the depth network's state dict


def weights(request: dict[str, Any]) -> dict[str, Any]:
    """Write the parameters of ``model``, and of the state dict ``vision`` where it is named, to ``target`` (npz)."""
    arrays = {f"base/{name}": _array(name, value) for name, value in load(request["model"]).state_dict().items()}
    if request.get("vision"):
        arrays |= {f"vision/{name}": _array(name, value) for name, value in _vision(request["vision"]).items()}
    np.savez(request["target"], **arrays)
    return {"written": len(arrays)}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run the trace on every row of ``inputs``, (T, observation + latent), and write its outputs (T, joints).

    The trace writes into its input, so it is given copies.
    """
    rows, size = torch.from_numpy(np.load(request["inputs"])), request["size"]
    module = load(request["model"])
    outputs = []
    try:
        for row in rows[:, None, :]:
            outputs.append(forward(module, row[:, :size], [row[:, size:]])[0].reshape(-1).numpy().copy())
    except (RuntimeError, ValueError, TypeError) as error:
        asked = f"a forward that takes an observation (1, {size}) and a latent (1, {rows.shape[1] - size})"
        raise Refused(f"{asked}; found {last_line(error)}; valid: the public export") from error
    np.save(request["outputs"], np.array(outputs, dtype=np.float32))
    return {"ran": len(outputs)}


def _vision(path: str) -> Mapping[str, Any]:
    """Return the depth network's state dict, under whatever key of the file it lies."""
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, OSError, EOFError, UnpicklingError) as error:
        raise Refused(f"vision: a file of torch.save; found {last_line(error)}; valid: tensors only") from error
    found = [each for each in _mappings(data) if any(VISION_MARK in str(key) for key in each)]
    if len(found) != 1:
        raise Refused(f"vision: one state dict with {VISION_MARK}; found {len(found)}; valid: depth_encoder_state_dict")
    return found[0]


def _mappings(data: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, Mapping):
        yield data
        for value in data.values():
            yield from _mappings(value)


def _array(name: str, value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        raise Refused(f"{name}: a tensor; found {type(value).__name__}; valid: a state dict of tensors")
    return value.detach().to(torch.float32).numpy()
