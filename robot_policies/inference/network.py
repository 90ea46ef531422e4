"""One ONNX network on ONNX Runtime: one thread, buffers bound once, recurrent states in two alternating sets.

The bound buffers belong to this package. Whoever is outside gets copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_state

from robot_policies.contract import Network, Numbers
from robot_policies.exceptions import BundleError, InputError
from robot_policies.finite import all_finite
from robot_policies.types import Array32, owned

Tensor = npt.NDArray[Any]
# ONNX Runtime's errors share no base class of their own.
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(runtime_state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
)
_ALIGNED = 64  # [bytes] between tensors of one block: a cache line


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Return a session on one thread that neither spins nor logs.

    Raises:
        BundleError: ONNX Runtime refuses the file.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # fatal only: what goes wrong is raised
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except RUNTIME_ERRORS as error:
        raise BundleError(f"{path.name}: ONNX Runtime cannot open it: {_short(error)}") from error


class OnnxNetwork:
    """Runs one network of the contract and holds its outputs until the next run.

    Raises:
        BundleError: ONNX Runtime refuses the file, or a tensor is not as the contract says.
    """

    def __init__(self, network: Network, folder: Path) -> None:
        """Open the file, allocate and bind every tensor, run once to warm up, and reset."""
        self.name = network.name
        self._network = network
        self._session = open_session(folder / network.file)
        self._inputs = _block((item.name, item.shape, np.float32) for item in network.inputs)
        outputs = [(item.name, item.shape, np.float32) for item in network.outputs]
        self._outputs = _block(outputs)
        self._states = [_block((s.input, s.shape, np.dtype(s.dtype)) for s in network.states) for _ in range(2)]
        self._checked = [_flat(self._outputs), _flat(self._outputs)]
        for side, states in zip(self._checked, reversed(self._states), strict=True):
            side += _flat(states)  # what the run on the other set of states writes
        self._next = 0
        self._bindings = self._bind_and_warm_up()
        self.reset()

    def _bind(self, states_in: Mapping[str, Tensor], states_out: Mapping[str, Tensor]) -> Any:
        binding = self._session.io_binding()
        for name, buffer in [*self._inputs.items(), *states_in.items()]:
            binding.bind_input(name, "cpu", 0, buffer.dtype, list(buffer.shape), buffer.ctypes.data)
        written = {state.output: states_out[state.input] for state in self._network.states}
        for name, buffer in [*self._outputs.items(), *written.items()]:
            binding.bind_output(name, "cpu", 0, buffer.dtype, list(buffer.shape), buffer.ctypes.data)
        return binding

    def _bind_and_warm_up(self) -> list[Any]:
        try:
            bindings = [self._bind(self._states[i], self._states[1 - i]) for i in range(2)]
            for binding in bindings:
                self._session.run_with_iobinding(binding)
        except RUNTIME_ERRORS as error:
            message = f"networks.{self.name}: does not run as the contract describes it: {_short(error)}"
            raise BundleError(message) from error
        return bindings

    def reset(self) -> None:
        """Set outputs and recurrent states to their initial values."""
        self._next = 0
        for output in self._network.outputs:
            self._outputs[output.name][...] = _shaped(output.initial, output.shape)
        for state in self._network.states:
            for side in self._states:
                side[state.input][...] = _shaped(state.initial, state.shape)

    def input_view(self, name: str) -> Array32:
        """Return the bound buffer of an input, flattened. For the package only: the next run reads it."""
        return self._inputs[name].reshape(-1)

    def output_view(self, name: str) -> Array32:
        """Return the bound buffer of an output, flattened. For the package only: the next run writes over it."""
        return self._outputs[name].reshape(-1)

    def run_bound(self, tick: int) -> None:
        """Run on what the input buffers hold; advance the recurrent states.

        Raises:
            InputError: the network fails, or an output or state is not finite; names network, tensor and tick.
        """
        try:
            self._session.run_with_iobinding(self._bindings[self._next])
        except RUNTIME_ERRORS as error:
            raise InputError(f"network {self.name} failed at tick {tick}: {_short(error)}") from error
        for name, values in self._checked[self._next]:
            if not all_finite(values):
                raise self._not_finite(name, tick)
        self._next = 1 - self._next

    def _not_finite(self, name: str, tick: int) -> InputError:
        values = self._outputs[name] if name in self._outputs else self._states[1 - self._next][name]
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        return InputError(
            f"network {self.name}, tensor {name}, tick {tick}: finite numbers; "
            f"found {values[place]} at {place}; valid: inputs within the range trained for, then reset"
        )

    def run(self, inputs: Mapping[str, npt.ArrayLike], tick: int = 0) -> dict[str, Array32]:
        """Run on ``inputs`` (name -> values in the input's shape) and return copies of the outputs."""
        for name, buffer in self._inputs.items():
            buffer[...] = np.asarray(inputs[name]).reshape(buffer.shape)
        self.run_bound(tick)
        return self.outputs()

    def outputs(self) -> dict[str, Array32]:
        """Return copies of the held outputs, in their shapes."""
        return {name: owned(buffer, np.float32) for name, buffer in self._outputs.items()}

    def inputs(self) -> dict[str, Array32]:
        """Return copies of the inputs that the newest run read, in their shapes."""
        return {name: owned(buffer, np.float32) for name, buffer in self._inputs.items()}


def _block(tensors: Iterable[tuple[str, Sequence[int], npt.DTypeLike]]) -> dict[str, Tensor]:
    """Allocate tensors, each at the start of a cache line."""
    result: dict[str, Tensor] = {}
    for name, shape, kind in tensors:
        dtype = np.dtype(kind)
        size = int(np.prod(shape)) * dtype.itemsize
        memory = np.zeros(size + _ALIGNED, dtype=np.uint8)
        start = -memory.ctypes.data % _ALIGNED
        result[name] = memory[start : start + size].view(dtype).reshape(tuple(shape))
    return result


def _flat(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """Return the tensors that can hold what is not finite, as flat views."""
    return [(name, tensor.reshape(-1)) for name, tensor in tensors.items() if tensor.dtype.kind == "f"]


def _shaped(values: Numbers, shape: tuple[int, ...]) -> Tensor:
    return np.asarray(values) if isinstance(values, (int, float)) else np.asarray(values).reshape(shape)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
