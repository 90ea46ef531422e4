"""What a browser does with the viewer's page, without one: viser's messages over its websocket.

Speaks the wire form of viser 1.1 (frames of zstd-compressed msgpack; msgpack towards the server).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import viser
import zstandard
from websockets.sync.client import connect

CAMERA = {
    "type": "ViewerCameraMessage",
    "wxyz": [1.0, 0.0, 0.0, 0.0],
    "position": [1.0, 0.0, 1.0],
    "fov": 1.0,
    "near": 0.01,
    "far": 100.0,
    "image_height": 100,
    "image_width": 100,
    "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 0.0, 1.0],
}


class PageClient:
    """Connects as a browser does and keeps every message, and the newest pose of every scene node."""

    def __init__(self, port: int) -> None:
        protocol = f"viser-v{viser.__version__}"
        self._socket = connect(f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None)
        self.messages: list[dict[str, Any]] = []
        self.turns: dict[str, list[float]] = {}
        self.places: dict[str, list[float]] = {}
        self._texts: dict[str, str] = {}
        self.props: dict[str, dict[str, Any]] = {}  # of the page's elements, by their identity
        self.labels: dict[str, str] = {}  # identity by label
        self._send(CAMERA)  # viser counts a client once its camera is known

    def read(self, seconds: float) -> None:
        """Take what comes for that long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            try:
                frame = self._socket.recv(timeout=left)
            except TimeoutError:
                return
            assert isinstance(frame, bytes)
            size, packed = (int.from_bytes(frame[i : i + 8], "little") for i in (0, 8))
            inner = zstandard.ZstdDecompressor().decompress(frame[16 : 16 + packed], max_output_size=size)
            content = msgspec.msgpack.decode(inner)
            arrays = _arrays(frame, 16 + packed, content["binaryBufferLengths"])
            for message in content["messages"]:
                self._take(_filled(message, arrays))

    def until(self, done: Callable[[], Any], seconds: float = 15.0) -> bool:
        """Read until ``done()`` or for ``seconds``; return whether it is done."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            self.read(0.02)
        return True

    @property
    def html(self) -> str:
        """Everything that the page says, in the order of the page."""
        return "\n".join(self._texts.values())

    def press(self, label: str) -> None:
        """Press the button of that label."""
        self.set(label, True)

    def hold(self, label: str) -> None:
        """Say once, as a browser does ten times a second, that the button of that label is held."""
        self._send({"type": "GuiButtonHoldMessage", "uuid": self.labels[label], "frequency": 10.0})

    def set(self, label: str, value: Any) -> None:
        """Move the slider of that label, or choose."""
        self._send({"type": "GuiUpdateMessage", "uuid": self.labels[label], "updates": {"value": value}})

    def shown(self, kind: str) -> list[dict[str, Any]]:
        """Return the present properties of every element of a type, such as GuiUplotMessage."""
        return [self.props[message["uuid"]] for message in self.of(kind)]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return every message of a type so far."""
        return [message for message in self.messages if message["type"] == kind]

    def close(self) -> None:
        self._socket.close()

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.send(msgspec.msgpack.encode(message))

    def _take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if message["type"] == "SetOrientationMessage":
            self.turns[message["name"]] = message["wxyz"]
        elif message["type"] == "SetPositionMessage":
            self.places[message["name"]] = message["position"]
        elif message["type"] == "GuiUpdateMessage":
            self.props.setdefault(message["uuid"], {}).update(message["updates"])
        elif message["type"].startswith("Gui") and "props" in message:
            self.props[message["uuid"]] = dict(message["props"])
            self.labels[message["props"].get("label") or ""] = message["uuid"]
        if message["type"] in ("GuiHtmlMessage", "GuiUpdateMessage"):
            content = self.props[message["uuid"]].get("content")
            if content is not None:
                self._texts[message["uuid"]] = content


def _arrays(frame: bytes, start: int, sizes: Sequence[int]) -> list[bytes]:
    """Return the raw arrays behind the message, each of which begins at a multiple of 8 bytes."""
    found = []
    for size in sizes:
        start += -start % 8
        found.append(frame[start : start + size])
        start += size
    return found


def _filled(value: Any, arrays: Sequence[bytes]) -> Any:
    """Put the arrays into their places."""
    if isinstance(value, dict):
        if "__binary_index" in value:
            return np.frombuffer(arrays[value["__binary_index"]], value["dtype"])
        return {key: _filled(item, arrays) for key, item in value.items()}
    return [_filled(item, arrays) for item in value] if isinstance(value, list) else value
