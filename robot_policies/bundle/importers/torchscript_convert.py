"""TorchScript to ONNX with every state in the open, and the original run over a sequence. In the child process only.

``torch.onnx.export`` of a module freezes the state that it keeps in buffers. So the module is first traced at the level
of ATen operators as a function of input and states (``make_fx``, with every in-place write made a value), and that
function is exported.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxscript  # noqa: F401 (the exporter needs it; without it, say so at the start)
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from robot_policies.bundle.importers.torchscript_module import (
    CARRIERS,
    Refused,
    Slot,
    forward,
    last_line,
    load,
    slots,
    written_parameters,
)

__all__ = ["Refused", "handle", "version"]

OPSET = 18  # the lowest that this exporter writes without a second conversion
_CONVERT_ERRORS = (RuntimeError, ValueError, TypeError, NotImplementedError, AssertionError, KeyError, IndexError)


def version() -> str:
    """Return the version of PyTorch."""
    return str(torch.__version__)


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one request. Raises ``Refused``."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        return {"convert": _convert, "run": _run}[request["op"]](request)


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    """Write the module as ONNX and return the names of its tensors, and its hidden states."""
    module = load(request["model"])
    value = torch.zeros(1, request["size"])
    shapes = [tuple(shape) for shape in request["recurrent"]]
    open_states = [torch.zeros(shape) for shape in shapes]
    written = _check_call(request, value, open_states)
    hidden = [slot for slot in slots(module, written) if slot.get(module).numel()]
    functions = _Function(module, hidden, len(shapes))
    initial = [slot.get(module).clone() for slot in hidden]
    arguments = [value, *open_states, *(_carried(tensor) for tensor in initial)]
    try:
        graph = make_fx(torch.func.functionalize(functions))(*arguments)
        kept = _changed(graph, len(shapes), hidden)
        graph = _without_constants(module, graph, kept, hidden, initial, len(shapes))
        names_in = [request["input"], *request["inputs"], *(f"{name}_in" for name in _names(hidden, kept))]
        names_out = [request["output"], *request["outputs"], *(f"{name}_out" for name in _names(hidden, kept))]
        carried = [arguments[1 + len(shapes) + index] for index in kept]
        _export(graph, [*arguments[: 1 + len(shapes)], *carried], names_in, names_out, request["target"])
    except _CONVERT_ERRORS as error:
        raise Refused(f"conversion to ONNX: {_why(error)}") from error
    states = zip(kept, names_in[1 + len(shapes) :], names_out[1 + len(shapes) :], carried, strict=True)
    return {"hidden": [_state(hidden[index], *rest) for index, *rest in states]}


def _run(request: dict[str, Any]) -> dict[str, Any]:
    """Run the original over ``inputs`` (T, size) with a reset before every tick that ``resets`` marks."""
    inputs, resets = np.load(request["inputs"]), np.load(request["resets"])
    outputs = []
    module: Any = None
    states: Sequence[torch.Tensor] = []
    for row, reset in zip(inputs, resets, strict=True):
        if module is None or reset:
            module, states = load(request["model"]), [torch.zeros(tuple(shape)) for shape in request["recurrent"]]
        results = forward(module, torch.from_numpy(row[None].copy()), states)
        outputs.append(results[0].reshape(-1).numpy().copy())
        states = results[1:]
    np.save(request["outputs"], np.array(outputs, dtype=np.float32))
    return {"ran": len(outputs)}


def _check_call(request: dict[str, Any], value: torch.Tensor, open_states: list[torch.Tensor]) -> list[str]:
    """Run the original, check what it takes and gives, and return the parameters that it writes. Raises ``Refused``."""
    module = load(request["model"])
    asked = f"input {list(value.shape)}"
    try:
        results = forward(module, value, open_states)
        written = written_parameters(module, lambda: forward(module, value + 1.0, open_states))
    except (RuntimeError, ValueError, TypeError) as error:
        valid = "an observation of the size that the network takes"
        raise Refused(f"{asked}: a forward that runs; found {last_line(error)}; valid: {valid}") from error
    if len(results) != 1 + len(open_states):
        valid = (
            f"1 output{f' and {len(open_states)} recurrent states' if open_states else ''} (others cannot be described)"
        )
        raise Refused(f"outputs of forward; found {len(results)} tensors; valid: {valid}")
    if results[0].dtype != torch.float32:
        raise Refused(f"output of forward: float32; found {results[0].dtype}; valid: a float32 network")
    if results[0].numel() != request["joints"]:
        found = f"{results[0].numel()} numbers, shape {list(results[0].shape)}"
        raise Refused(f"output of forward: one number per joint; found {found}; valid: {request['joints']} numbers")
    for name, state, result in zip(request["outputs"], open_states, results[1:], strict=True):
        if state.shape != result.shape:
            found = f"{list(result.shape)}"
            raise Refused(
                f"network.recurrent.{name}: {list(state.shape)}; found {found}; valid: the shape of its input"
            )
    return written


class _Function:
    """The module as a function of (input, open states, hidden states)."""

    def __init__(self, module: Any, hidden: list[Slot], count: int) -> None:
        self.module, self.hidden, self.count = module, hidden, count
        self.dtypes = [slot.get(module).dtype for slot in hidden]
        self.shapes = [slot.get(module).shape for slot in hidden]

    def __call__(self, value: torch.Tensor, *states: torch.Tensor) -> list[torch.Tensor]:
        given = zip(self.hidden, self.dtypes, self.shapes, states[self.count :], strict=True)
        for slot, dtype, shape, state in given:
            slot.set(self.module, state.reshape(shape).to(dtype, copy=True))
        results = forward(self.module, value, states[: self.count])
        after = [_carried(slot.get(self.module)) for slot in self.hidden]
        return [*results, *after]


def _carried(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of a state as a bundle can carry it: float32 or int64, at least one dimension."""
    return tensor.to(CARRIERS.get(tensor.dtype, torch.int64), copy=True).reshape(tensor.shape or (1,))


