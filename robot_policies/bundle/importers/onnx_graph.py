"""A foreign ONNX file made fit for a bundle: self-contained, batch of one, only the tensors that are used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data

from robot_policies.bundle.importers.policy import ForeignPolicy, Numbers, shortened
from robot_policies.exceptions import BundleError, ImportFormatError, expected
from robot_policies.inference.network import RUNTIME_ERRORS, open_session

Shape = tuple[int, ...]
STATE_DTYPES = ("float32", "int64")


@dataclass(frozen=True)
class State:
    """A recurrent state: the input that receives the output of the step before."""

    input: str
    output: str
    shape: Shape
    dtype: str = "float32"
    initial: Numbers = 0.0


@dataclass(frozen=True)
class Graph:
    """The network of a bundle: its file, and the tensors that the contract names."""

    path: Path
    input: str
    input_shape: Shape
    output: str
    output_shape: Shape
    states: tuple[State, ...] = ()


def load_model(path: Path) -> onnx.ModelProto:
    """Return the model in ``path`` with all weights inside, its local functions expanded.

    Raises:
        ImportFormatError: not an ONNX model, or weights that are missing or outside the file's folder.
    """
    model = _load(path)
    for location in sorted({str(ExternalDataInfo(tensor).location) for tensor in _external(model)}):
        _check_location(path, location)
    try:
        load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except (onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        raise ImportFormatError(expected(f"{path}: a valid ONNX model", _short(error), "a model that onnx checks")) from error


def metadata(path: Path) -> dict[str, str]:
    """Return the metadata strings of the ONNX file ``path``. Raises ``ImportFormatError``."""
    return {entry.key: entry.value for entry in _load(path).metadata_props}


def make_graph(policy: ForeignPolicy, target: Path) -> Graph:
    """Write the network of ``policy``, made fit for a bundle, to ``target``.

    Raises:
        ImportFormatError: a tensor is missing, of another size or type, or fed by nothing; ONNX Runtime refuses it.
    """
    source, joints = policy.network, len(policy.joint_names)
    model = load_model(source.path)
    graph, where = model.graph, str(source.path)
    weights = {tensor.name for tensor in graph.initializer}
    _replace(graph.input, [value for value in graph.input if value.name not in weights])  # of old files
    _expand_names(graph)
    states = source.recurrent
    for name in states.shapes:
        _by_name(graph.input, name, f"{where}: network.recurrent.{name}: an input")
    feed = _only(graph.input, source.input, states.shapes, f"{where}: network.input")
    taken = _only(graph.output, source.output, states.inputs, f"{where}: network.output")
    unfed = [value.name for value in graph.input if value.name not in (feed.name, *states.shapes)]
    if unfed:
        asked = f"{where}: inputs of the network, each with a source"
        raise ImportFormatError(expected(asked, f"nothing for {', '.join(unfed)}", f"{feed.name}, and network.recurrent"))
    for name in states.inputs:
        _by_name(graph.output, name, f"{where}: network.recurrent.{name}: an output")
    shape = _input_shape(feed, policy, where)
    _fix(feed, shape)
    _require_float(feed, where)
    for name, state_shape in states.shapes.items():
        _fix_state(_by_name(graph.input, name, where), state_shape, where)
    _keep_outputs(model, [taken.name, *states.inputs])
    return _finish(model, target, policy, feed.name, taken.name, shape, joints)


def _finish(
    model: onnx.ModelProto, target: Path, policy: ForeignPolicy, feed: str, taken: str, shape: Shape, joints: int
) -> Graph:
    """Write the model with the shapes of its outputs, which a run shows."""
    where, recurrent = str(policy.network.path), policy.network.recurrent
    dtypes = {value.name: _dtype(value) for value in model.graph.input}
    onnx.save(model, str(target))
    zeros = {feed: np.zeros(shape, dtype=np.float32)}
    zeros.update({name: np.zeros(size, dtype=dtypes[name]) for name, size in recurrent.shapes.items()})
    names = [taken, *recurrent.inputs]
    try:
        values = dict(zip(names, open_session(target).run(names, zeros), strict=True))
    except BundleError as error:
        raise ImportFormatError(f"{where}: {error}") from error
    except RUNTIME_ERRORS as error:
        raise ImportFormatError(expected(f"{where}: a network that runs", _short(error), "the sizes described")) from error
    for value in model.graph.output:
        _fix(value, values[value.name].shape)
        if str(values[value.name].dtype) not in (STATE_DTYPES if value.name != taken else ("float32",)):
            raise ImportFormatError(expected(f"{where}: output {value.name}", values[value.name].dtype, "float32"))
    if values[taken].size != joints:
        found = f"{values[taken].size} numbers, shape {list(values[taken].shape)}"
        raise ImportFormatError(expected(f"{where}: output {taken}: one number per joint", found, f"{joints} numbers"))
    for output, name in recurrent.inputs.items():
        if values[output].shape != recurrent.shapes[name] or str(values[output].dtype) != dtypes[name]:
            found = f"{list(values[output].shape)} {values[output].dtype}"
            asked = f"{where}: network.recurrent.{output}: as its input {name}"
            raise ImportFormatError(expected(asked, found, f"{list(recurrent.shapes[name])} {dtypes[name]}"))
    onnx.save(model, str(target))
    found_states = (
        State(name, output, recurrent.shapes[name], dtypes[name]) for output, name in recurrent.inputs.items()
    )
    return Graph(target, feed, shape, taken, tuple(values[taken].shape), tuple(found_states))


def check_size(policy: ForeignPolicy, size: int, what: str) -> None:
    """Check the sizes of the observation against the network's input.

    Raises:
        ImportFormatError: they do not add up; lists the terms.
    """
    if policy.observation_size() == size:
        return
    parts = [f"{entry.term} {entry.size}{f' x {len(entry.past.ages)}' if entry.past else ''}" for entry in policy.entries]
    frames = f", times {len(policy.past.ages)} frames" if policy.past else ""
    found = f"{policy.observation_size()} ({', '.join(parts)}{frames})"
    raise ImportFormatError(expected(f"{what}: sizes of the observation that add up to {size}", found, f"{size} in all"))


def _input_shape(value: onnx.ValueInfoProto, policy: ForeignPolicy, where: str) -> Shape:
    """Return the input's shape with a batch of one; at most one more dimension may be open."""
    dims: list[int | None] = [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
    asked = f"{where}: input {value.name}"
    if not dims:
        raise ImportFormatError(expected(f"{asked}: its shape", "none", f"[1, {policy.observation_size()}]"))
    if dims[0] is None:
        dims[0] = 1
    known = math.prod(size for size in dims if size is not None)
    if dims.count(None) == 1 and known and policy.observation_size() % known == 0:
        dims[dims.index(None)] = policy.observation_size() // known
    if None in dims:
        raise ImportFormatError(expected(f"{asked}: its shape", dims, f"[1, {policy.observation_size()}]"))
    shape = tuple(size for size in dims if size is not None)
    if len(shape) > 1 and shape[0] > 1 and math.prod(shape[1:]) == policy.observation_size():
        raise ImportFormatError(expected(f"{asked}: a batch of one", f"shape {list(shape)}", "a batch of 1, or an open one"))
    check_size(policy, math.prod(shape), f"{asked}, shape {list(shape)}")
    return shape


def _fix_state(value: onnx.ValueInfoProto, shape: Shape, where: str) -> None:
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
    agree = len(dims) == len(shape) and all(a in (None, b) for a, b in zip(dims, shape, strict=True))
    if not agree:
        found = ["any" if size is None else size for size in dims]
        raise ImportFormatError(expected(f"{where}: network.recurrent.{value.name}: {list(shape)}", found, "the file's"))
    if _dtype(value) not in STATE_DTYPES:
        raise ImportFormatError(expected(f"{where}: input {value.name}", _dtype(value), STATE_DTYPES))
    _fix(value, shape)


def _only(values: Sequence[onnx.ValueInfoProto], name: str | None, states: object, asked: str) -> onnx.ValueInfoProto:
    """Return the tensor called ``name``, or the only one that is not a state."""
    free = [value for value in values if value.name not in states]  # type: ignore[operator]
    if name is not None:
        return _by_name(free, name, asked)
    if len(free) != 1:
        found = f"{len(free)} tensors: {', '.join(value.name for value in free) or 'none'}"
        raise ImportFormatError(expected(f"{asked}: one tensor, or its name in --describe", found, "network: {...}"))
    return free[0]


def _by_name(values: Sequence[onnx.ValueInfoProto], name: str, asked: str) -> onnx.ValueInfoProto:
    for value in values:
        if value.name == name:
            return value
    raise ImportFormatError(expected(asked, name, [value.name for value in values]))


def _require_float(value: onnx.ValueInfoProto, where: str) -> None:
    if _dtype(value) != "float32":
        raise ImportFormatError(expected(f"{where}: input {value.name}", _dtype(value), "float32"))


def _dtype(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind))) if kind else "not a tensor"


