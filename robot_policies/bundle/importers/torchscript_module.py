"""A TorchScript module as a pure function: (input, states) -> (output, new states). Runs in the child process only.

State may be in the open (further inputs and outputs) or hidden: in buffers and other tensors that ``forward`` writes
in place or assigns anew. What it keeps in numbers, truth values or lists cannot become a tensor and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
        module = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        valid = "a file of torch.jit.save (a checkpoint or a state dict holds no network)"
        raise Refused(f"{Path(path).name}: a TorchScript file; found {last_line(error)}; valid: {valid}") from error
    module.eval()
    for part in module.modules():
        if hasattr(part, "forward"):
            _make_portable(part.graph)
    for name in module._c._method_names():
        if name.startswith("reset") and len(module._c._get_method(name).schema.arguments) == 1:
            getattr(module, name)()
    return module


def _make_portable(graph: Any) -> None:
    """Put constants of another device on the CPU, and drop prints, which would need numbers while a trace has none."""
    for node in list(_nodes(graph)):
        if node.kind() == "prim::Print":
            node.destroy()
        elif node.kind() == "prim::Constant" and str(node.output().type()) == "Device":
            node.s_("value", "cpu")


def forward(module: Any, value: torch.Tensor, open_states: Sequence[torch.Tensor]) -> Tensors:
    """Run ``module`` on copies (some write into their input) and return its outputs, flattened."""
    arguments = [value.clone(), *(state.clone() for state in open_states)]
    return tuple(_flat(module(*_packed(module, arguments))))


def slots(module: Any) -> list[Slot]:
    """Return the tensors that ``forward`` reads or writes.

    Raises:
        Refused: ``forward`` assigns an attribute that is no tensor.
    """
    graph = module.inlined_graph
    paths = {next(iter(graph.inputs())).debugName(): ""}
    found: dict[str, None] = {}
    for node in _nodes(graph):
        if node.kind() not in ("prim::GetAttr", "prim::SetAttr"):
            continue
        owner, *values = node.inputs()
        path = f"{paths.get(owner.debugName(), '')}.{node.s('name')}".lstrip(".")
        if not values:
            paths[next(iter(node.outputs())).debugName()] = path
        elif not (str(values[0].type()).startswith("Tensor") or _slots(module, path)):
            raise Refused(f"forward() keeps state in {path}, a {values[0].type()}; valid: state in tensors (buffers)")
        found[path] = None
    return [slot for path in found for slot in _slots(module, path)]


def written(module: Any, run: Callable[[], object]) -> list[Slot]:
    """Return the slots that ``run()`` assigns anew or writes in place. Raises ``Refused``, as ``slots``."""
    before = [(slot, slot.get(module)) for slot in slots(module)]
    seen = [(tensor.data_ptr(), tensor._version, tensor.clone()) for _, tensor in before]
    run()
    result = []
    for (slot, _), (place, version, values) in zip(before, seen, strict=True):
        now = slot.get(module)
        if now.numel() and ((now.data_ptr(), now._version) != (place, version) or not torch.equal(now, values)):
            result.append(slot)
    return result


def _slots(module: Any, path: str) -> list[Slot]:
    owner, name = _owner(module, path)
    value = owner.getattr(name)
    if isinstance(value, torch.Tensor):
        return [Slot(path)]
    if isinstance(value, tuple) and value and all(isinstance(item, torch.Tensor) for item in value):
        return [Slot(path, place) for place in range(len(value))]
    return []


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
        if argument.has_default_value() and not left:
            break
        kind = str(argument.type)
        size = kind.count("Tensor") if kind.startswith("Tuple") else 1
        if "Tensor" not in kind or "List" in kind or len(left) < size:
            raise Refused(_arguments(module, len(tensors)))
        packed.append(tuple(left[:size]) if kind.startswith("Tuple") else left[0])
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
        raise Refused(
            f"outputs of forward: tensors; found {type(value).__name__}; valid: one tensor, or a tuple of them"
        )


def last_line(error: BaseException) -> str:
    """Return the part of PyTorch's message that says what is wrong, and the line of the module that it points at."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = [
        line.removeprefix("RuntimeError:").strip() for line in lines if "operator" in line or "RuntimeError:" in line
    ]
    said = next((line for line in words if line), "") or (lines[-1] if lines else type(error).__name__)
    places = [lines[index - 1] for index, line in enumerate(lines) if line.endswith("<--- HERE") and index]
    if places and said.startswith("RuntimeError"):  # the interpreter stopped without a word: it needed a number
        said = "its control flow, or a shape, depends on values of tensors"
    return said[:200] + (f" (at `{places[-1][:80]}`)" if places else "")
