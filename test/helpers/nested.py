"""Changes deep in what a YAML file held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def put_at(data: Any, keys: Sequence[str | int], value: Any) -> None:
    """Set, or with ``...`` remove, the entry that the keys lead to."""
    *parents, last = keys
    for key in parents:
        data = data[key]
    if value is ...:
        del data[last]
    else:
        data[last] = value
