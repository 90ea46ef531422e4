"""Bring-up descriptions: which processes make a running robot, as data.

`robot-policies run` starts them itself and the launch files turn them into launch actions, so both start the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from pydantic import Field

from robot_policies import resources
from robot_policies.exceptions import ResourceError, expected
from robot_policies.schema import load, schema

Value = Union[bool, int, float, str]
RECORDING = "recording"  # stands in a process for the folder that the run is recorded into
_ARGUMENT = re.compile(r"^\$\{(\w+)\}$")
_NAMESPACE = re.compile(r"/?([A-Za-z_]\w*(/[A-Za-z_]\w*)*/?)?", re.ASCII)


@schema
class ProcessDescription:
    """One process. ``when`` lists arguments that must be true (``!name``: false) for it to start.

    ``recording`` stands for an argument too: the folder that this run is recorded into, "" for none.
    """

    name: str
    executable: str  # a console script of the distribution
    parameters: dict[str, Value]  # ``${argument}`` stands for an argument's value
    required: bool = False  # whether the bring-up ends with it
    lifecycle: bool = False
    when: tuple[str, ...] = ()
    remappings: dict[str, str] = Field(default_factory=dict)


@schema
class Bringup:
    """The whole file."""

    description: str
    arguments: dict[str, Value]
    processes: tuple[ProcessDescription, ...]

    def values(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return every argument in the type of its default.

        Args:
            given: argument values by name, as text or typed; absent ones take their default. ``namespace`` is taken
                by every bring-up.

        Raises:
            ResourceError: an unknown argument, a value of another type than its default, or no name of a namespace.
        """
        namespace = str(given.get("namespace", ""))
        unknown = sorted(set(given) - set(self.arguments) - {"namespace"})
        if unknown:
            raise ResourceError(expected("arguments", ", ".join(unknown), [*sorted(self.arguments), "namespace"]))
        if not _NAMESPACE.fullmatch(namespace):
            valid = "letters, digits and _, not a digit first, with / between"
            raise ResourceError(expected("namespace", repr(namespace), valid))
        return {name: _typed(name, given.get(name, default), default) for name, default in self.arguments.items()}

    def resolve(self, given: Mapping[str, Any], recording: str = "") -> tuple[Process, ...]:
        """Return the processes to start for the given arguments, recorded into the folder ``recording``, if any.

        Raises:
            ResourceError: as ``values``, or a process asks for an argument that there is not.
        """
        values = {**self.values(given), RECORDING: recording}
        namespace = str(given.get("namespace", "")).strip("/")
        return tuple(_process(p, values, namespace) for p in self.processes if _wanted(p, values))


@dataclass(frozen=True)
class Process:
    """A process as it will be started."""

    name: str
    executable: str
    namespace: str
    parameters: dict[str, Value]
    remappings: dict[str, str]
    required: bool
    lifecycle: bool

    def ros_arguments(self) -> list[str]:
        """Return the ``--ros-args`` of the command line."""
        args = ["--ros-args"]
        if self.namespace:
            args += ["-r", f"__ns:=/{self.namespace}"]
        for source, target in self.remappings.items():
            args += ["-r", f"{source}:={target}"]
        for name, value in self.parameters.items():
            args += ["-p", f"{name}:={_ros_text(value)}"]
        return args


def load_bringup(name: str) -> Bringup:
    """Return the bring-up of that name or path. Raises ``ResourceError`` or ``SchemaError``."""
    return load(Bringup, resources.find("bringup", name))


def _wanted(process: ProcessDescription, values: Mapping[str, Value]) -> bool:
    return all(_holds(condition, values) for condition in process.when)


def _holds(condition: str, values: Mapping[str, Value]) -> bool:
    name = condition.removeprefix("!")
    if name not in values:
        raise ResourceError(expected(f"when: {condition}", "no such argument", sorted(values)))
    return bool(values[name]) != condition.startswith("!")


def _process(description: ProcessDescription, values: Mapping[str, Value], namespace: str) -> Process:
    parameters = {name: _substituted(value, values) for name, value in description.parameters.items()}
    if values.get("clock") == "lockstep":
        parameters["use_sim_time"] = True  # the simulator's /clock is everybody's
    return Process(
        description.name,
        description.executable,
        namespace,
        parameters,
        dict(description.remappings),
        description.required,
        description.lifecycle,
    )


def _substituted(value: Value, values: Mapping[str, Value]) -> Value:
    match = _ARGUMENT.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    if match[1] not in values:
        raise ResourceError(expected(str(value), "no such argument", sorted(values)))
    return values[match[1]]


def _typed(name: str, value: Any, default: Value) -> Value:
    """Return ``value`` in the type of ``default``; text from a command line is read as that type."""
    text = str(value)
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ResourceError(expected(name, text, ("true", "false")))
        return text.lower() == "true"
    if isinstance(default, str):
        return text
    try:
        number = type(default)(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ResourceError(expected(name, text, f"a number such as {default}"))
    return number


def _ros_text(value: Value) -> str:
    """Return a value as rcl reads it: text is quoted so that "1.0" or an empty text stays text."""
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
