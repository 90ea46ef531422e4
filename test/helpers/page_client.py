"""What a browser does with the viewer's page, without one: viser's messages over its websocket.

Speaks the wire form of viser 1.1 (frames of zstd-compressed msgpack; msgpack towards the server).
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
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
        self.html = ""
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
            for message in msgspec.msgpack.decode(inner)["messages"]:
                self._take(message)

    def press(self, label: str) -> None:
        """Press the button of that label."""
        button = next(m for m in self.of("GuiButtonMessage") if m["props"]["label"] == label)
        self._send({"type": "GuiUpdateMessage", "uuid": button["uuid"], "updates": {"value": True}})

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
        elif message["type"] == "GuiHtmlMessage":
            self.html = message["props"]["content"]
        elif message["type"] == "GuiUpdateMessage":
            self.html = message["updates"].get("content", self.html)
