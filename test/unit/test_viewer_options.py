"""The options of ``run`` and ``demo`` that reach the viewer, the simulator and the camera."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

pytest.importorskip("rclpy")

from robot_policies.cli import demo, run
from robot_policies.nodes.bringup import load_bringup


def resolved(*words: str, verb: Any = run) -> dict[str, dict[str, Any]]:
    """Return the parameters of each process that the command line starts."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    args = parser.parse_args(list(words))
    bringup = load_bringup(args.bringup or run.bringup_of(args.backend))
    given = run.given_arguments(args, bringup)
    return {process.name: process.parameters for process in bringup.resolve(given)}


def test_the_robot_and_its_camera_are_on_the_same_terrain() -> None:
    processes = resolved("--terrain", "step:0.1", "--camera")
    assert processes["robot_node"]["options.terrain"] == "step:0.1"
    assert processes["depth_camera_node"]["terrain"] == "step:0.1"
    assert "depth_camera_node" not in resolved()
    assert resolved()["robot_node"]["options.terrain"] == "flat"


@pytest.mark.parametrize(
    ("verb", "words", "opens"),
    [
        (demo, (), True),
        (demo, ("--no-browser",), False),
        (demo, ("browser:=false",), False),
        (run, (), False),
        (run, ("--browser",), True),
    ],
)
def test_the_demo_opens_the_page_and_run_does_when_asked(verb: Any, words: tuple[str, ...], opens: bool) -> None:
    assert resolved(*words, verb=verb)["viewer_node"]["browser"] is opens


def test_without_a_viewer_there_is_no_page() -> None:
    assert "viewer_node" not in resolved("--headless", verb=demo)
    assert "viewer_node" not in resolved("--bringup", "policy", verb=demo)
