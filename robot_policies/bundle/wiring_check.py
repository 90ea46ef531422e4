"""Whether the networks can be wired as the contract says: sources, slices, sizes, order, names."""

from __future__ import annotations

import math
from collections.abc import Iterator

from robot_policies.contract import Contract, InputTensor, Network, RecurrentState, Source, Tensor
from robot_policies.exceptions import expected
from robot_policies.sizes import fits, source_size, source_total

MAX_PERIOD = 10_000  # [ticks]: 200 s at 50 Hz
MAX_VALUES = 1 << 24  # of one tensor: 64 MiB


def wiring_faults(contract: Contract) -> list[str]:
    """Return what in the networks, their wiring and the action's source does not add up."""
    faults = []
    names = [network.name for network in contract.networks]
    if not names:
        faults.append(expected("networks: at least one", "none", "a network"))
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(expected("networks: each name once", f"{name} twice", "unique names"))
    both = sorted(set(contract.observations) & set(contract.depth))
    if both:
        faults.append(expected("depth: names that no observation has", ", ".join(both), "other names"))
    for place, network in enumerate(contract.networks):
        faults += _network_faults(contract, network, names[:place])
    return faults + list(_action_faults(contract, names))


def _network_faults(contract: Contract, network: Network, before: list[str]) -> Iterator[str]:
    where = f"networks.{network.name}"
    if network.file not in contract.files:
        yield expected(f"{where}.file: one of files", network.file, sorted(contract.files))
    if network.period > MAX_PERIOD:
        yield expected(f"{where}.period: ticks between two steps", network.period, f"1 to {MAX_PERIOD}")
    ins = [item.name for item in network.inputs] + [state.input for state in network.states]
    outs = [item.name for item in network.outputs] + [state.output for state in network.states]
    for what, items in (("input", ins), ("output", outs)):
        for name in sorted({name for name in items if items.count(name) > 1}):
            asked = f"{where}: each {what} tensor once, in {what}s or in states"
            yield expected(asked, f"{name} more than once", "different tensors")
    shapes = {item.name: item.shape for item in network.inputs} | {item.name: item.shape for item in network.outputs}
    for name, shape in (shapes | {state.input: state.shape for state in network.states}).items():
        if math.prod(shape) > MAX_VALUES:
            yield expected(f"{where}: {name}: its size", f"{math.prod(shape)} values", f"at most {MAX_VALUES} values")
    for item in network.inputs:
        yield from _input_faults(contract, f"{where}.inputs.{item.name}", item, before)
    for output in network.outputs:
        yield from _initial_faults(f"{where}.outputs.{output.name}", output)
    for state in network.states:
        yield from _initial_faults(f"{where}.states.{state.input}", state)


def _input_faults(contract: Contract, where: str, item: InputTensor, before: list[str]) -> Iterator[str]:
    if not item.source:
        yield expected(f"{where}.source: where the input comes from", "nothing", "at least one source")
    sizes = []
    for place, source in enumerate(item.source):
        faults = list(_source_faults(contract, f"{where}.source.{place}", source, before))
        yield from faults
        sizes.append(None if faults else source_size(contract, source))
    known = [size for size in sizes if size is not None]
    if item.source and len(known) == len(sizes) and sum(known) != math.prod(item.shape):
        shape = list(item.shape)
        asked = f"{where}: {math.prod(item.shape)} values for shape {shape}"
        found = f"{' + '.join(map(str, known))} = {sum(known)} from its sources"
        yield expected(asked, found, "sources whose sizes add up to the input")


def _source_faults(contract: Contract, where: str, source: Source, networks: list[str]) -> Iterator[str]:
    given = [key for key in ("observation", "network", "depth") if getattr(source, key) is not None]
    if len(given) != 1 or (source.output is not None) != (source.network is not None):
        found = ", ".join(given + (["output"] if source.output is not None else [])) or "none"
        yield expected(f"{where}: exactly one origin", found, "observation, or network with output, or depth")
        return
    total = source_total(contract, source)
    if source.network is not None and source.network not in networks:
        every = [network.name for network in contract.networks]
        found = f"{source.network}, which is not stepped before" if source.network in every else source.network
        yield expected(f"{where}.network: a network earlier in the list", found, networks)
    elif total is None:
        yield _unknown(contract, where, source)
    elif source.slice is not None and not source.slice[0] < source.slice[1] <= total:
        yield expected(f"{where}.slice: start, stop", list(source.slice), f"start < stop <= {total}")


def _unknown(contract: Contract, where: str, source: Source) -> str:
    if source.observation is not None:
        groups = sorted(contract.observations)
        return expected(f"{where}.observation: a group of observations", source.observation, groups)
    if source.depth is not None:
        return expected(f"{where}.depth: a declared depth input", source.depth, sorted(contract.depth))
    outputs = [out.name for net in contract.networks if net.name == source.network for out in net.outputs]
    return expected(f"{where}.output: an output of {source.network}", source.output, outputs)


def _initial_faults(where: str, entry: Tensor | RecurrentState) -> Iterator[str]:
    size = math.prod(entry.shape)
    if not fits(entry.initial, size):
        found = len(entry.initial) if isinstance(entry.initial, tuple) else 1
        yield expected(f"{where}.initial: one number, or one per value", f"{found} numbers", f"1 or {size}")
    whole = isinstance(entry.initial, tuple) or float(entry.initial).is_integer()
    if entry.dtype == "int64" and not whole:
        yield expected(f"{where}.initial: an integer, for int64", entry.initial, "a whole number")


def _action_faults(contract: Contract, names: list[str]) -> Iterator[str]:
    source, count = contract.action.source, len(contract.joints.names)
    if source.network is None:
        yield expected("action.source: an output of a network", "no network", names)
        return
    faults = list(_source_faults(contract, "action.source", source, names))
    yield from faults
    size = None if faults else source_size(contract, source)
    if size is not None and size != count:
        yield expected("action.source: one value per joint", f"{size} values", f"{count} values, or a slice of as many")
