"""YAML into frozen dataclasses, whole or not at all: unknown, missing, mistyped and non-finite values are errors.

pydantic checks; its JSON mode is used because it takes lists as tuples and yet refuses "1.0" or true as a number.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as _dataclass
from typing_extensions import dataclass_transform

from robot_policies.exceptions import SchemaError

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class UniqueKeyLoader(yaml.SafeLoader):
    """The safe loader, but a key written twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping of ``node``. Raises ``yaml.YAMLError`` where a key is written twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"line {line}: keys once each; found {', '.join(twice)} twice; valid: remove one")
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, loader: type[UniqueKeyLoader] = UniqueKeyLoader) -> Any:
    """Read one YAML document with the safe loader, or one made from it.

    Raises:
        SchemaError: the file cannot be read, is not YAML, holds an unsafe tag or a key twice.
    """
    try:
        # Numbers such as 1e-5 are strings in YAML 1.1; the schema refuses them with the place and the value.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 (a SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SchemaError(f"{path}: a readable YAML file; found: {' '.join(str(error).split())}") from error


def parse(cls: type[T], data: Any, where: str) -> T:
    """Return ``data`` as a ``cls`` (a frozen dataclass declared with ``STRICT``).

    Args:
        cls: the dataclass.
        data: plain YAML data.
        where: the file or place, for the messages.

    Raises:
        SchemaError: one line per fault, each with its key, what was found and what would be valid.
    """
    try:
        text = json.dumps(data, default=str)
        return TypeAdapter(cls).validate_json(text)
    except ValidationError as error:
        raise SchemaError("\n".join(_line(where, fault) for fault in error.errors())) from error
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{where}: a mapping of plain values; found: {error}") from error


def load(cls: type[T], path: Path) -> T:
    """Read ``path`` and return it as a ``cls``. Raises ``SchemaError``."""
    return parse(cls, read_yaml(path), str(path))


def _line(where: str, fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "(top)"
    found = repr(fault["input"])
    if fault["type"] in ("missing", "missing_argument"):
        return f"{where}: {key}: asked for, not found"
    if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{where}: {key}: unknown key; found {found[:80]}; valid: remove it or see docs/bundle.md"
    return f"{where}: {key}: {fault['msg']}; found {found[:80]}"


@dataclass_transform(frozen_default=True)
def schema(cls: type[T]) -> type[T]:
    """Declare a frozen, strict dataclass that ``parse`` and ``load`` can fill."""
    return cast(type[T], _dataclass(frozen=True, config=STRICT)(cls))
