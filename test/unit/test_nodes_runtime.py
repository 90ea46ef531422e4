"""What every node shares: unknown parameters, errors in one line, logged transitions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from robot_policies.exceptions import ResourceError
from robot_policies.nodes.runtime import Stop, logged, refuse_unknown_parameters


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context, domain_id=93)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def node(context: Context) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(**given: Any) -> Node:
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in given.items()]
        made.append(Node("n", context=context, parameter_overrides=overrides, start_parameter_services=False))
        made[-1].declare_parameter("robot", "go2")
        return made[-1]

    yield make
    for each in made:
        each.destroy_node()


def test_parameters_that_the_node_has_and_those_of_ros_are_accepted(node: Callable[..., Node]) -> None:
    given = {"robot": "g1", "use_sim_time": False, "qos_overrides____clock__subscription__depth": 5}
    refuse_unknown_parameters(node(**given))


@pytest.mark.parametrize("name", ["robt", "robot__x", "use_sim_timer", "qos_overridesx", "Robot"])
def test_any_other_parameter_is_refused_with_those_that_there_are(node: Callable[..., Node], name: str) -> None:
    with pytest.raises(ResourceError, match=f"n: known parameters; found {name.replace('__', '.')}; valid: robot$"):
        refuse_unknown_parameters(node(**{name: "x"}))


MAIN = """
import sys
from robot_policies.exceptions import ResourceError
from robot_policies.nodes.runtime import run
from rclpy.executors import ExternalShutdownException
def main(stop):
    kind = sys.argv[1]
    if kind == "ours":
        raise ResourceError("robot; found go9; valid: go2")
    if kind == "shutdown":
        raise ExternalShutdownException()
    if kind == "bug":
        raise ZeroDivisionError()
    if kind == "stop":
        import os, signal
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert stop.requested
sys.exit(run(main, sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("kind", "arguments", "code", "told"),
    [
        ("ours", (), 2, "error: robot; found go9; valid: go2"),
        ("shutdown", (), 0, ""),
        ("stop", (), 0, ""),
        ("fine", (), 0, ""),
        ("fine", ("--ros-args", "-p", "no_value"), 2, "error: "),
        ("bug", (), 1, "ZeroDivisionError"),  # a bug of ours is not hidden
    ],
)
def test_how_a_node_process_ends(kind: str, arguments: tuple[str, ...], code: int, told: str) -> None:
    path = os.pathsep.join(sys.path)
    env = {**os.environ, "PYTHONPATH": path, "ROS_DOMAIN_ID": "92"}
    line = [sys.executable, "-c", MAIN, kind, *arguments]
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    assert told in done.stderr if told else done.stderr == ""
    assert ("Traceback" in done.stderr) is (kind == "bug")
    if code == 2:  # rcl has a line of its own for what it cannot parse
        assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1


def test_a_stop_is_remembered_and_a_second_signal_changes_nothing() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = Stop()
        assert stop.requested is False
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested is True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_goes_wrong_in_a_transition_is_logged_and_not_hidden() -> None:
    said: list[str] = []
    fake = SimpleNamespace(get_logger=lambda: SimpleNamespace(fatal=said.append))
    assert logged(lambda node, state: "fine")(fake, None) == "fine" and said == []

    def broken(node: Any, state: Any) -> Any:
        raise ZeroDivisionError("of the test")

    with pytest.raises(ZeroDivisionError):
        logged(broken)(fake, None)
    assert len(said) == 1 and "ZeroDivisionError: of the test" in said[0]
