"""Values of the flow as bytes and back: every number keeps its bits, and nothing that is read can run code.

One byte tells what follows (little endian, sizes are uint32): ``N`` None, ``T`` ``F`` bool, ``i`` int64, ``I`` a longer
int as text, ``d`` float64, ``s`` text, ``a`` array (dtype, dimensions, bytes), ``l`` tuple, ``m`` mapping with text as
keys, ``z`` set of texts, ``o`` object (class, its fields in order), ``e`` enum (class, value). An object or array that
comes again within a message is ``r`` and its number. An object that may come again in later messages is ``k``, a number
of its own and the object at first, ``K`` and the number from then on: an image that many ticks share is stored once,
and is one object again when it is read. ``SCHEMA`` names the classes; it stands in every file.

"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np

from robot_policies import types
from robot_policies.control.lease import Lease
from robot_policies.safety.state_machine import Reply, Request

FORMAT = 1
CLASSES: tuple[type, ...] = (
    types.RobotState,
    types.Battery,
    types.Remote,
    types.RobotHealth,
    types.VelocityCommand,
    types.DepthImage,
    types.HeightScan,
    types.PolicyInputs,
    types.Observation,
    types.Action,
    types.GainProfile,
    types.JointCommand,
    types.Trip,
    types.PolicyRecord,
    types.RobotRecord,
    Lease,
    Reply,
)
ENUMS: tuple[type[Enum], ...] = (types.Mode, Request)
SHARED = (types.DepthImage,)  # between messages
KEPT = 256  # shared objects that may still come again

_FIELDS = {cls: (i, tuple(field.name for field in dataclasses.fields(cls))) for i, cls in enumerate(CLASSES)}
_ENUMS = {cls: i for i, cls in enumerate(ENUMS)}
_SIZE, _INT, _FLOAT = struct.Struct("<I"), struct.Struct("<q"), struct.Struct("<d")
SCHEMA = json.dumps(
    {
        "format": FORMAT,
        "classes": [{"name": cls.__name__, "fields": fields} for cls, (_, fields) in _FIELDS.items()],
        "enums": [cls.__name__ for cls in ENUMS],
    }
).encode()


class Encoder:
    """Writes values; remembers the shared ones."""

    def __init__(self) -> None:
        self._shared: dict[int, tuple[int, Any]] = {}  # by id: number, and the object, which so stays alive
        self._count = 0
        self._seen: dict[int, int] = {}

    def forget(self) -> None:
        """Write shared objects anew: what was written last has been lost."""
        self._shared.clear()

    def encode(self, value: Any) -> bytes:
        """Return ``value`` as bytes. Raises ``TypeError`` for what is none of the flow's values."""
        self._seen = {}
        out = bytearray()
        self._put(value, out)
        return bytes(out)

    def _put(self, value: Any, out: bytearray) -> None:
        kind = type(value)
        if kind is np.ndarray:
            if not self._again(value, out):
                _put_array(value, out)
        elif kind in _FIELDS:
            self._put_object(value, _FIELDS[kind], out)
        elif kind is float:
            out += b"d" + _FLOAT.pack(value)
        elif value is None:
            out += b"N"
        elif kind in _ENUMS:
            out += b"e" + bytes((_ENUMS[kind],))
            _put_text(value.value, out)
        elif kind is tuple or kind is list:
            out += b"l" + _SIZE.pack(len(value))
            for item in value:
                self._put(item, out)
        else:
            self._put_rest(value, out)

    def _put_rest(self, value: Any, out: bytearray) -> None:
        if isinstance(value, bool):
            out += b"T" if value else b"F"
        elif isinstance(value, int):
            _put_int(value, out)
        elif isinstance(value, str):
            out += b"s"
            _put_text(value, out)
        elif isinstance(value, Mapping):
            out += b"m" + _SIZE.pack(len(value))
            for key, item in value.items():
                _put_text(key, out)
                self._put(item, out)
        elif isinstance(value, frozenset):
            out += b"z" + _SIZE.pack(len(value))
            for item in sorted(value):
                _put_text(item, out)
        elif isinstance(value, np.generic):
            self._put(value.item(), out)
        else:
            raise TypeError(f"no value of the flow: {type(value).__name__}")

    def _put_object(self, value: Any, layout: tuple[int, tuple[str, ...]], out: bytearray) -> None:
        if self._again(value, out):
            return
        if type(value) in SHARED:
            known = self._shared.get(id(value))
            if known is not None:
                out += b"K" + _SIZE.pack(known[0])
                return
            self._count += 1
            self._shared[id(value)] = (self._count, value)
            if len(self._shared) > KEPT:
                del self._shared[next(iter(self._shared))]
            out += b"k" + _SIZE.pack(self._count)
        index, fields = layout
        out += bytes((111, index))  # o
        for field in fields:
            self._put(getattr(value, field), out)

    def _again(self, value: Any, out: bytearray) -> bool:
        """Write a reference where ``value`` is in this message already; give it a number where it is not."""
        number = self._seen.get(id(value))
        if number is None:
            self._seen[id(value)] = len(self._seen)
            return False
        out += b"r" + _SIZE.pack(number)
        return True


def _put_text(value: str, out: bytearray) -> None:
    data = value.encode()
    out += _SIZE.pack(len(data)) + data


def _put_int(value: int, out: bytearray) -> None:
    if -(2**63) <= value < 2**63:
        out += b"i" + _INT.pack(value)
    else:
        out += b"I"
        _put_text(str(value), out)


def _put_array(value: np.ndarray[Any, Any], out: bytearray) -> None:
    dtype = value.dtype.str.encode()
    out += struct.pack(f"<cB{len(dtype)}sB{value.ndim}I", b"a", len(dtype), dtype, value.ndim, *value.shape)
    out += value.tobytes()
