"""A foreign ONNX network made fit for a bundle: batch of one, only the tensors that are used, shapes stated."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from robot_policies.bundle.importers.onnx_source import load_model, short
from robot_policies.bundle.importers.policy import ForeignPolicy, NetworkSource, Numbers, Recurrent
from robot_policies.bundle.importers.refusal import refused
from robot_policies.exceptions import BundleError, ImportFormatError
from robot_policies.inference.network import RUNTIME_ERRORS, open_session

Shape = tuple[int, ...]
STATE_DTYPES = ("float32", "int64")  # that the contract knows


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


def make_graph(policy: ForeignPolicy, target: Path) -> Graph:
    """Write the network of ``policy``, made fit for a bundle, to ``target``.

    Raises:
        ImportFormatError: a tensor is missing, of another size or type, or fed by nothing; ONNX Runtime refuses it.
    """
    source = policy.network
    recurrent, where = source.recurrent, str(source.path)
    model = load_model(source.path)
    feed, taken = _ends(model.graph, source)
    shape = _input_shape(feed, policy, where)
    _fix(feed, shape)
    for name, size in recurrent.shapes.items():
        _fix_state(_by_name(model.graph.input, name, where), size, where)
    _keep_outputs(model.graph, [taken.name, *recurrent.inputs])
    values = _trial(model, target, where)
    for value in model.graph.output:
        _fix(value, values[value.name].shape)
    _check_action(values[taken.name], f"{where}: output {taken.name}", len(policy.joint_names))
    states = tuple(_state(model.graph, recurrent, output, values[output], where) for output in recurrent.inputs)
    onnx.save(model, str(target))
    return Graph(target, feed.name, shape, taken.name, values[taken.name].shape, states)


def _ends(graph: onnx.GraphProto, source: NetworkSource) -> tuple[onnx.ValueInfoProto, onnx.ValueInfoProto]:
    """Return the tensors of the observation and of the action; check that everything else is a described state."""
    where, recurrent = str(source.path), source.recurrent
    for name in recurrent.shapes:
        _by_name(graph.input, name, f"{where}: network.recurrent.{name}: an input")
    for name in recurrent.inputs:
        _by_name(graph.output, name, f"{where}: network.recurrent.{name}: an output")
    feed = _only(graph.input, source.input, recurrent.shapes, f"{where}: network.input")
    taken = _only(graph.output, source.output, recurrent.inputs, f"{where}: network.output")
    unfed = [value.name for value in graph.input if value.name not in (feed.name, *recurrent.shapes)]
    if unfed:
        valid = f"{feed.name} alone, and what network.recurrent describes"
        raise refused(f"{where}: inputs of the network, each with a source", f"nothing for {', '.join(unfed)}", valid)
    return feed, taken


def _only(
    values: Sequence[onnx.ValueInfoProto], name: str | None, states: Container[str], asked: str
) -> onnx.ValueInfoProto:
    """Return the tensor called ``name``, or the only one that is not a state."""
    free = [value for value in values if value.name not in states]
    if name is not None:
        return _by_name(free, name, asked)
    if len(free) != 1:
        found = f"{len(free)} tensors: {', '.join(value.name for value in free) or 'none'}"
        raise refused(f"{asked}: one tensor", found, "network: {input, output, recurrent} in --describe")
    return free[0]


def _by_name(values: Sequence[onnx.ValueInfoProto], name: str, asked: str) -> onnx.ValueInfoProto:
    for value in values:
        if value.name == name:
            return value
    raise refused(asked, name, [value.name for value in values])


def _input_shape(value: onnx.ValueInfoProto, policy: ForeignPolicy, where: str) -> Shape:
    """Return the input's shape with a batch of one; one more may be open, if the sizes then say what it is."""
    asked, total = f"{where}: input {value.name}", policy.observation_size()
    if _dtype(value) != "float32":
        raise refused(asked, _dtype(value), "float32")
    dims = _dims(value)
    if dims and dims[0] is None:
        dims[0] = 1
    known = math.prod(size for size in dims if size is not None)
    if dims.count(None) == 1 and known and total % known == 0:
        dims[dims.index(None)] = total // known
    shape = tuple(size for size in dims if size is not None)
    if not dims or None in dims:
        raise refused(f"{asked}: its shape", _shown(dims), f"[1, {total}]")
    if len(shape) > 1 and shape[0] > 1 and math.prod(shape[1:]) == total:
        raise refused(f"{asked}: a batch of one", f"shape {list(shape)}", "a batch of 1, or an open one")
    _check_size(policy, math.prod(shape), f"{asked}, shape {list(shape)}")
    return shape


