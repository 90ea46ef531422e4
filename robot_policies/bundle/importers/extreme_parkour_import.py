"""From the files of Extreme Parkour to a bundle: networks made anew from the parameters, compared with the trace."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.bundle.importers import extreme_parkour_onnx as networks
from robot_policies.bundle.importers.compare import STEPS, TOLERANCE, Comparison, sequence
from robot_policies.bundle.importers.extreme_parkour import VISION
from robot_policies.bundle.importers.extreme_parkour_contract import defaults_taken, parkour_dict
from robot_policies.bundle.importers.extreme_parkour_depth import depth_encoder
from robot_policies.bundle.importers.made import Made
from robot_policies.bundle.importers.onnx_layers import Weights
from robot_policies.bundle.importers.policy import ForeignPolicy
from robot_policies.bundle.importers.refusal import refused
from robot_policies.bundle.importers.torchscript import TorchScript
from robot_policies.inference.network import open_session
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array32

OBSERVATION = 753
# Of the trace's input: proprioception, scan (not called), explicit (written over), privileged (not called), history.
PROPRIO, HISTORY = slice(0, 53), slice(223, OBSERVATION)
ACTIVATIONS = ("", "Tanh")  # of the actor's output: none, or that of an export with --tanh


class ParkourScript(TorchScript):
    """The two files, in the child process."""

    def weights(self, vision: Path | None) -> dict[str, Array32]:
        """Return every parameter: ``base/NAME``, and ``vision/NAME`` where ``vision`` is given."""
        target = self._folder / "weights.npz"
        self._request(op="parkour_weights", target=str(target), vision=str(vision.resolve()) if vision else "")
        with np.load(target, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def steps(self, inputs: Array32) -> Array32:
        """Return the trace's outputs (T, joints) for inputs (T, observation and latent)."""
        places = {name: self._folder / f"{name}.npy" for name in ("inputs", "outputs")}
        np.save(places["inputs"], np.ascontiguousarray(inputs, dtype=np.float32))
        self._request(op="parkour_run", size=OBSERVATION, **{name: str(path) for name, path in places.items()})
        outputs: Array32 = np.load(places["outputs"], allow_pickle=False)
        return outputs


def make(policy: ForeignPolicy, spec: RobotSpec, licence: str | None, scratch: Path, stack: ExitStack) -> Made:
    """Return the bundle's networks, compared with the trace. See ``Made``.

    Raises:
        ImportFormatError: a parameter is missing or of another shape, or the trace gives other actions.
    """
    sees = len(policy.files) > 1
    child = stack.enter_context(ParkourScript(policy, scratch))
    arrays = child.weights(policy.files[1] if sees else None)
    base = Weights(_part(arrays, "base/"), policy.network.path.name)
    files: dict[str, bytes] = {
        "estimator.onnx": networks.estimator(base),
        "history_encoder.onnx": networks.history_encoder(base),
    }
    last, comparison = _compared(child, base, files, scratch)
    files["actor.onnx"] = networks.actor(base, last)
    if sees:
        files["depth_encoder.onnx"] = depth_encoder(Weights(_part(arrays, "vision/"), VISION))
    else:
        files["scan.onnx"] = networks.scan_encoder(base)
    notes = (f"the actor ends with {last}",) if last else ()
    policy = replace(policy, notes=(*policy.notes, *notes))

    def contract(name: str, provenance: Mapping[str, str]) -> dict[str, Any]:
        return parkour_dict(policy, spec, sees, name, licence, provenance)

    how = f"ONNX made anew from the parameters, read with PyTorch {child.version}"
    return Made(policy, files, contract, comparison, how, defaults_taken(licence, policy, sees))


def _part(arrays: Mapping[str, Array32], prefix: str) -> dict[str, Array32]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _compared(child: ParkourScript, base: Weights, files: Mapping[str, bytes], scratch: Path) -> tuple[str, Comparison]:
    """Return the actor's output activation with which the networks give what the trace gives, and how nearly."""
    inputs, resets = sequence(OBSERVATION + networks.LATENT)
    _forget(inputs, resets)
    first = child.steps(inputs)
    if first.shape != (STEPS, networks.ACTIONS) or not np.isfinite(first).all():
        raise refused("the trace: 12 finite actions", f"shape {list(first.shape[1:])} or others", "the public export")
    found = {last: _difference(base, files, last, inputs, first, scratch) for last in ACTIVATIONS}
    last = min(found, key=lambda name: found[name])
    scale = max(float(np.abs(first).max()), 1e-6)
    result = Comparison(STEPS, found[last], found[last] / scale)
    if not result.relative <= TOLERANCE:
        asked = f"the trace: its actions within {TOLERANCE:g} by the networks made of its parameters"
        raise refused(asked, f"a difference of {result.relative:.2g}", "layers of policies with ELU, as published")
    return last, result


def _forget(inputs: Array32, resets: npt.NDArray[np.bool_]) -> None:
    """Let the history be zeros at a reset, as in the loop that the trace was made for."""
    inputs[np.flatnonzero(resets), HISTORY] = 0.0


def _difference(
    base: Weights, files: Mapping[str, bytes], last: str, inputs: Array32, first: Array32, scratch: Path
) -> float:
    """Return the largest difference from the trace's actions ``first`` (T, joints)."""
    sessions = {}
    for name, content in {**files, "actor.onnx": networks.actor(base, last)}.items():
        (scratch / name).write_bytes(content)
        sessions[name] = open_session(scratch / name)
    largest = 0.0
    for row, wanted in zip(inputs, first, strict=True):
        proprio, history, latent = row[None, PROPRIO], row[None, HISTORY], row[None, OBSERVATION:]
        explicit = sessions["estimator.onnx"].run(None, {"proprio": proprio})[0]
        past = sessions["history_encoder.onnx"].run(None, {"history": history})[0]
        obs = np.concatenate([proprio, latent, explicit, past], axis=1)
        made = sessions["actor.onnx"].run(None, {"obs": obs})[0]
        largest = max(largest, float(np.abs(made[0] - wanted).max()))
    return largest
