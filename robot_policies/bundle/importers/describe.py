"""The user's own YAML (``--describe``): the whole of a policy for ``network``, and what other formats do not state.

docs/importing.md explains each key. Unknown keys are errors that list the valid ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Optional, Union

from pydantic import Field
from typing_extensions import Annotated

from robot_policies.bundle.importers.keys import read as read_keys
from robot_policies.bundle.importers.keys import shown
from robot_policies.bundle.importers.policy import VELOCITY_AXES, NetworkSource, Recurrent
from robot_policies.bundle.importers.refusal import refused
from robot_policies.contract import Count, Name, Numbers, Pair, Positive
from robot_policies.exceptions import ImportFormatError, SchemaError
from robot_policies.schema import parse, schema

Term = Literal[
    "base_lin_vel",
    "base_ang_vel",
    "projected_gravity",
    "joint_pos_rel",
    "joint_vel",
    "last_action",
    "velocity_command",
    "gait_phase",
]


@schema
class ActionKeys:
    """What the output means: target = default position + scale * clip(output)."""

    scale: Numbers  # [rad] per unit
    clip: Optional[tuple[Numbers, Numbers]] = None  # lower and upper of the output; none where left out
    last_action: Optional[Literal["raw", "clipped"]] = None  # the same thing where there is no clip


@schema
class ObservationKeys:
    """One term of the observation."""

    term: Term
    scale: Numbers = 1.0
    period: Optional[Positive] = None  # [s], of gait_phase


@schema
class HistoryKeys:
    """How past frames reach the network."""

    frames: Count
    order: Literal["newest_first", "oldest_first"]
    layout: Literal["time", "term"]
    includes_current: bool
    fill: Literal["first_frame", "zeros", "zeros_then_first_frame"]


@schema
class NetworkKeys:
    """Names of the tensors; ``recurrent`` maps an input to its shape, and an output to the input that it feeds."""

    input: Optional[str] = None
    output: Optional[str] = None
    recurrent: dict[str, Union[tuple[Count, ...], str]] = Field(default_factory=dict)


@schema
class CommandKeys:
    """Ranges of the velocity command."""

    lin_vel_x: Pair  # [m/s]
    lin_vel_y: Pair  # [m/s]
    ang_vel_z: Pair  # [rad/s]


@schema
class Description:
    """The file. What a format must have of it, and may, differs; see ``check_keys``."""

    robot: Optional[Name] = None
    control_dt: Optional[Positive] = None  # [s]
    joint_names: Optional[tuple[Name, ...]] = None
    default_joint_pos: Optional[tuple[float, ...]] = None  # [rad]
    stiffness: Optional[Numbers] = None  # [N m/rad]
    damping: Optional[Numbers] = None  # [N m s/rad]
    torque_limit: Optional[Numbers] = None  # [N m]
    action: Optional[ActionKeys] = None
    observation: Optional[tuple[ObservationKeys, ...]] = None
    history: Optional[HistoryKeys] = None
    clip_observation: Optional[Positive] = None
    network: Optional[NetworkKeys] = None
    command: Optional[CommandKeys] = None
    gains_order: Optional[Literal["policy", "motor"]] = None  # unitree: of stiffness and damping
    licence: Optional[Annotated[str, Field(min_length=1)]] = None
    source: Optional[Annotated[str, Field(min_length=1)]] = None

    def command_ranges(self) -> dict[str, tuple[float, float]] | None:
        """Return the ranges by axis, or None where the file states none."""
        if self.command is None:
            return None
        return {axis: getattr(self.command, axis) for axis in VELOCITY_AXES}

    def network_source(self, path: Path) -> NetworkSource:
        """Return the network in ``path`` with the tensors that the file names.

        Raises:
            ImportFormatError: a recurrent output feeds no recurrent input, or an input is fed by none or by two.
        """
        keys = self.network or NetworkKeys()
        shapes = {name: value for name, value in keys.recurrent.items() if not isinstance(value, str)}
        feeds = {name: value for name, value in keys.recurrent.items() if isinstance(value, str)}
        for name in shapes:
            found = [output for output, fed in feeds.items() if fed == name]
            if len(found) != 1:
                asked = f"network.recurrent: one output that feeds {name}"
                raise refused(asked, ", ".join(found) or "none", f"such as {name}_out: {name}")
        for output, fed in feeds.items():
            if fed not in shapes:
                raise refused(f"network.recurrent.{output}: a recurrent input", fed, shapes)
        return NetworkSource(path, keys.input, keys.output, Recurrent(shapes, feeds))


def load_description(path: Path | None) -> Description:
    """Return the user's YAML, an empty one where ``path`` is None.

    Raises:
        ImportFormatError: not readable, or keys or values that are not as they must be; one line per fault.
    """
    if path is None:
        return Description()
    keys = read_keys(path)
    data = {name: keys.get(name) for name in keys.names()}
    _refuse_unknown(data, str(path))
    try:
        return parse(Description, data, str(path))
    except SchemaError as error:
        raise ImportFormatError(str(error)) from error


def check_keys(description: Description, needed: Iterable[str], accepted: Iterable[str], format_name: str) -> None:
    """Check that the file states what the format lacks, and nothing that the format states itself.

    Raises:
        ImportFormatError: a needed key is missing, or a key is stated by the source itself.
    """
    for key in needed:
        if getattr(description, key) is None:
            asked = f"{key}: not stated by the format {format_name}"
            raise refused(asked, "none in --describe", f"--describe FILE.yaml with {key}")
    allowed = {*needed, *accepted}
    for item in fields(description):
        if getattr(description, item.name) is not None and item.name not in allowed:
            asked = f"--describe: {item.name}: the format {format_name} states it itself, or has no use for it"
            raise refused(asked, shown(getattr(description, item.name)), sorted(allowed))


_BELOW: dict[str, type] = {
    "action": ActionKeys,
    "history": HistoryKeys,
    "network": NetworkKeys,
    "command": CommandKeys,
    "observation": ObservationKeys,
}


def _refuse_unknown(data: dict[str, Any], where: str) -> None:
    """Raise ``ImportFormatError`` for the first key that no place has, with the keys that the place has."""
    _compare(data, Description, where)
    for key, cls in _BELOW.items():
        items = data.get(key) if isinstance(data.get(key), list) else [data.get(key)]
        for item in items or []:
            if isinstance(item, dict):
                _compare(item, cls, f"{where}: {key}")


def _compare(data: dict[str, Any], cls: Any, where: str) -> None:
    valid = [item.name for item in fields(cls)]
    for key in data:
        if key not in valid:
            raise refused(f"{where}: {key}: unknown key", shown(data[key]), valid)
