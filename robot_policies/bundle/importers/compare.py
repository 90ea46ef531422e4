"""The original and the bundle's network, side by side: 200 steps, changing inputs, a reset in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from robot_policies.bundle.importers.onnx_graph import Graph, State
from robot_policies.bundle.importers.policy import ForeignPolicy
from robot_policies.bundle.importers.refusal import refused
from robot_policies.exceptions import ImportFormatError
from robot_policies.inference.network import RUNTIME_ERRORS, open_session
from robot_policies.types import Array32

STEPS = 200
RESET = 100
TOLERANCE = 1e-4  # relative to the largest output
SEED = 1


class Original(Protocol):
    """The network as it came."""

    def run(self, inputs: Array32, resets: npt.NDArray[np.bool_]) -> Array32:
        """Return its outputs (T, joints) for inputs (T, size), with a reset before every tick in ``resets``."""
        ...


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found."""

    steps: int
    largest: float  # largest difference of any output
    relative: float  # the same, relative to the largest output


class OnnxRunner:
    """An ONNX network with its states, over a sequence."""

    def __init__(self, path: Path, feed: str, shape: Sequence[int], taken: str, states: Sequence[State]) -> None:
        """Open ``path``, with its external weights where it has them."""
        self._session = open_session(path)
        self._feed, self._shape, self._taken, self._states = feed, tuple(shape), taken, tuple(states)

    def run(self, inputs: Array32, resets: npt.NDArray[np.bool_]) -> Array32:
        """See ``Original``. Raises ``ImportFormatError`` where the network fails."""
        outputs = []
        held: list[Any] = []
        names = [self._taken, *(state.output for state in self._states)]
        for row, reset in zip(inputs, resets, strict=True):
            if reset or not held:
                held = [_initial(state) for state in self._states]
            given = {state.input: value for state, value in zip(self._states, held, strict=True)}
            try:
                first, *held = self._session.run(names, {self._feed: row.reshape(self._shape), **given})
            except RUNTIME_ERRORS as error:
                raise ImportFormatError(f"the network does not run: {' '.join(str(error).split())[:300]}") from error
            outputs.append(np.asarray(first, dtype=np.float32).reshape(-1))
        return np.array(outputs)


def original_onnx(policy: ForeignPolicy, graph: Graph) -> OnnxRunner:
    """Return the foreign ONNX file of ``policy`` as it came, under the names that ``graph`` took over."""
    return OnnxRunner(policy.network.path, graph.input, graph.input_shape, graph.output, graph.states)


def compare(original: Original, graph: Graph) -> Comparison:
    """Run both over the same sequence.

    Raises:
        ImportFormatError: the original gives something else each time, numbers that are not finite, or other numbers
            than the bundle's network; says at which step.
    """
    inputs, resets = sequence(int(np.prod(graph.input_shape)))
    first = original.run(inputs, resets)
    if not np.isfinite(first).all():
        step = int(np.argwhere(~np.isfinite(first))[0][0])
        raise refused("the original network: finite outputs", f"others at step {step}", "finite weights")
    if not np.allclose(first, original.run(inputs, resets), rtol=TOLERANCE / 10.0, atol=1e-6):
        found = "other outputs when it is run again on the same inputs"
        raise refused("the original network: the same outputs each time", found, "no random sampling")
    made = OnnxRunner(graph.path, graph.input, graph.input_shape, graph.output, graph.states).run(inputs, resets)
    difference = np.abs(made - first).max(axis=1)
    scale = max(float(np.abs(first).max()), 1e-6)
    result = Comparison(STEPS, float(difference.max()), float(difference.max()) / scale)
    if not result.relative <= TOLERANCE:
        step = int(np.argmax(~(difference <= TOLERANCE * scale)))
        found = f"a difference of {result.relative:.2g} of the largest output, the first at step {step} of {STEPS}"
        why = "no state that the conversion cannot see, such as numbers, lists or control flow"
        raise refused(f"network: the original's outputs within {TOLERANCE:g}", found, why)
    return result


def sequence(size: int) -> tuple[Array32, npt.NDArray[np.bool_]]:
    """Return inputs (STEPS, size) that wander and jump, and resets: one at the start, one in the middle."""
    random = np.random.default_rng(SEED)
    slow = np.cumsum(random.normal(0.0, 0.1, (STEPS, size)), axis=0)
    inputs = slow + random.normal(0.0, 0.5, (STEPS, size))
    resets = np.zeros(STEPS, dtype=np.bool_)
    resets[[0, RESET]] = True
    return inputs.astype(np.float32), resets


def _initial(state: State) -> npt.NDArray[Any]:
    values = np.asarray(state.initial, dtype=state.dtype)
    return np.broadcast_to(values, state.shape).copy() if values.ndim == 0 else values.reshape(state.shape)
