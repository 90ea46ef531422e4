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
    if verb is demo:
        demo.fill(args)
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


def test_the_demo_is_parkour_unless_another_policy_or_robot_is_asked_for() -> None:
    processes = resolved("--headless", verb=demo)
    assert processes["policy_node"]["policy"] == "go2_parkour"
    assert processes["policy_node"]["companion"] == "go2_walk"
    assert processes["depth_camera_node"]["terrain"] == processes["robot_node"]["options.terrain"] == demo.TERRAIN
    assert resolved("--headless", "--terrain", "gap:0.5", verb=demo)["robot_node"]["options.terrain"] == "gap:0.5"
    for words in (("--policy", "go2_walk"), ("--backend", "mock"), ("--wire",)):
        processes = resolved("--headless", *words, verb=demo)
        assert processes["policy_node"]["policy"] == "go2_walk"
        assert "depth_camera_node" not in processes


def test_the_demo_moves_unless_it_is_led() -> None:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    for words, velocity in ((["--waypoints", "way.yaml"], None), ([], "0.8,0,0"), (["--velocity", "0,0,1"], "0,0,1")):
        args = parser.parse_args(words)
        demo.fill(args)
        assert args.velocity == velocity
