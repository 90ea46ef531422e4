"""``robot-policies run`` on hardware: which bring-up a backend has, and how options reach its robot node."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

pytest.importorskip("rclpy")

from robot_policies.cli import run
from robot_policies.exceptions import ResourceError
from robot_policies.nodes.bringup import load_bringup
from robot_policies.robots import unitree
from robot_policies.schema import parse


def resolved(*words: str) -> dict[str, dict[str, Any]]:
    """Return the parameters of each process that the command line starts."""
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    args = parser.parse_args(list(words))
    bringup = load_bringup(args.bringup or run.bringup_of(args.backend))
    return {process.name: process.parameters for process in bringup.resolve(run.given_arguments(args, bringup))}


def options(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("options."): value for name, value in parameters.items() if name.startswith("options.")}


def test_a_backend_brings_its_own_bringup_and_simulators_share_one() -> None:
    assert run.bringup_of("unitree") == "unitree"
    assert {run.bringup_of(backend) for backend in (None, "mujoco", "mock", "no_such")} == {"sim"}
    assert resolved("--backend", "mock")["robot_node"]["backend"] == "mock"
    assert resolved()["robot_node"]["backend"] == "mujoco"


@pytest.mark.parametrize(
    "words", [("--set", "interface=eth7", "--set", "armed=true"), ("interface:=eth7", "armed:=true")]
)
def test_both_ways_to_set_an_argument(words: tuple[str, ...]) -> None:
    robot = resolved("--robot", "go2", "--backend", "unitree", *words)["robot_node"]
    assert (robot["robot"], robot["backend"]) == ("go2", "unitree")
    assert (robot["options.interface"], robot["options.armed"]) == ("eth7", True)


def test_without_a_word_it_is_a_dry_run_on_no_interface() -> None:
    robot = resolved("--backend", "unitree")["robot_node"]
    assert (robot["options.interface"], robot["options.armed"]) == ("", False)
    told = parse(unitree.UnitreeOptions, options(robot), "options")
    assert told == unitree.UnitreeOptions()  # the bring-up's defaults are the driver's own


def test_a_wrong_form_is_one_line() -> None:
    with pytest.raises(ResourceError, match="an argument of the bring-up; found interface; valid: NAME=VALUE"):
        resolved("--backend", "unitree", "--set", "interface")
    with pytest.raises(ResourceError, match="found interface=lo; valid: NAME:=VALUE"):
        resolved("--backend", "unitree", "interface=lo")
    with pytest.raises(ResourceError, match="arguments; found interface; valid: "):
        resolved("--backend", "mock", "--set", "interface=lo")
