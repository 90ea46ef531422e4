"""TorchScript, read only in a child process that has no shell, few rights and a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from robot_policies.bundle.importers.onnx_graph import State
from robot_policies.bundle.importers.policy import ForeignPolicy, NetworkSource, Recurrent, shortened
from robot_policies.bundle.importers.refusal import refused
from robot_policies.exceptions import ImportFormatError
from robot_policies.types import Array32

CHILD = "robot_policies.bundle.importers.torchscript_child"
LOG = "child.log"  # what the child says on standard error
START_LIMIT = 180.0  # [s] to import PyTorch; 5 s on a quiet machine
REQUEST_LIMIT = 300.0  # [s] for one conversion or run; 10 s on a quiet machine
INSTALL = "pip install torch==2.13.0 onnxscript"
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONHOME")


class TorchScript:
    """A TorchScript policy in its child process. A context manager: leaving it ends the child."""

    def __init__(self, policy: ForeignPolicy, folder: Path) -> None:
        """Start the child.

        Args:
            policy: its network is the TorchScript file.
            folder: for the files that pass between the two processes; exists.

        Raises:
            ImportFormatError: PyTorch is missing, or the child does not start.
        """
        self._policy, self._folder = policy, folder
        with (folder / LOG).open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=_environment(folder),
                start_new_session=True,
            )
        try:
            answer = self._answer(START_LIMIT)
        except ImportFormatError:
            self.close()
            raise
        if "missing" in answer:
            self.close()
            asked = f"PyTorch is needed to read TorchScript ({policy.network.path.name})"
            raise refused(asked, answer["missing"], INSTALL)
        self.version = str(answer["ready"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        with contextlib.suppress(BrokenPipeError):  # it may be gone already
            if self._child.stdin is not None:
                self._child.stdin.close()
        try:
            self._child.wait(2.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def convert(self) -> tuple[ForeignPolicy, tuple[State, ...]]:
        """Return the policy with an ONNX network, whose states are all in the open, and the states that were hidden.

        Raises:
            ImportFormatError: the module cannot be converted; the message says why.
        """
        source, target = self._policy.network, self._folder / "converted.onnx"
        feed, taken = source.input or "obs", source.output or "actions"
        recurrent = source.recurrent
        answer = self._request(
            op="convert",
            input=feed,
            output=taken,
            inputs=list(recurrent.shapes),
            outputs=self._outputs(),
            size=self._policy.observation_size(),
            joints=len(self._policy.joint_names),
            target=str(target),
        )
        hidden = tuple(_state(item) for item in answer["hidden"])
        shapes = {**recurrent.shapes, **{state.input: state.shape for state in hidden}}
        feeds = {**recurrent.inputs, **{state.output: state.input for state in hidden}}
        network = NetworkSource(target, feed, taken, Recurrent(shapes, feeds))
        paths = ", ".join(item["path"] for item in answer["hidden"])
        notes = (f"state that the module kept in {paths} became recurrent inputs and outputs",) if hidden else ()
        return replace(self._policy, network=network, notes=(*self._policy.notes, *notes)), hidden

    def run(self, inputs: Array32, resets: npt.NDArray[np.bool_]) -> Array32:
        """Run the original over a sequence.

        Args:
            inputs: (T, size), one observation per tick.
            resets: (T,), whether a reset comes before the tick.

        Returns:
            (T, joints) its outputs.

        Raises:
            ImportFormatError: it fails.
        """
        places = {name: self._folder / f"{name}.npy" for name in ("inputs", "resets", "outputs")}
        np.save(places["inputs"], np.ascontiguousarray(inputs, dtype=np.float32))
        np.save(places["resets"], np.asarray(resets, dtype=np.bool_))
        self._request(op="run", **{name: str(path) for name, path in places.items()})
        outputs: Array32 = np.load(places["outputs"])
        return outputs

    def _outputs(self) -> list[str]:
        """Return the recurrent outputs in the order of the inputs that they feed."""
        recurrent = self._policy.network.recurrent
        fed_by = {fed: output for output, fed in recurrent.inputs.items()}
        return [fed_by[name] for name in recurrent.shapes]

    def _request(self, **request: Any) -> dict[str, Any]:
        source = self._policy.network
        request["model"] = str(source.path.resolve())
        shapes = request.get("recurrent", [list(shape) for shape in source.recurrent.shapes.values()])
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({**request, "recurrent": shapes}).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        answer = self._answer(REQUEST_LIMIT)
        if "refused" in answer:
            raise ImportFormatError(f"{source.path}: {answer['refused']}")
        return answer

    def _answer(self, limit: float) -> dict[str, Any]:
        """Return the child's next line. Raises ``ImportFormatError`` where none comes in ``limit`` seconds."""
        assert self._child.stdout is not None
        descriptor, line, deadline = self._child.stdout.fileno(), b"", time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._child.kill()
                    asked = f"{self._policy.network.path}: reading it as TorchScript"
                    raise refused(asked, f"no end within {limit:g} s", "a network of usual size")
                part = os.read(descriptor, 65536)
                if not part:
                    raise self._died()
                line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self) -> ImportFormatError:
        self._child.wait()
        lines = (self._folder / LOG).read_text(errors="replace").strip().splitlines()
        found = f"exit code {self._child.returncode}; {lines[-1][:200] if lines else 'no message'}"
        return refused(f"{self._policy.network.path}: reading it as TorchScript", found, "a sound file")


def _environment(folder: Path) -> dict[str, str]:
    """Return the child's environment: what Python needs, this package, and a home of its own."""
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    package_root = str(Path(__file__).resolve().parents[3])
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(part)]
    own = {"PYTHONPATH": os.pathsep.join([package_root, *given]), "HOME": str(folder), "TMPDIR": str(folder)}
    return {**kept, **own, "OMP_NUM_THREADS": "1", "PYTHONNOUSERSITE": "1"}


def _state(item: dict[str, Any]) -> State:
    shape = tuple(int(size) for size in item["shape"])
    return State(item["input"], item["output"], shape, item["dtype"], shortened(item["initial"]))
