"""Imports a foreign policy: read it, make its network fit, compare, write the bundle. Whole, or nothing is left."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from robot_policies.bundle.golden import Reference
from robot_policies.bundle.hashing import sha256
from robot_policies.bundle.importers import (
    extreme_parkour,
    extreme_parkour_import,
    network,
    onnx_metadata,
    rl_sar,
    unitree,
)
from robot_policies.bundle.importers.compare import Comparison, Original, compare, original_onnx
from robot_policies.bundle.importers.contract_dict import (
    FILE,
    NETWORK,
    bundle_name,
    contract_dict,
    defaults_taken,
    within_robot,
)
from robot_policies.bundle.importers.describe import Description, check_keys, load_description
from robot_policies.bundle.importers.made import Made
from robot_policies.bundle.importers.onnx_graph import Graph, make_graph
from robot_policies.bundle.importers.policy import ForeignPolicy, check_joints
from robot_policies.bundle.importers.readme import readme
from robot_policies.bundle.importers.refusal import refused
from robot_policies.bundle.importers.torchscript import TorchScript
from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import Content, write_bundle
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.types import Array32

Reader = Callable[[Path, RobotSpec, Description], ForeignPolicy]
Maker = Callable[[ForeignPolicy, RobotSpec, Optional[str], Path, ExitStack], Made]


@dataclass(frozen=True)
class Format:
    """One foreign format."""

    read: Reader
    help: str  # what SOURCE is
    needs: tuple[str, ...]  # keys that must come from --describe
    accepts: tuple[str, ...]  # keys that may
    make: Maker | None = None  # None: of one network


FORMATS: Mapping[str, Format] = {
    "rl_sar": Format(rl_sar.read_policy, "a folder policy/ROBOT/CONFIG of rl_sar", (), rl_sar.ACCEPTS),
    "unitree": Format(unitree.read_policy, "a folder with Unitree's deploy.yaml and policy.onnx", (), unitree.ACCEPTS),
    "onnx_metadata": Format(
        onnx_metadata.read_policy,
        "an .onnx file with the metadata of mjlab or whole-body-tracking",
        onnx_metadata.NEEDED,
        onnx_metadata.ACCEPTED,
    ),
    "network": Format(
        network.read_policy, "an .onnx, .pt or .jit file, described by --describe", network.NEEDED, network.ACCEPTED
    ),
    "extreme_parkour": Format(
        extreme_parkour.read_policy,
        "a folder with Extreme Parkour's base_jit.pt and, for depth, vision_weight.pt",
        (),
        extreme_parkour.ACCEPTS,
        extreme_parkour_import.make,
    ),
}


@dataclass(frozen=True)
class Request:
    """What the user asks for."""

    format: str
    source: Path
    dest: Path
    robot: str | None = None
    name: str | None = None
    describe: Path | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Imported:
    """What came of it."""

    bundle: Bundle
    comparison: Comparison
    notes: tuple[str, ...]
    defaults: tuple[str, ...]


def import_policy(request: Request) -> Imported:
    """Import a foreign policy as a bundle at ``request.dest``.

    Raises:
        ImportFormatError: the source, or what describes it, is not what it must be; names the key.
        BundleError: what came of it is not a bundle for this robot.
        ResourceError: there is no such robot.
    """
    form = _format(request.format)
    if request.dest.exists() or request.dest.is_symlink():
        raise refused("DEST: a new folder", f"{request.dest}, which exists", "a path that does not")
    if not request.source.exists():
        raise refused("SOURCE", f"{request.source}, which does not exist", form.help)
    describe = load_description(request.describe)
    check_keys(describe, form.needs, form.accepts, request.format)
    spec = load_robot_spec(_robot(request.robot, describe.robot))
    name = bundle_name(request.name, _proposed(request.source, spec.name))
    with tempfile.TemporaryDirectory(prefix="import_") as scratch, ExitStack() as stack:
        policy = form.read(request.source, spec, describe)
        check_joints(policy, spec, request.format)
        policy = within_robot(policy, spec)
        made = (form.make or _make_one)(policy, spec, request.licence, Path(scratch), stack)
        contract = made.contract(name, _provenance(request, made))
        files: dict[str, Content] = {**made.files, "README.md": readme(contract, made)}
        bundle = write_bundle(request.dest, contract, files, spec, made.reference)
    return Imported(bundle, made.comparison, made.policy.notes, made.taken)


def _make_one(policy: ForeignPolicy, spec: RobotSpec, licence: str | None, scratch: Path, stack: ExitStack) -> Made:
    """Return a policy of one network, compared with the original. See ``Made``."""
    policy, graph, original, how = _network(policy, scratch, stack)

    def contract(name: str, provenance: Mapping[str, str]) -> dict[str, Any]:
        return contract_dict(policy, graph, spec, name, licence, provenance)

    taken = tuple(defaults_taken(policy, licence))
    files = {FILE: graph.path}
    return Made(policy, files, contract, compare(original, graph), how, taken, _reference(original, graph))


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise refused("--format", name, FORMATS)
    return FORMATS[name]


def _robot(asked: str | None, described: str | None) -> str:
    """Return the robot's name. Raises ``ImportFormatError`` where none, or two, are given."""
    if asked is not None and described is not None and Path(asked).stem != described:
        raise refused(f"robot: {described}, as described", f"--robot {asked}", "the same robot")
    robot = asked or described
    if robot is None:
        raise refused("--robot", "none", "--robot NAME, or robot: NAME in --describe")
    return robot


def _proposed(source: Path, robot: str) -> str:
    """Return a name for the bundle: that of the source, after the robot's."""
    stem = source.resolve().stem
    return stem if robot in stem else f"{robot}_{stem}"


def _network(policy: ForeignPolicy, scratch: Path, stack: ExitStack) -> tuple[ForeignPolicy, Graph, Original, str]:
    """Return the policy with notes, its network fit for a bundle, the original, and how the one came from the other."""
    target = scratch / FILE
    source = policy.network.path
    if source.suffix == ".onnx":
        graph = make_graph(policy, target)
        return policy, graph, original_onnx(policy, graph), "ONNX, self-contained, batch of one"
    child = stack.enter_context(TorchScript(policy, scratch))
    converted, hidden = child.convert()
    graph = make_graph(converted, target)
    initial = {state.input: state.initial for state in hidden}
    states = tuple(replace(state, initial=initial.get(state.input, 0.0)) for state in graph.states)
    how = f"TorchScript, converted to ONNX with PyTorch {child.version}"
    return converted, replace(graph, states=states), child, how


def _reference(original: Original, graph: Graph) -> Reference:
    """Return the original as what golden outputs are taken from."""

    def run(network_name: str, inputs: Mapping[str, Array32]) -> Mapping[str, npt.ArrayLike]:
        values = inputs[graph.input]
        resets = np.zeros(len(values), dtype=np.bool_)
        resets[0] = True
        return {graph.output: original.run(values.reshape(len(values), -1), resets)}

    return run


def _provenance(request: Request, made: Made) -> dict[str, str]:
    policy, comparison = made.policy, made.comparison
    listed = ", ".join(f"{path.name} {sha256(path)[:12]}" for path in policy.files)
    return {
        "imported_from": request.format,
        "source": policy.source or request.source.name,
        "source_sha256": listed,
        "network": made.how,
        "comparison": f"{comparison.steps} steps with a reset, relative difference {comparison.relative:.2g}",
    }


__all__ = ["FORMATS", "NETWORK", "Imported", "Request", "import_policy"]