def _check_size(policy: ForeignPolicy, size: int, what: str) -> None:
    """Check the sizes of the observation against the network's input."""
    if policy.observation_size() == size:
        return
    frames = f", times {len(policy.past.ages)} frames" if policy.past else ""
    terms = [f"{item.term} {item.size}" + (f" x {len(item.past.ages)}" if item.past else "") for item in policy.entries]
    found = f"{policy.observation_size()} ({', '.join(terms)}{frames})"
    raise refused(f"{what}: sizes of the observation that add up to {size}", found, f"{size} in all")


def _fix_state(value: onnx.ValueInfoProto, shape: Shape, where: str) -> None:
    dims = _dims(value)
    if len(dims) != len(shape) or any(a not in (None, b) for a, b in zip(dims, shape, strict=True)):
        raise refused(f"{where}: network.recurrent.{value.name}", list(shape), f"{_shown(dims)}, as in the file")
    if _dtype(value) not in STATE_DTYPES:
        raise refused(f"{where}: input {value.name}", _dtype(value), STATE_DTYPES)
    _fix(value, shape)


def _trial(model: onnx.ModelProto, target: Path, where: str) -> dict[str, Any]:
    """Run the model once on zeros and return its outputs, whose shapes no file need state."""
    onnx.save(model, str(target))
    zeros = {value.name: np.zeros(_sizes(value), dtype=_dtype(value)) for value in model.graph.input}
    names = [value.name for value in model.graph.output]
    try:
        return dict(zip(names, open_session(target).run(names, zeros), strict=True))
    except BundleError as error:
        raise ImportFormatError(f"{where}: {error}") from error
    except RUNTIME_ERRORS as error:
        raise refused(f"{where}: a network that runs", short(error), "the sizes that it was made for") from error


def _check_action(value: Any, asked: str, joints: int) -> None:
    if str(value.dtype) != "float32":
        raise refused(asked, value.dtype, "float32")
    if value.size != joints:
        found = f"{value.size} numbers, shape {list(value.shape)}"
        raise refused(f"{asked}: one number per joint", found, f"{joints} numbers")


def _state(graph: onnx.GraphProto, recurrent: Recurrent, output: str, value: Any, where: str) -> State:
    name = recurrent.inputs[output]
    shape, dtype = recurrent.shapes[name], _dtype(_by_name(graph.input, name, where))
    if value.shape != shape or str(value.dtype) != dtype:
        asked = f"{where}: network.recurrent.{output}: as the input {name} that it feeds"
        raise refused(asked, f"{list(value.shape)} {value.dtype}", f"{list(shape)} {dtype}")
    return State(name, output, shape, dtype)


def _keep_outputs(graph: onnx.GraphProto, names: list[str]) -> None:
    """Drop every output but ``names``, the nodes and weights that only the others need, and stale inner shapes."""
    needed, kept = set(names), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(_read(node))
    for repeated, items in (
        (graph.output, [value for value in graph.output if value.name in names]),
        (graph.node, list(reversed(kept))),
        (graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed]),
        (graph.value_info, []),
    ):
        del repeated[:]
        repeated.extend(items)


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those inside its sub-graphs too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for other in inner.node:
                yield from _read(other)
            yield from (value.name for value in inner.output)


def _dims(value: onnx.ValueInfoProto) -> list[int | None]:
    # Some exporters write 0, or a negative number, where a dimension is open.
    return [size.dim_value if size.dim_value > 0 else None for size in value.type.tensor_type.shape.dim]


def _sizes(value: onnx.ValueInfoProto) -> Shape:
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim)


def _shown(dims: Sequence[int | None]) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in dims)}]"


def _dtype(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind))) if kind else "no type"


def _fix(value: onnx.ValueInfoProto, shape: Sequence[int]) -> None:
    value.type.tensor_type.shape.Clear()
    for size in shape:
        value.type.tensor_type.shape.dim.add().dim_value = size
