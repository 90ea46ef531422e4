"""Bring-up descriptions: which processes start with which parameters, every error, and quoting for ``--ros-args``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import ResourceError, SchemaError
from robot_policies.nodes.bringup import Bringup, Process, ProcessDescription, load_bringup
from robot_policies.nodes.clock import check_clock

SIM = load_bringup("sim")


def resolved(**given: Any) -> dict[str, Process]:
    return {process.name: process for process in SIM.resolve(given)}


def small(parameters: dict[str, Any] | None = None, when: tuple[str, ...] = (), **arguments: Any) -> Bringup:
    process = ProcessDescription(name="p", executable="robot_node", parameters=parameters or {}, when=when)
    return Bringup(description="small", arguments=arguments, processes=(process,))


def test_the_defaults_start_robot_policy_and_viewer_in_real_time() -> None:
    processes = resolved()
    assert list(processes) == ["robot_node", "policy_node", "viewer_node"]  # ended in reverse: the robot node last
    robot = processes["robot_node"]
    assert robot.required and not robot.lifecycle and processes["policy_node"].lifecycle
    assert robot.parameters["backend"] == "mujoco" and robot.parameters["speed"] == 1.0
    assert type(robot.parameters["options.seed"]) is int
    assert all("use_sim_time" not in process.parameters for process in processes.values())
    assert not processes["viewer_node"].required


def test_lockstep_gives_every_process_the_time_of_the_simulator() -> None:
    processes = resolved(clock="lockstep", camera="true")
    assert len(processes) == 4
    assert all(process.parameters["use_sim_time"] is True for process in processes.values())


@pytest.mark.parametrize(
    ("viewer", "headless", "starts"),
    [
        ("true", "false", True),
        ("true", "true", False),
        ("false", "false", False),
        (True, True, False),
        ("TRUE", 0, None),
    ],
)
def test_conditions_are_all_needed_and_an_exclamation_mark_negates(viewer: Any, headless: Any, starts: Any) -> None:
    if starts is None:
        with pytest.raises(ResourceError, match="headless; found 0; valid: true, false"):
            resolved(viewer=viewer, headless=headless)
        return
    assert ("viewer_node" in resolved(viewer=viewer, headless=headless)) is starts


@pytest.mark.parametrize(
    ("given_arguments", "words"),
    [
        ({"colour": "red"}, "colour; valid: .*terrain.*namespace"),
        ({"colour": "red", "size": "5"}, "colour, size"),
        ({"viewer": "perhaps"}, "viewer; found perhaps; valid: true, false"),
        ({"viewer": "1"}, "viewer"),
        ({"seed": "many"}, "seed; found many; valid: a number such as 0"),
        ({"seed": "1.5"}, "seed"),
        ({"seed": ""}, "seed"),
        ({"speed": "fast"}, "speed"),
        ({"speed": "nan"}, "speed; found nan"),
        ({"speed": "inf"}, "speed; found inf"),
        ({"namespace": "a b"}, "namespace; found 'a b'"),
        ({"namespace": "1a"}, "namespace"),
        ({"namespace": "a//b"}, "namespace"),
        ({"namespace": "über"}, "namespace"),
        ({"namespace": "aüb"}, "namespace"),
        ({"namespace": "a/1b"}, "namespace"),
        ({"namespace": "a\n"}, "namespace"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_valid(given_arguments: dict[str, str], words: str) -> None:
    with pytest.raises(ResourceError, match=words):
        SIM.resolve(given_arguments)


@pytest.mark.parametrize("namespace", ["", "/", "a", "/a", "a/", "fleet/go2_1", "/fleet/go2_1/", "_a"])
def test_a_namespace_is_given_once_with_one_slash(namespace: str) -> None:
    process = SIM.resolve({"namespace": namespace})[0]
    text = " ".join(process.ros_arguments())
    name = namespace.strip("/")
    assert (f"-r __ns:=/{name} -p" in text) if name else ("__ns" not in text)


def test_values_are_typed_as_their_default() -> None:
    parameters = resolved(seed="7", speed="2", terrain="5", backend="true")["robot_node"].parameters
    assert (parameters["options.seed"], parameters["speed"]) == (7, 2.0)
    assert type(parameters["speed"]) is float
    assert parameters["options.terrain"] == "5" and parameters["backend"] == "true"  # text stays text


def test_an_argument_that_the_file_does_not_have_is_told() -> None:
    with pytest.raises(ResourceError, match=r"\$\{robt\}; found no such argument; valid: recording, robot"):
        small({"robot": "${robt}"}, robot="go2").resolve({})
    for condition in ("camra", "!camra"):
        with pytest.raises(ResourceError, match=f"when: {condition}; found no such argument; valid: camera, recording"):
            small(when=(condition,), camera=True).resolve({})


def test_only_a_whole_value_is_replaced() -> None:
    process = small({"a": "${robot}", "b": "x${robot}", "c": "${robot} ", "d": 3, "e": True}, robot="go2").resolve({})[
        0
    ]
    assert process.parameters == {"a": "go2", "b": "x${robot}", "c": "${robot} ", "d": 3, "e": True}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("description: d\narguments: {}\n", "processes"),
        ("description: d\narguments: {a: [1]}\nprocesses: []\n", "arguments.a"),
        ("description: d\narguments: {a: .nan}\nprocesses: []\n", "arguments.a"),
        ("description: d\narguments: {}\nprocesses: [{name: a, executable: b}]\n", "parameters"),
        ("description: d\narguments: {}\nprocesses: [{name: a, executable: b, parameters: {}, wen: [a]}]\n", "wen"),
        ("description: d\narguments: {}\nargument: {}\nprocesses: []\n", "argument"),
    ],
)
def test_a_malformed_file_is_an_error_with_its_key(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=words):
        load_bringup(str(path))


def test_an_unknown_file_lists_those_that_there_are() -> None:
    with pytest.raises(ResourceError, match=r"moonbase.*sim"):
        load_bringup("moonbase")


@pytest.mark.parametrize(("clock", "speed"), [("lunar", 1.0), ("", 1.0), ("real", -0.1), ("real", float("nan"))])
def test_a_clock_that_no_robot_node_has_is_refused(clock: str, speed: float) -> None:
    with pytest.raises(ResourceError, match="parameter (clock|speed)"):
        check_clock(clock, speed)
    check_clock("real", 0.0)
    check_clock("lockstep", 20.0)


# Quoting.

HARD = [
    "",
    "1.0",
    "-5",
    "true",
    "null",
    "~",
    "a b",
    "it's",
    "''",
    "a: b",
    "[1, 2]",
    "{a: 1}",
    "# no",
    'say "no"',
    "ä",
    ":=",
]
NUMBERS = [0, -7, 10**12, 0.0, -0.0, 1e-05, 1e20, 1.5, 123456789.123]


def arguments(**parameters: Any) -> list[str]:
    return Process("p", "robot_node", "a", parameters, {"in": "out"}, False, False).ros_arguments()


def test_arguments_are_those_of_ros() -> None:
    assert arguments(x=True, y="t", z=2.0) == [
        *("--ros-args", "-r", "__ns:=/a", "-r", "in:=out"),
        *("-p", "x:=true", "-p", "y:='t'", "-p", "z:=2.0"),
    ]


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=20))
def test_any_text_is_one_quoted_scalar_of_yaml(text: str) -> None:
    import yaml

    scalar = arguments(x=text)[-1].partition(":=")[2]
    assert yaml.safe_load(scalar) == text


CHILD = """
import sys, rclpy
from rclpy.node import Node
rclpy.init(args=sys.argv)
node = Node("n", automatically_declare_parameters_from_overrides=True, start_parameter_services=False)
names = sorted(name for name in node._parameters if name.startswith("v"))
print(repr([node.get_parameter(name).value for name in names]))
"""


def test_a_node_reads_back_every_value_in_its_type() -> None:
    pytest.importorskip("rclpy")
    values = [*HARD, *NUMBERS, True, False]
    given_arguments = arguments(**{f"v{i:03d}": value for i, value in enumerate(values)})
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *given_arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == repr(values)
