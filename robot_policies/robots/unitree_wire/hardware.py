"""The section ``hardware.unitree`` of a robot file: what the driver must know that is not the same for all robots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from robot_policies.exceptions import SchemaError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.unitree_wire.codec import MOTORS
from robot_policies.schema import parse, schema

BACKEND = "unitree"
FEET = 4  # places for feet in a LowState

Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


@schema
class Hardware:
    """One robot on Unitree's DDS protocol."""

    rate: Positive  # [Hz] of LowState, and of LowCmd
    tick: Positive  # [s], one count of LowState.tick
    motors: dict[str, Index]  # joint -> its place in motor_state and motor_cmd
    feet: dict[str, Index]  # foot -> its place in foot_force
    foot_force: Positive  # [N] per count
    motor_mode: Annotated[int, Field(ge=0, le=255)]  # in which a motor follows LowCmd
    lying: Positive  # [rad], by which each joint may miss the pose ``sit`` once the robot has lain down
    # Writers of LowCmd that may exist, silently: address, host, process or name of the participant, with * and ?.
    allowed_writers: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Places:
    """A ``Hardware`` fitted to a robot. ``n`` joints and ``f`` feet in the robot's order."""

    hardware: Hardware
    motors: npt.NDArray[np.intp]  # (n,)
    others: npt.NDArray[np.intp]  # places of motors that this robot does not have
    feet: npt.NDArray[np.intp]  # (f,)


def read_hardware(spec: RobotSpec) -> Places:
    """Return the section of ``spec``.

    Raises:
        SchemaError: it is missing or wrong, or its joints and feet are not those of the robot; one line per fault.
    """
    where = f"robot {spec.name}: hardware.{BACKEND}"
    if BACKEND not in spec.hardware:
        found = ", ".join(spec.hardware) or "no section of hardware"
        raise SchemaError(expected(f"{where}: a section of the robot file", found, "a robot of Unitree's DDS, as go2"))
    hardware = parse(Hardware, dict(spec.hardware[BACKEND]), where)
    motors = _places(hardware.motors, spec.joint_names, MOTORS, f"{where}.motors")
    feet = _places(hardware.feet, spec.feet, FEET, f"{where}.feet")
    return Places(hardware, motors, np.setdiff1d(np.arange(MOTORS), motors), feet)


def _places(table: dict[str, int], names: tuple[str, ...], count: int, where: str) -> npt.NDArray[np.intp]:
    if set(table) != set(names):
        raise SchemaError(expected(f"{where}: each name once", ", ".join(table) or "none", names))
    places = [table[name] for name in names]
    if len(set(places)) != len(places) or max(places, default=0) >= count:
        raise SchemaError(expected(f"{where}: a place of its own for each", places, f"0 to {count - 1}, once each"))
    return np.array(places, dtype=np.intp)
