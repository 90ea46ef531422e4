"""The texts of Unitree's records as ROS 2 message definitions, made from the fields that the codec knows.

The robot's topics are those of ROS 2 with a type of ``unitree_go``: ``rt/lowstate`` is ROS's ``/lowstate``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from robot_policies.robots.unitree_wire.codec import LOW_COMMAND, LOW_STATE
from robot_policies.robots.wire_log import WireTopic

PACKAGE = "unitree_go"
RULE = "=" * 80
_NAMES = {
    "imu_state": "IMUState",
    "motor_state": "MotorState",
    "bms_state": "BmsState",
    "motor_cmd": "MotorCmd",
    "bms_cmd": "BmsCmd",
}  # of the records within a record, as unitree_go's IDL has them
_WORDS = {"u": "uint", "i": "int", "f": "float"}


def definition(struct: np.dtype[Any]) -> str:
    """Return the definition of a record and of every record in it."""
    lines, parts = [], []
    for name in struct.names or ():
        field = struct[name]
        base, shape = field.subdtype or (field, ())
        word = f"{_WORDS.get(base.kind)}{8 * base.itemsize}"
        if base.names:
            word = f"{PACKAGE}/{_NAMES[name]}"
            parts.append(f"{RULE}\nMSG: {word}\n{definition(base)}")
        lines.append(f"{word}{f'[{shape[0]}]' if shape else ''} {name}\n")
    return "".join((*lines, *parts))


STATE = WireTopic("/lowstate", f"{PACKAGE}/msg/LowState", definition(LOW_STATE))
COMMAND = WireTopic("/lowcmd", f"{PACKAGE}/msg/LowCmd", definition(LOW_COMMAND))
MIRROR = WireTopic("/lowcmd_mirror", COMMAND.kind, COMMAND.definition)  # of a dry run
