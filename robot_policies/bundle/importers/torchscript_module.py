"""A TorchScript module as a pure function: (input, states) -> (output, new states). Runs in the child process only.

State may be in the open (further inputs and outputs) or hidden: in buffers and other tensors that ``forward`` writes
in place or assigns anew. What it keeps in numbers, truth values or lists cannot become a tensor and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Tensors = tuple[torch.Tensor, ...]
CARRIERS = {torch.float32: torch.float32, torch.float64: torch.float32, torch.float16: torch.float32}  # else int64


class Refused(Exception):
    """The module cannot become a bundle; the message says why."""


@dataclass(frozen=True)
class Slot:
    """A tensor attribute that ``forward`` reads: the module that owns it, its name, and its place in a tuple."""

    path: str  # dotted, from the top
    place: int | None = None

    def get(self, module: Any) -> torch.Tensor:
        """Return the tensor that ``module`` holds now."""
        owner, name = _owner(module, self.path)
        value = owner.getattr(name)
        tensor: torch.Tensor = value if self.place is None else value[self.place]
        return tensor

    def set(self, module: Any, tensor: torch.Tensor) -> None:
        """Put ``tensor`` in its place."""
        owner, name = _owner(module, self.path)
        if self.place is None:
            owner.setattr(name, tensor)
            return
        values = list(owner.getattr(name))
        values[self.place] = tensor
        owner.setattr(name, tuple(values))


def load(path: str) -> Any:
    """Return the module in ``path``, on the CPU, in evaluation mode, after its own reset where it has one."""
    try:
        module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        valid = "a file of torch.jit.save (a checkpoint or a state dict holds no network)"
        raise Refused(f"{Path(path).name}: a TorchScript file; found {last_line(error)}; valid: {valid}") from error
    module.eval()
    for name in module._c._method_names():
        if name.startswith("reset") and len(module._c._get_method(name).schema.arguments) == 1:
            getattr(module, name)()
    return module


def forward(module: Any, value: torch.Tensor, open_states: Sequence[torch.Tensor]) -> Tensors:
    """Run ``module`` on copies (some write into their input) and return its outputs, flattened."""
    arguments = [value.clone(), *(state.clone() for state in open_states)]
    return tuple(_flat(module(*_packed(module, arguments))))


def slots(module: Any) -> list[Slot]:
    """Return the tensors, parameters aside, that ``forward`` reads or writes, and parameters that it assigns.

    Raises:
        Refused: ``forward`` assigns an attribute that is no tensor.
    """
    graph = module.inlined_graph
    paths = {next(iter(graph.inputs())).debugName(): ""}
    found: dict[str, str] = {}
    for node in _nodes(graph):
        if node.kind() == "prim::GetAttr":
            owner = paths.get(next(iter(node.inputs())).debugName())
            if owner is not None:
                path = f"{owner}.{node.s('name')}".lstrip(".")
                paths[next(iter(node.outputs())).debugName()] = path
                found.setdefault(path, str(next(iter(node.outputs())).type()))
        if node.kind() == "prim::SetAttr":
            owner_value, value = node.inputs()
            path = f"{paths.get(owner_value.debugName(), '')}.{node.s('name')}".lstrip(".")
            kind = str(value.type())
            if not (kind.startswith("Tensor") or _tuple_size(module, path)):
                raise Refused(f"forward() keeps state in {path}, a {kind}; valid: state in tensors (buffers)")
            found[path] = kind
    parameters = {name for name, _ in module.named_parameters()}
    return [slot for path in found if path not in parameters for slot in _slots(module, path)]


def written_parameters(module: Any, run: Any) -> list[str]:
    """Return the parameters that ``run()`` writes in place."""
    before = {name: tensor._version for name, tensor in module.named_parameters()}
    run()
    return [name for name, tensor in module.named_parameters() if tensor._version != before[name]]


def _slots(module: Any, path: str) -> list[Slot]:
    owner, name = _owner(module, path)
    value = owner.getattr(name)
    if isinstance(value, torch.Tensor):
        return [Slot(path)]
    if isinstance(value, tuple) and value and all(isinstance(item, torch.Tensor) for item in value):
        return [Slot(path, place) for place in range(len(value))]
    return []


def _tuple_size(module: Any, path: str) -> int:
    return sum(slot.place is not None for slot in _slots(module, path))


def _owner(module: Any, path: str) -> tuple[Any, str]:
    """Return the C++ module that holds the last name of ``path``, and that name."""
    *parents, name = path.split(".")
    owner = module._c
    for parent in parents:
        owner = owner.getattr(parent)
    return owner, name


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _packed(module: Any, tensors: list[torch.Tensor]) -> list[Any]:
    """Return ``tensors`` as the arguments of ``forward``, packed into tuples where it takes tuples of tensors.

    Raises:
        Refused: it takes another number of tensors, or something else.
    """
    left, packed = list(tensors), []
    for argument in module.forward.schema.arguments[1:]:
        kind = str(argument.type)
        if argument.has_default_value() and not left:
            break
        size = kind.count("Tensor") if kind.startswith(("Tuple", "tuple", "(")) else 1
        if "Tensor" not in kind or len(left) < size:
            raise Refused(_arguments(module, len(tensors)))
        packed.append(left.pop(0) if size == 1 and kind.startswith("Tensor") else tuple(left[:size]))
        if isinstance(packed[-1], tuple):
            left = left[size:]
    if left:
        raise Refused(_arguments(module, len(tensors)))
    return packed


def _arguments(module: Any, count: int) -> str:
    names = ", ".join(f"{item.name}: {item.type}" for item in module.forward.schema.arguments[1:])
    described = "the observation" + (f" and {count - 1} recurrent states" if count > 1 else "")
    return (
        f"inputs of forward: {described}; found ({names}); "
        "valid: one observation, and recurrent states under network.recurrent, in order"
    )


def _flat(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _flat(item)
    else:
        raise Refused(f"outputs of forward: tensors; found {type(value).__name__}; valid: one tensor, or a tuple of them")


def last_line(error: Exception) -> str:
    """Return the part of PyTorch's message that says what is wrong: the last line that is not empty."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
