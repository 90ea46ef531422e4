"""The 40 bytes of Unitree's remote control, as they come in LowState: two bytes of buttons, five sticks and triggers.

Layout of unitree_sdk2's xRockerBtnDataStruct: head u8[2], buttons u16, lx, rx, ry, L2, ly (f32), rest unused.
"""

from __future__ import annotations

import math
import struct

from robot_policies.types import Remote

# Bit 0 first. Buttons by their place, as in ``nodes/joystick.py``: A south, B east, X west, Y north.
BUTTONS = (
    *("right_shoulder", "left_shoulder", "start", "back", "right_trigger", "left_trigger", "misc", "paddle1"),
    *("south", "east", "west", "north", "up", "right", "down", "left"),
)
SIZE = 40
_HEAD = struct.Struct("<2xH5f")


def remote_state(data: bytes) -> Remote | None:
    """Return what the remote says; None while it is not connected, which is all zeros.

    Sticks are positive to the left and up, as in sensor_msgs/Joy; the robot's are positive to the right and up.
    """
    if len(data) != SIZE or not any(data):
        return None
    bits, lx, rx, ry, _, ly = _HEAD.unpack_from(data)
    pressed = frozenset(name for place, name in enumerate(BUTTONS) if bits >> place & 1)
    triggers = (float(name in pressed) for name in ("left_trigger", "right_trigger"))
    return Remote((_stick(-lx), _stick(ly), _stick(-rx), _stick(ry), *triggers), pressed)


def _stick(value: float) -> float:
    return min(max(value, -1.0), 1.0) if math.isfinite(value) else 0.0
