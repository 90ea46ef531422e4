"""Whether the ONNX files are what the contract says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from robot_policies.bundle.folder_check import name_fault
from robot_policies.contract import Contract, Network
from robot_policies.exceptions import BundleError, expected
from robot_policies.inference.network import OnnxNetwork
from robot_policies.inference.onnx_file import OnnxFile, TensorInfo, inspect

Shape = tuple[int, ...]


def network_faults(contract: Contract, folder: Path, run: bool) -> list[str]:
    """Return where tensors, operators or weights of the ONNX files are not as the contract says, or not allowed.

    Args:
        contract: of the bundle.
        folder: of the bundle.
        run: also open each file that is as it should be, and run it once, on zeros.
    """
    faults = []
    for network in contract.networks:
        path = folder / network.file
        if name_fault(network.file) is None and path.is_file() and not path.is_symlink():
            where = f"networks.{network.name} ({network.file})"
            stated = list(_faults(contract, network, inspect(path, folder)))
            faults += [f"{where}: {fault}" for fault in stated or (_run_faults(network, folder) if run else [])]
    return faults


def _run_faults(network: Network, folder: Path) -> list[str]:
    try:
        OnnxNetwork(network, folder)
    except BundleError as error:
        return [expected("a network that runs", str(error), "standard ONNX that ONNX Runtime can run")]
    return []


def _faults(contract: Contract, network: Network, file: OnnxFile) -> Iterator[str]:
    yield from file.faults
    if not file.inputs and not file.outputs:
        return  # not a network at all, as said
    for name in file.external:
        if name not in contract.files:
            yield expected("external weights: listed in files", name, sorted(contract.files))
    inputs: dict[str, tuple[Shape, str]] = {item.name: (item.shape, item.dtype) for item in network.inputs}
    outputs: dict[str, tuple[Shape, str]] = {item.name: (item.shape, item.dtype) for item in network.outputs}
    inputs.update({state.input: (state.shape, state.dtype) for state in network.states})
    outputs.update({state.output: (state.shape, state.dtype) for state in network.states})
    yield from _tensor_faults("input", inputs, file.inputs)
    yield from _tensor_faults("output", outputs, file.outputs)
    unwired = sorted(set(file.inputs) - set(inputs))
    if unwired:
        yield expected("inputs: every input of the file", f"{', '.join(unwired)} without a source", sorted(file.inputs))


def _tensor_faults(what: str, asked: Mapping[str, tuple[Shape, str]], found: Mapping[str, TensorInfo]) -> Iterator[str]:
    for name, (shape, dtype) in asked.items():
        info = found.get(name)
        if info is None:
            yield expected(f"{what} {name}: in the file", "none of that name", found)
            continue
        if info.dtype != dtype:
            yield expected(f"{what} {name}: {dtype}", info.dtype, f"{info.dtype} in the contract, or another file")
        if info.shape is not None and not _agree(shape, info.shape):
            stated = ["any" if size is None else size for size in info.shape]
            yield expected(f"{what} {name}: shape {list(shape)}", f"{stated} in the file", "the file's shape")


def _agree(shape: Shape, stated: tuple[int | None, ...]) -> bool:
    return len(shape) == len(stated) and all(b is None or a == b for a, b in zip(shape, stated, strict=True))
