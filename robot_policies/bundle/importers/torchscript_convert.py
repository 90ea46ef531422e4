"""TorchScript to ONNX with every state in the open, and the original run over a sequence. In the child process only.

``torch.onnx.export`` of a module freezes the state that it keeps in buffers. So the module is first traced at the level
of ATen operators as a function of input and states (``make_fx``); ``torch.export`` makes every in-place write of that
function a value, and the result is exported.
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

from robot_policies.bundle.importers import torchscript_parkour
from robot_policies.bundle.importers.torchscript_module import (
    CARRIERS,
    Refused,
    Slot,
    forward,
    last_line,
    load,
    written,
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
        return _OPERATIONS[request["op"]](request)


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    """Write the module as ONNX and return the names of its tensors, and its hidden states."""
    value = torch.zeros(1, request["size"])
    open_states = [torch.zeros(tuple(shape)) for shape in request["recurrent"]]
    hidden = _check_call(request, value, open_states)
    module = load(request["model"])
    carried = [_carried(slot.get(module)) for slot in hidden]
    names = _names(hidden)
    names_in = [request["input"], *request["inputs"], *(f"{name}_in" for name in names)]
    names_out = [request["output"], *request["outputs"], *(f"{name}_out" for name in names)]
    arguments = (value, *open_states, *carried)
    try:
        graph = make_fx(_Function(module, hidden, len(open_states)))(*arguments)
        program = torch.export.export(graph, arguments, strict=False).run_decompositions(_DECOMPOSITIONS)
        _export(program, names_in, names_out, request["target"])
    except _CONVERT_ERRORS as error:
        raise Refused(f"conversion to ONNX: {_why(error)}") from error
    first = 1 + len(open_states)
    states = zip(hidden, names_in[first:], names_out[first:], carried, strict=True)
    return {"hidden": [_state(*state) for state in states]}


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


_OPERATIONS = {
    "convert": _convert,
    "run": _run,
    "parkour_weights": torchscript_parkour.weights,
    "parkour_run": torchscript_parkour.run,
}


def _check_call(request: dict[str, Any], value: torch.Tensor, open_states: list[torch.Tensor]) -> list[Slot]:
    """Run the original, check what it takes and gives, and return where it hides state. Raises ``Refused``."""
    module = load(request["model"])
    asked = f"input {list(value.shape)}"
    try:
        results = forward(module, value, open_states)
        hidden = written(module, lambda: forward(module, value + 1.0, open_states))
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
    return hidden


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


def _copy(target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """Write ``aten.copy`` with the broadcast that the exporter leaves out."""
    return source.to(target.dtype).expand(target.shape).clone()


_DECOMPOSITIONS = {torch.ops.aten.copy.default: _copy}


def _export(program: Any, names_in: list[str], names_out: list[str], target: str) -> None:
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


def _names(hidden: list[Slot]) -> list[str]:
    """Return names for the states, without dots and each once."""
    names: list[str] = []
    for slot in hidden:
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
