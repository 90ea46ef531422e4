"""Golden data: what the policy gave when it was written must be what it gives here.

Two tests: each network alone on its recorded inputs, in sequence from a reset, so that states and held outputs count;
and the whole pipeline, from recorded robot states to joint targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from robot_policies import resources
from robot_policies.bundle.folder_check import GOLDEN
from robot_policies.bundle.golden_file import FORMAT, Arrays, load_arrays, pack_inputs, save_arrays, take, unpack_inputs
from robot_policies.bundle.load import Bundle
from robot_policies.bundle.synthetic import synthetic_inputs
from robot_policies.contract import Network
from robot_policies.exceptions import BundleError, InputError, expected
from robot_policies.inference.graph import NetworkGraph
from robot_policies.inference.network import OnnxNetwork
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Action, Array32, JointCommand, Observation, PolicyInputs

RELATIVE, ABSOLUTE = 1e-4, 1e-5  # the same network on two processors differs by some 1e-6
ROUNDING = 5e-6  # of the tensor's largest number: single-precision sums of some hundred terms, where they cancel
TICKS = 64
SEED = 20240607
ACCEPT = "if the change is meant: robot-policies check BUNDLE --robot ROBOT --accept"

# Runs the original of a network, from a reset, over its recorded inputs: (network, input -> (K, shape)) to
# (output -> (K, shape)). Its outputs become the golden ones in place of those of the ONNX file.
Reference = Callable[[str, Mapping[str, Array32]], Mapping[str, npt.ArrayLike]]


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """What ``check_golden`` compared."""

    ticks: int
    worst: float  # largest difference, in units of the tolerance; at most 1


class _Policy(Protocol):
    """What this module uses of a policy; see ``policies.policy``."""

    graph: NetworkGraph

    def reset(self) -> None: ...

    def observe(self, inputs: PolicyInputs, tick: int) -> Observation: ...

    def infer(self, observation: Observation, tick: int) -> Array32: ...

    def decode(self, raw: Array32, stamp_ns: int) -> tuple[Action, JointCommand]: ...


def check_golden(bundle: Bundle, spec: RobotSpec) -> GoldenReport:
    """Compare the bundle with its golden.npz.

    Raises:
        BundleError: a number differs by more than ``RELATIVE`` of itself plus ``ABSOLUTE`` (and ``ROUNDING`` of the
            tensor's largest); names network, tensor, tick and index, both numbers, and how to accept a change that
            was meant.
    """
    arrays = load_arrays(bundle.folder / GOLDEN)
    inputs = unpack_inputs(arrays, spec, sorted(_depth_read(bundle)))
    worst = [_check_network(bundle, network, arrays, len(inputs)) for network in bundle.contract.networks]
    made = _run(bundle, spec, inputs)
    for name, values in made.items():
        recorded = take(arrays, name, values.shape)
        worst.append(_compare(f"whole pipeline, {name}", recorded, values, _period(bundle, name)))
    return GoldenReport(len(inputs), max(worst))


def make_golden(
    bundle: Bundle, spec: RobotSpec, reference: Reference | None = None, seed: int = SEED, ticks: int = TICKS
) -> Path:
    """Write golden.npz into the bundle's folder and return its path. Its hash is for the caller to list.

    Args:
        bundle: a bundle that is right but for its golden.npz.
        spec: its robot.
        reference: runs the original networks; None takes the outputs of the ONNX files themselves.
        seed: of the synthetic inputs.
        ticks: their number, at least 32.

    Raises:
        BundleError: the policy fails on the inputs, or the ONNX file does not agree with ``reference``.
    """
    inputs = synthetic_inputs(bundle.contract, spec, seed, ticks)
    arrays: dict[str, npt.NDArray[Any]] = {"format": np.array(FORMAT), "seed": np.array(seed)}
    arrays |= pack_inputs(inputs, spec)
    arrays |= _run(bundle, spec, inputs)
    if reference is not None:
        for network in bundle.contract.networks:
            _replace_outputs(network, arrays, reference)
    save_arrays(bundle.folder / GOLDEN, arrays)
    return bundle.folder / GOLDEN


def _run(bundle: Bundle, spec: RobotSpec, inputs: Sequence[PolicyInputs]) -> dict[str, npt.NDArray[Any]]:
    """Run the whole pipeline from a reset and return what it made, named as in the file, in order of the flow."""
    policy = cast(_Policy, resources.plugin("policies", bundle.contract.kind)(bundle, spec))
    policy.reset()
    rows: dict[str, list[npt.NDArray[Any]]] = {}
    for tick, item in enumerate(inputs):
        try:
            raw = policy.infer(policy.observe(item, tick), tick)
            action, command = policy.decode(raw, item.state.stamp_ns)
        except InputError as error:
            raise BundleError(f"golden sequence, tick {tick}: {error}") from error
        for network in bundle.contract.networks:
            if tick % network.period == 0:
                for side, tensors in (("input", policy.graph.inputs()), ("output", policy.graph.outputs())):
                    for name, values in tensors[network.name].items():
                        rows.setdefault(f"network.{network.name}.{side}.{name}", []).append(values)
        made: dict[str, npt.NDArray[Any]] = {
            "action.raw": action.raw,
            "action.processed": action.processed,
            "target": command.joint_pos,
        }
        for key, value in made.items():
            rows.setdefault(key, []).append(value)
    return {name: np.array(values) for name, values in rows.items()}


def _check_network(bundle: Bundle, network: Network, arrays: Arrays, ticks: int) -> float:
    steps = -(-ticks // network.period)
    inputs = {
        item.name: take(arrays, f"network.{network.name}.input.{item.name}", (steps, *item.shape))
        for item in network.inputs
    }
    runner = OnnxNetwork(network, bundle.folder)
    made: list[dict[str, Array32]] = []
    for step in range(steps):
        try:
            made.append(runner.run({name: values[step] for name, values in inputs.items()}, step * network.period))
        except InputError as error:
            raise BundleError(f"golden.npz: recorded inputs: {error}") from error
    worst = 0.0
    for output in network.outputs:
        recorded = take(arrays, f"network.{network.name}.output.{output.name}", (steps, *output.shape))
        now = np.array([outputs[output.name] for outputs in made])
        worst = max(worst, _compare(f"network {network.name}, output {output.name}", recorded, now, network.period))
    return worst


def _compare(what: str, recorded: npt.NDArray[Any], now: npt.NDArray[Any], period: int) -> float:
    """Return the largest difference in units of the tolerance. Raises ``BundleError`` where that is over 1."""
    if recorded.size == 0:
        return 0.0
    allowed = ABSOLUTE + RELATIVE * np.abs(recorded) + ROUNDING * np.abs(recorded).max()
    excess = np.abs(now.astype(np.float64) - recorded) / allowed
    over = np.argwhere(~(excess <= 1.0))
    if len(over):
        place = tuple(int(i) for i in over[0])  # the earliest
        asked = f"golden: {what}, tick {place[0] * period}, index {list(place[1:])}: {recorded[place]:.9g} as recorded"
        raise BundleError(expected(asked, f"{now[place]:.9g} ({len(over)} of {now.size} differ)", ACCEPT))
    return float(excess.max())


def _replace_outputs(network: Network, arrays: dict[str, npt.NDArray[Any]], reference: Reference) -> None:
    inputs = {item.name: arrays[f"network.{network.name}.input.{item.name}"] for item in network.inputs}
    original = reference(network.name, inputs)
    for output in network.outputs:
        key = f"network.{network.name}.output.{output.name}"
        if output.name not in original:
            continue  # the original keeps it to itself
        values = np.asarray(original[output.name], dtype=np.float32).reshape(arrays[key].shape)
        _compare(f"original of network {network.name}, output {output.name}", values, arrays[key], network.period)
        arrays[key] = values


def _period(bundle: Bundle, name: str) -> int:
    longest_first = sorted(bundle.contract.networks, key=lambda network: -len(network.name))
    return next((n.period for n in longest_first if name.startswith(f"network.{n.name}.")), 1)


def _depth_read(bundle: Bundle) -> set[str]:
    return {
        source.depth
        for network in bundle.contract.networks
        for item in network.inputs
        for source in item.source
        if source.depth is not None
    }
