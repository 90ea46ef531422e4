"""Parameters of the nodes have the type of their default, or are refused in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from robot_policies.exceptions import InputError
from robot_policies.nodes.parameters import parameter


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context, domain_id=99)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def declare(context: Context) -> Iterator[Any]:
    nodes = []

    def declare(default: Any, *given: Any) -> Any:
        overrides = [Parameter("p", value=value) for value in given]
        node = Node("n", context=context, parameter_overrides=overrides, start_parameter_services=False)
        nodes.append(node)
        return parameter(node, "p", default)

    yield declare
    for node in nodes:
        node.destroy_node()


@pytest.mark.parametrize("default", [True, 3, 0.5, "text", [0.5, 1.0]])
def test_without_a_value_it_is_the_default(declare: Any, default: Any) -> None:
    value = declare(default)
    assert value == default
    assert type(value) is type(default)


@pytest.mark.parametrize(
    ("default", "given", "value"),
    [(True, False, False), (3, 4, 4), (0.5, 2.5, 2.5), (0.5, 2, 2.0), ("a", "b", "b"), ([0.5], [1, 2], [1.0, 2.0])],
)
def test_a_value_of_the_right_kind_is_taken_and_a_whole_number_is_a_number(
    declare: Any, default: Any, given: Any, value: Any
) -> None:
    taken = declare(default, given)
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("default", "given"),
    [
        (True, 1),
        (True, "true"),
        (3, 3.5),
        (3, True),
        (0.5, "fast"),
        (0.5, True),
        ("a", 1),
        ([0.5], 1.0),
        ([0.5], ["x"]),
        ([0.5], [True]),
    ],
)
def test_any_other_kind_is_refused_with_an_example(declare: Any, default: Any, given: Any) -> None:
    with pytest.raises(InputError, match=r"n: p; found .*; valid: .*, such as "):
        declare(default, given)
