"""Sizes that follow from a contract alone, in one place for the builder, the networks and the checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Union

import numpy as np

from robot_policies.contract import Contract, Group, Numbers, Source, Term
from robot_policies.types import Array


def ages(entry: Union[Term, Group]) -> int:
    """Return how many times a term or group is repeated by its history (1 without one)."""
    return 1 if entry.history is None else len(entry.history.ages)


def frame_size(group: Group) -> int:
    """Return the size of one frame of ``group``: its terms with their own histories, before the group's."""
    return sum(term.size * ages(term) for term in group.terms)


def group_size(group: Group) -> int:
    """Return the size of what the networks read of ``group``."""
    return frame_size(group) * ages(group)


def source_total(contract: Contract, source: Source) -> int | None:
    """Return the size of the whole value that ``source`` names, before its slice; None where it names nothing."""
    if source.observation is not None:
        group = contract.observations.get(source.observation)
        return None if group is None else group_size(group)
    if source.depth is not None:
        depth = contract.depth.get(source.depth)
        return None if depth is None else math.prod(depth.size)
    for network in contract.networks:
        for output in network.outputs:
            if (network.name, output.name) == (source.network, source.output):
                return math.prod(output.shape)
    return None


def source_size(contract: Contract, source: Source) -> int | None:
    """Return the size of the part that ``source`` takes; None where it names nothing."""
    if source.slice is not None:
        return source.slice[1] - source.slice[0]
    return source_total(contract, source)


def fits(values: Numbers, size: int) -> bool:
    """Return whether ``values`` is one number, or one for each of ``size`` entries."""
    return not isinstance(values, Sequence) or len(values) == size


def per_entry(values: Numbers, size: int) -> Array:
    """Return one number, or one per entry, as (size,)."""
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (size,)).copy()