def _changed(graph: Any, count: int, hidden: list[Slot]) -> list[int]:
    """Return which hidden tensors the traced function changes: the others come back as they went in."""
    nodes = list(graph.graph.nodes)
    given = [node for node in nodes if node.op == "placeholder"][1 + count :]
    returned = nodes[-1].args[0][-len(hidden) :] if hidden else []
    return [index for index, (a, b) in enumerate(zip(given, returned, strict=True)) if _origin(b) is not a]


_COPIES = ("aten.clone", "aten._to_copy", "aten.view", "aten.reshape", "aten._unsafe_view", "aten.alias", "aten.detach")


def _origin(node: Any) -> Any:
    """Follow copies and views back to where a value comes from."""
    while node.op == "call_function" and str(node.target).startswith(_COPIES):
        node = node.args[0]
    return node


def _without_constants(
    module: Any, graph: Any, kept: list[int], hidden: list[Slot], initial: list[torch.Tensor], count: int
) -> Any:
    """Return the function of the states that change alone; the other tensors are constants of it."""
    fixed = {index: _carried(tensor) for index, tensor in enumerate(initial) if index not in kept}

    def function(value: torch.Tensor, *states: torch.Tensor) -> list[torch.Tensor]:
        given = dict(zip(kept, states[count:], strict=True)) | fixed
        results = graph(value, *states[:count], *(given[index] for index in range(len(hidden))))
        outputs = results[: len(results) - len(hidden)]
        after = [results[len(results) - len(hidden) + index] for index in kept]
        return [result.clone() for result in (*outputs, *after)]

    arguments = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
    zeros = [torch.zeros(tuple(item.shape), dtype=item.dtype) for item in arguments]
    picked = [*zeros[: 1 + count], *(_carried(initial[index]) for index in kept)]
    return make_fx(torch.func.functionalize(function), decomposition_table=_DECOMPOSITIONS)(*picked)


def _copy(target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """Write ``aten.copy`` with the broadcast that the exporter leaves out."""
    return source.to(target.dtype).expand(target.shape).clone()


_DECOMPOSITIONS = {torch.ops.aten.copy.default: _copy}


def _export(graph: Any, arguments: list[torch.Tensor], names_in: list[str], names_out: list[str], target: str) -> None:
    program = torch.export.export(graph, tuple(arguments), strict=False)
    exported = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=names_in,
        output_names=names_out,
        optimize=True,
        external_data=False,
        verbose=False,
    )
    assert exported is not None
    exported.save(target, external_data=False)


def _names(hidden: list[Slot], kept: list[int]) -> list[str]:
    """Return names for the states, without dots and each once."""
    names: list[str] = []
    for index in kept:
        slot = hidden[index]
        base = slot.path.replace(".", "_") + ("" if slot.place is None else f"_{slot.place}")
        names.append(next(name for n in itertools.count() if (name := base + ("_" * n)) not in names))
    return names


def _state(slot: Slot, name_in: str, name_out: str, value: torch.Tensor) -> dict[str, Any]:
    return {
        "path": slot.path,
        "input": name_in,
        "output": name_out,
        "shape": list(value.shape),
        "dtype": str(value.dtype).removeprefix("torch."),
        "initial": value.reshape(-1).tolist(),
    }


def _why(error: BaseException) -> str:
    """Return what the exporter says at the end of its chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    return last_line(error)
