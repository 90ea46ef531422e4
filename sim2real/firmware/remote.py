"""The wireless remote as 40 bytes, in the layout of the vendor's unitree_joystick.hpp.

Two head bytes, 16 buttons as bits, then lx, rx, ry, L2 and ly as floats and 16 idle bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

from robot_policies.exceptions import InputError, expected

BUTTONS = ("R1", "L1", "start", "select", "R2", "L2", "F1", "F2", "A", "B", "X", "Y", "up", "right", "down", "left")
AXES = ("lx", "rx", "ry", "L2", "ly")
HEAD = b"\x55\x51"  # of a remote that is on
_LAYOUT = struct.Struct("<2sH5f16x")


def remote_bytes(buttons: Sequence[str], axes: Mapping[str, float]) -> bytes:
    """Return the bytes with ``buttons`` pressed and ``axes`` moved, each -1 to 1.

    Raises:
        InputError: no such button or axis, or a value beyond its range.
    """
    for button in buttons:
        if button not in BUTTONS:
            raise InputError(expected("buttons", button, BUTTONS))
    for axis, value in axes.items():
        if axis not in AXES:
            raise InputError(expected("axes", axis, AXES))
        if not (math.isfinite(value) and abs(value) <= 1.0):
            raise InputError(expected(f"axes: {axis}", value, "-1 to 1"))
    pressed = sum(1 << BUTTONS.index(button) for button in set(buttons))
    return _LAYOUT.pack(HEAD, pressed, *(float(axes.get(axis, 0.0)) for axis in AXES))


def pressed(remote: bytes, *buttons: str) -> bool:
    """Return whether all of ``buttons`` are pressed."""
    bits = int(_LAYOUT.unpack(remote)[1])
    return all(bits >> BUTTONS.index(button) & 1 for button in buttons)
