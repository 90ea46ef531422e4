"""The way back from bytes to values (``codec``). Bytes that are none of ours are an error, and nothing else."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from robot_policies.control.recording.codec import CLASSES, ENUMS, FORMAT
from robot_policies.exceptions import RecordingError, expected

_DTYPES = {"<f4", "<f8", "<i4", "<i8", "<u4", "<u8", "|u1", "|i1", "|b1", "<u2", "<i2"}
_MOST_KEPT = 1024


class Decoder:
    """Reads the messages of one file, in their order.

    Raises:
        RecordingError: its schema is of another format.
    """

    def __init__(self, schema: bytes) -> None:
        """Take the file's own schema: it may be of another version, with other fields."""
        try:
            told = json.loads(schema)
            names = {cls.__name__: cls for cls in CLASSES}
            self._classes = [(names.get(c["name"]), str(c["name"]), tuple(c["fields"])) for c in told["classes"]]
            enums = {cls.__name__: cls for cls in ENUMS}
            self._enums = [enums.get(name) for name in told["enums"]]
            version = told["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(expected("schema: of our step records", repr(error), "format 1")) from error
        if version != FORMAT:
            raise RecordingError(expected("schema: its format", version, str(FORMAT)))
        self._shared: dict[int, Any] = {}
        self._seen: list[Any] = []
        self._data, self._at = b"", 0

    def decode(self, data: bytes) -> Any:
        """Return the value. Raises ``RecordingError`` where it cannot be read, or refers to one that was lost."""
        self._data, self._at, self._seen = data, 0, []
        try:
            value = self._value()
        except (struct.error, IndexError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise RecordingError(f"a damaged step record: {type(error).__name__} {error} at byte {self._at}") from error
        if self._at != len(data):
            raise RecordingError(f"a damaged step record: {len(data) - self._at} bytes too many")
        return value

    def _value(self) -> Any:
        kind = self._take(1)
        if kind == b"a":
            return self._array()
        if kind == b"o":
            return self._object()
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        if kind == b"i":
            return struct.unpack("<q", self._take(8))[0]
        if kind == b"d":
            return struct.unpack("<d", self._take(8))[0]
        if kind == b"l":
            return tuple(self._value() for _ in range(self._size()))
        if kind == b"m":
            return {self._text(): self._value() for _ in range(self._size())}
        return self._rare(kind)

    def _rare(self, kind: bytes) -> Any:
        if kind == b"s":
            return self._text()
        if kind == b"I":
            return int(self._text())
        if kind == b"z":
            return frozenset(self._text() for _ in range(self._size()))
        if kind == b"r":
            return self._seen[self._size()]
        if kind == b"e":
            enum = self._enums[self._take(1)[0]]
            if enum is None:
                raise ValueError("an enum that is not known here")
            return enum(self._text())
        if kind == b"k":
            number = self._size()
            self._shared[number] = value = self._value()
            if len(self._shared) > _MOST_KEPT:
                del self._shared[next(iter(self._shared))]
            return value
        if kind == b"K":
            number = self._size()
            if number not in self._shared:
                raise RecordingError(f"a step record refers to an image (number {number}) that was lost")
            # The reference takes a place among those seen, as it did when it was written.
            self._seen.append(self._shared[number])
            return self._shared[number]
        raise ValueError(f"{kind!r} is no kind of value")

    def _object(self) -> Any:
        cls, name, fields = self._classes[self._take(1)[0]]
        place = len(self._seen)
        self._seen.append(None)
        values = {field: self._value() for field in fields}
        if cls is None:
            raise ValueError(f"class {name} is not known here")
        self._seen[place] = value = cls(**values)  # a field too many or too few is a TypeError
        return value

    def _array(self) -> Any:
        place = len(self._seen)
        self._seen.append(None)
        dtype = self._take(self._take(1)[0]).decode()
        if dtype not in _DTYPES:
            raise ValueError(f"an array of {dtype!r}")
        shape = struct.unpack(f"<{(dims := self._take(1)[0])}I", self._take(4 * dims))
        size = np.dtype(dtype).itemsize
        for length in shape:
            size *= length
        array = np.frombuffer(self._take(size), dtype=dtype).reshape(shape)
        self._seen[place] = array
        return array

    def _size(self) -> int:
        return int(struct.unpack("<I", self._take(4))[0])

    def _text(self) -> str:
        return self._take(self._size()).decode()

    def _take(self, count: int) -> bytes:
        data = self._data[self._at : self._at + count]
        if len(data) != count:
            raise IndexError("it ends too early")
        self._at += count
        return data


_SIMPLE = {b"N": None, b"T": True, b"F": False}
