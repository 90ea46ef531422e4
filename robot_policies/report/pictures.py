"""Pictures inside the page: PNG files as text, and depth images in grey."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from robot_policies.control.recording.policy_history import Images
from robot_policies.types import Array32

Pixels = npt.NDArray[np.uint8]
WIDEST = 240  # [px], a little more than what the page has for it
NO_RETURN = (37, 43, 77)  # dark blue, which no grey is


def embedded(png: bytes) -> str:
    """Return a PNG file as the source of an ``img``."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def png_file(image: Pixels) -> bytes:
    """Return (height, width, 3) as a PNG file (ISO/IEC 15948: 8 bit RGB, each row as what it adds to the one above)."""
    height, width, _ = image.shape
    rows = image.reshape(height, -1)
    lines = np.full((height, 1 + 3 * width), 2, dtype=np.uint8)  # column 0 is the filter type, 2 = up
    lines[:, 1:] = rows - np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def depth_picture(depth: Array32, near: float, far: float) -> Pixels:
    """Return (height, width) [m] in grey by the inverse distance: near is bright; without return it is blue.

    Of an image wider than ``WIDEST`` every second, third ... pixel is taken.
    """
    step = -(-depth.shape[1] // WIDEST)
    depth = depth[::step, ::step]
    seen = np.isfinite(depth) & (depth > 0.0)
    inverse = 1.0 / np.clip(np.where(seen, depth, far), near, far)
    share = (inverse - 1.0 / far) / (1.0 / near - 1.0 / far)
    grey = np.round(40.0 + 215.0 * share).astype(np.uint8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    picture[~seen] = NO_RETURN
    return picture


def depth_range(depth: Mapping[str, Images]) -> tuple[float, float]:
    """Return the nearest and the farthest distance [m] to draw: all but the outermost hundredths of what was seen."""
    shown = [images.images[:: max(1, len(images.images) // 40)] for images in depth.values()]
    values = [image.depth[np.isfinite(image.depth) & (image.depth > 0.0)] for group in shown for image in group]
    seen = np.concatenate(values) if values else np.zeros(0)
    if not seen.size:
        return 0.5, 1.0
    near, far = np.percentile(seen, (1, 99)).tolist()
    near = max(near, 0.01)
    return near, max(far, near + 0.05)