def _fix(value: onnx.ValueInfoProto, shape: Sequence[int]) -> None:
    value.type.tensor_type.shape.Clear()
    for size in shape:
        value.type.tensor_type.shape.dim.add().dim_value = size


def _keep_outputs(model: onnx.ModelProto, names: list[str]) -> None:
    """Drop every output but ``names``, the nodes and weights that only the others need, and stale inner shapes."""
    graph = model.graph
    _replace(graph.output, [value for value in graph.output if value.name in names])
    needed, kept = set(names), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(_read(node))
    _replace(graph.node, list(reversed(kept)))
    _replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed])
    del graph.value_info[:]


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those inside its sub-graphs too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for other in inner.node:
                yield from _read(other)
            yield from (value.name for value in inner.output)


def _expand_names(graph: onnx.GraphProto) -> None:
    for value in graph.input:
        if not value.type.HasField("tensor_type"):
            raise ImportFormatError(expected(f"input {value.name}: a tensor", "another type", "tensors"))


def _replace(repeated: object, items: list[object]) -> None:
    del repeated[:]  # type: ignore[attr-defined]
    repeated.extend(items)  # type: ignore[attr-defined]


def _load(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise ImportFormatError(expected(f"{path}: an ONNX file", "no such file", "the path of a .onnx file"))
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError, ValueError) as error:
        raise ImportFormatError(expected(f"{path}: an ONNX file", _short(error), "a file that onnx can load")) from error
    if not model.graph.node:
        raise ImportFormatError(expected(f"{path}: an ONNX model", "no operators", "a file with a graph of operators"))
    return model


def _external(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    tensors = list(model.graph.initializer)
    tensors += [attribute.t for node in model.graph.node for attribute in node.attribute if attribute.HasField("t")]
    return [tensor for tensor in tensors if uses_external_data(tensor)]


def _check_location(path: Path, location: str) -> None:
    """Check that external weights are a plain file beside, or below, the model's own."""
    target, folder = (path.parent / location).resolve(), path.parent.resolve()
    if not location or Path(location).is_absolute() or not target.is_relative_to(folder) or not target.is_file():
        asked = f"{path}: external weights"
        raise ImportFormatError(expected(asked, repr(location), "a file in the folder of the model"))


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
