"""Foreign YAML, read key by key: every fault names the file, the key, what was found and what would be valid."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from robot_policies.bundle.importers.refusal import refused
from robot_policies.exceptions import ImportFormatError, SchemaError
from robot_policies.schema import UniqueKeyLoader, read_yaml


class _ForeignLoader(UniqueKeyLoader):
    """The safe loader, with numbers such as 1e-5 (YAML 1.2) and two harmless tags that Isaac Lab's dumps carry."""


def _tuple(loader: _ForeignLoader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node, deep=True)


def _slice(loader: _ForeignLoader, node: yaml.SequenceNode) -> None:
    """Return None, for all, where the slice has no bounds; no object is made from the tag."""
    if any(bound is not None for bound in loader.construct_sequence(node)):
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a slice with bounds; valid: null, or a list of indices")


_ForeignLoader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)
_ForeignLoader.add_constructor("tag:yaml.org,2002:python/object/apply:builtins.slice", _slice)
_ForeignLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\.\d+|\d+(\.\d*)?)[eE][-+]?\d+$"), list("-+.0123456789")
)


def read(path: Path) -> Keys:
    """Return the mapping in ``path``.

    Raises:
        ImportFormatError: the file cannot be read, or is not a mapping.
    """
    try:
        return Keys(read_yaml(path, _ForeignLoader), str(path))
    except SchemaError as error:
        raise ImportFormatError(str(error)) from error


class Keys:
    """One mapping of a foreign file. Remembers which keys were read."""

    def __init__(self, data: Any, where: str) -> None:
        """Take ``data``, which was found at ``where`` (a file, and the keys on the way).

        Raises:
            ImportFormatError: ``data`` is not a mapping.
        """
        self.where = where
        if not isinstance(data, Mapping):
            raise refused(f"{where}: a mapping of keys", shown(data), "key: value")
        self._data = {str(key): value for key, value in data.items()}
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return self._data.get(key) is not None

    def names(self) -> list[str]:
        """Return the keys, in the order of the file."""
        return list(self._data)

    def unread(self, known: Iterable[str] = ()) -> list[str]:
        """Return the keys that nothing has asked for and that are not among ``known``."""
        return [key for key in self._data if key not in self._read and key not in known]

    def overridden_by(self, other: Keys) -> Keys:
        """Return these keys with those of ``other`` in their place, and its name for the messages."""
        return Keys({**self._data, **other._data}, other.where)

    def get(self, key: str) -> Any:
        """Return the value as it stands, None where there is none."""
        self._read.add(key)
        return self._data.get(key)

    def need(self, key: str, valid: str) -> Any:
        """Return the value. Raises ``ImportFormatError`` where there is none."""
        value = self.get(key)
        if value is None:
            found = "null" if key in self._data else "no such key"
            raise refused(f"{self.where}: {key}", found, valid)
        return value

    def below(self, key: str) -> Keys:
        """Return the mapping under ``key``. Raises ``ImportFormatError``."""
        if key not in self._data:
            raise refused(
                f"{self.where}: {key}", f"only {', '.join(self._data) or 'no keys'}", f"a mapping under {key}"
            )
        return Keys(self.get(key), f"{self.where}: {key}")

    def fault(self, key: str, found: object, valid: str) -> ImportFormatError:
        """Return the error that ``key`` is not as it must be."""
        return refused(f"{self.where}: {key}", shown(found), valid)

    def number(self, key: str, over: float = -math.inf) -> float:
        """Return one finite number over ``over``. Raises ``ImportFormatError``."""
        valid = "one finite number" + (f" over {over:g}" if math.isfinite(over) else "")
        value = self.need(key, valid)
        if not is_number(value) or value <= over:
            raise self.fault(key, value, valid)
        return float(value)

    def integer(self, key: str, low: int) -> int:
        """Return one whole number, ``low`` or more. Raises ``ImportFormatError``."""
        value = self.need(key, f"a whole number, {low} or more")
        if not is_integer(value) or value < low:
            raise self.fault(key, value, f"a whole number, {low} or more")
        return int(value)

    def text(self, key: str) -> str:
        """Return one string. Raises ``ImportFormatError``."""
        value = self.need(key, "a string")
        if not isinstance(value, str) or not value:
            raise self.fault(key, value, "a string")
        return value

    def numbers(self, key: str, size: int, what: str, scalar: bool = False) -> tuple[float, ...]:
        """Return ``size`` finite numbers; one number for all of them too, where ``scalar``.

        Args:
            key: the key.
            size: how many.
            what: what they belong to, for the message, such as ``joint``.
            scalar: whether one number may stand for all.

        Raises:
            ImportFormatError: another type or count, or a number that is not finite.
        """
        valid = f"{size} finite numbers, one per {what}" + (", or one number for all" if scalar else "")
        value = self.need(key, valid)
        if scalar and is_number(value):
            return (float(value),) * size
        if not isinstance(value, list):
            raise self.fault(key, value, valid)
        if len(value) != size:
            raise self.fault(key, f"{len(value)} entries", valid)
        for index, entry in enumerate(value):
            if not is_number(entry):
                raise self.fault(f"{key}[{index}]", entry, valid)
        return tuple(float(entry) for entry in value)

    def integers(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers, 0 or more. Raises ``ImportFormatError``."""
        valid = "a list of whole numbers, 0 or more"
        value = self.need(key, valid)
        if not isinstance(value, list) or not all(is_integer(entry) and entry >= 0 for entry in value):
            raise self.fault(key, value, valid)
        return tuple(int(entry) for entry in value)

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of at least one string. Raises ``ImportFormatError``."""
        value = self.need(key, "a list of names")
        if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
            raise self.fault(key, value, "a list of names")
        return tuple(value)


def is_number(value: object) -> bool:
    """Return whether ``value`` is a finite number (a truth value is none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300


def is_integer(value: object) -> bool:
    """Return whether ``value`` is a whole number (joint maps are sometimes written as 3.0)."""
    return isinstance(value, (int, float)) and is_number(value) and float(value) == int(value)


def shown(value: object) -> str:
    """Return ``value`` for a message, short."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
