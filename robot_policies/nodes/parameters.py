"""Parameters of the nodes: declared with their default's type, and refused in one line where they do not have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from robot_policies.exceptions import InputError, expected

T = TypeVar("T", bool, int, float, str, Sequence[float])
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list of numbers"}


def parameter(node: Node, name: str, default: T) -> T:
    """Declare a parameter of ``node`` and return its value, in the type of ``default``.

    A whole number is taken for a float (``rate:=20``), which ROS itself refuses.

    Raises:
        InputError: the value given is of another type.
    """
    descriptor = ParameterDescriptor(dynamic_typing=True)
    value = node.declare_parameter(name, default, descriptor).value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(default, list) and not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        numbers = list(value)
        if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in numbers):
            return cast(T, [float(v) for v in numbers])
    elif type(value) is type(default):
        return value
    valid = f"{_WORDS[type(default)]}, such as {default!r}"
    raise InputError(expected(f"{node.get_name()}: {name}", repr(value), valid))
