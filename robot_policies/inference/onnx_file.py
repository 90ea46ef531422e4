"""What an ONNX file states, and what in it no bundle may hold. Reads the file; runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from robot_policies.exceptions import expected

STANDARD_DOMAINS = ("", "ai.onnx")
# Standard operators whose result is not a function of their inputs; golden outputs could not hold.
RANDOM_OPERATORS = frozenset(
    ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of the graph. A dimension is None where the file leaves it open."""

    shape: tuple[int | None, ...] | None  # None where the file states none
    dtype: str  # such as float32


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """Inputs and outputs by name, the files of its weights, and what is wrong with it."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    external: tuple[str, ...]  # relative to the bundle's folder
    faults: tuple[str, ...]


def inspect(path: Path, folder: Path) -> OnnxFile:
    """Return what the ONNX file at ``path`` states, with every fault found.

    Args:
        path: the file.
        folder: the bundle's folder; weights outside it are a fault.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError, ValueError) as error:
        return OnnxFile({}, {}, (), (expected("a readable ONNX file", str(error)[:200], "a file that onnx can load"),))
    graph = model.graph
    if not graph.node and not graph.output:
        return OnnxFile({}, {}, (), (expected("an ONNX model", "no graph", "a file with a graph of operators"),))
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: _info(value) for value in graph.input if value.name not in initializers}
    outputs = {value.name: _info(value) for value in graph.output}
    tensors = list(_tensors(model))
    external = sorted({_location(tensor) for tensor in tensors if uses_external_data(tensor)})
    faults = _operator_faults(model) + [fault for name in external for fault in _external_faults(name, path, folder)]
    if not faults:
        faults = _weight_faults(model, path)
    places = tuple(_relative(path.parent / name, folder) for name in external) if not faults else ()
    return OnnxFile(inputs, outputs, places, tuple(faults))


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == onnx.TensorProto.UNDEFINED:
        return TensorInfo(None, "not a tensor")
    dtype = str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
    if not tensor.HasField("shape"):
        return TensorInfo(None, dtype)
    return TensorInfo(tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim), dtype)


def _operator_faults(model: onnx.ModelProto) -> list[str]:
    local = {(function.domain, function.name) for function in model.functions}
    faults = set()
    for node in _nodes(model):
        name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        if node.domain not in STANDARD_DOMAINS and (node.domain, node.op_type) not in local:
            faults.add(expected("operators of standard ONNX", name, "the domain ai.onnx, without custom operators"))
        elif node.op_type in RANDOM_OPERATORS and (node.domain, node.op_type) not in local:
            faults.add(expected("operators that give the same result each time", name, "a network without random ones"))
    return sorted(faults)


def _location(tensor: onnx.TensorProto) -> str:
    return str(ExternalDataInfo(tensor).location)


def _external_faults(location: str, path: Path, folder: Path) -> list[str]:
    asked = "external weights: a file in the bundle's folder"
    valid = "a relative path without .. to a plain file"
    parts = PurePosixPath(location)
    if not location or parts.is_absolute() or ".." in parts.parts or "\\" in location:
        return [expected(asked, repr(location), valid)]
    target = path.parent / location
    links = [place for place in (target, *target.parents) if place.is_symlink() and folder in place.parents]
    if links or not target.resolve().is_relative_to(folder.resolve()):
        return [expected(asked, f"a link at {location!r}", valid)]
    return [] if target.is_file() else [expected(asked, f"no file {location!r}", valid)]


def _weight_faults(model: onnx.ModelProto, path: Path) -> list[str]:
    faults = []
    for tensor in model.graph.initializer:
        try:
            values = onnx.numpy_helper.to_array(tensor, base_dir=str(path.parent))
        except (ValueError, OSError, TypeError, onnx.checker.ValidationError) as error:
            faults.append(expected(f"weights {tensor.name}", str(error)[:200], "as many bytes as its shape needs"))
            continue
        if values.dtype.kind in "fcV" and not np.all(np.isfinite(values.astype(np.float64))):
            bad = int(np.count_nonzero(~np.isfinite(values.astype(np.float64))))
            faults.append(expected(f"weights {tensor.name}", f"{bad} that are not finite", "finite numbers"))
    return faults


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _graphs(inner)


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        for node in function.node:
            yield node
            for attribute in node.attribute:
                for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                    for graph in _graphs(inner):
                        yield from graph.node


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
