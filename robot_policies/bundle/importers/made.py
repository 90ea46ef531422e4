"""What becomes of a foreign policy before it is written: its networks, how they were compared, and its contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from robot_policies.bundle.golden import Reference
from robot_policies.bundle.importers.compare import Comparison
from robot_policies.bundle.importers.policy import ForeignPolicy
from robot_policies.bundle.write import Content


@dataclass(frozen=True)
class Made:
    """A policy that is ready to be written."""

    policy: ForeignPolicy  # with what a person should know of the conversion
    files: Mapping[str, Content]  # the ONNX files
    contract: Callable[[str, Mapping[str, str]], dict[str, Any]]  # (name, provenance) -> the plain contract
    comparison: Comparison
    how: str  # the networks were made
    taken: tuple[str, ...]  # the project's defaults
    reference: Reference | None = None  # runs the original, for golden outputs; None: those of the ONNX files
