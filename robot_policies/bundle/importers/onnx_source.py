"""Reads a foreign ONNX file: the model with its weights inside, and its metadata. Runs nothing."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data

from robot_policies.bundle.importers.refusal import refused


def load_model(path: Path) -> onnx.ModelProto:
    """Return the model in ``path`` with all weights inside, its local functions expanded.

    Raises:
        ImportFormatError: not an ONNX model, or weights that are missing or outside the file's folder.
    """
    model = _load(path)
    for location in sorted({str(ExternalDataInfo(tensor).location) for tensor in _external(model)}):
        _check_location(path, location)
    try:
        load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
        model = onnx.inliner.inline_local_functions(model) if model.functions else model
    except (onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        raise refused(f"{path}: a valid ONNX model", short(error), "a model that onnx checks") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]  # old files list weights too
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        if not value.type.HasField("tensor_type"):
            raise refused(f"{path}: {value.name}: a tensor", "another type", "inputs and outputs that are tensors")
    return model


def metadata(path: Path) -> dict[str, str]:
    """Return the metadata strings of the ONNX file ``path``. Raises ``ImportFormatError``."""
    return {entry.key: entry.value for entry in _load(path).metadata_props}


def short(error: Exception) -> str:
    """Return the message of ``error`` in one line."""
    return " ".join(str(error).split())[:300]


def _load(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise refused(f"{path}: an ONNX file", "no such file", "the path of a .onnx file")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError, ValueError) as error:
        raise refused(f"{path}: an ONNX file", short(error), "a file that onnx can load") from error
    if not model.graph.node:
        raise refused(f"{path}: an ONNX model", "no operators", "a file with a graph of operators")
    return model


def _external(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    tensors = list(model.graph.initializer)
    tensors += [attribute.t for node in model.graph.node for attribute in node.attribute if attribute.HasField("t")]
    return [tensor for tensor in tensors if uses_external_data(tensor)]


def _check_location(path: Path, location: str) -> None:
    """Check that external weights are a plain file beside, or below, the model's own."""
    target, folder = (path.parent / location).resolve(), path.parent.resolve()
    if not location or Path(location).is_absolute() or not target.is_relative_to(folder) or not target.is_file():
        asked = f"{path}: external weights"
        raise refused(asked, repr(location), f"a file of that name in the folder {path.parent}")
