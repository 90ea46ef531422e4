"""Switching through the real nodes, each in its process, in lockstep: services, topic, commands, gains and modes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.node_process import environment, free_domain, run_to_end
from helpers.seeing_walk import NAME, seeing_walk
from helpers.stack import DEACTIVATE, POLICY
from helpers.walking import Walking

from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
WALK, STAND = "go2_walk", "stand"
TICK = 20_000_000  # [ns]
RATE = 125.0 * 0.02  # [rad] that the safety file lets a target move in one tick


@pytest.fixture(scope="module")
def walking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walking]:
    """A robot that walks, with a policy that sees and its companion."""
    bundle = seeing_walk(tmp_path_factory.mktemp("made") / "sees", SPEC).folder
    with Walking(bundle, WALK, camera=True) as walking:
        walking.go()
        yield walking


def changes(walking: Walking) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest change of a target [rad] from tick to tick: own ones, and those of a switch (three ticks).

    This process may miss commands; only pairs of one tick and the next are compared.
    """
    own, switched, since = [], [], 99
    for (at, profile, before), (then, name, after) in zip(walking.heard, walking.heard[1:], strict=False):
        since = 0 if name != profile else since + 1
        if then - at == TICK:
            (switched if since < 3 else own).append(np.abs(after - before).max())
    return np.array(own), np.array(switched)


@pytest.mark.slow
def test_it_switches_both_ways_while_it_walks_with_no_jump_and_no_trip(walking: Walking) -> None:
    assert walking.commanding[-1][1].data == NAME
    for turn, name in enumerate((WALK, NAME) * 5):
        walking.velocity = (0.5, 0.0, 0.4 * (-1) ** turn)
        asked = walking.now_ns
        answer = walking.switch("switch" if turn % 3 == 2 else name)
        assert answer.success and answer.message == f"{name} commands"
        assert walking.since(asked, name) < 2.0  # the service call takes the most of it, on a busy machine
        assert walking.probe.until(lambda name=name: walking.commanding[-1][1].data == name, 5.0)
        walking.walk(0.53)
    told = walking.values()
    assert (told["mode"], told["trips"], told["fell"]) == ("active", [], False)
    assert told["refusals"] == {} and not [clamp for clamp in told["clamps"] if clamp.startswith("target_rate")]
    assert told["max_tilt_rad"] < 0.4
    own, switched = changes(walking)
    assert len(own) > 100 and len(switched) > 10
    assert switched.max() < 1.25 * own.max() < RATE, (switched.max(), own.max())


@pytest.mark.slow
def test_the_gains_of_the_commanding_policy_are_in_force(walking: Walking) -> None:
    for name in (WALK, NAME):
        assert walking.switch(name).success
        told = walking.until("commanding", name, "policy_node")
        assert (told["policies"], told["wanted"], told["why"]) == ([NAME, WALK], name, "")
        robot = walking.probe.until(lambda name=name: walking.values()["gain_profile"].startswith(f"{name}/"), 5.0)
        assert robot, walking.values()["gain_profile"]


@pytest.mark.slow
def test_asked_for_the_one_that_is_blind_it_says_why_not(walking: Walking) -> None:
    assert walking.switch(WALK).success
    walking.fault("unplugged")
    walking.walk(0.5)
    refused = walking.switch(NAME)
    assert not refused.success and "depth front: a good image" in refused.message
    assert walking.values("policy_node")["commanding"] == WALK
    back = walking.fault("")
    walking.walk(0.7)
    assert not [1 for at, profile, _ in walking.heard if at > back and profile.startswith(NAME)]  # nobody asked
    assert walking.switch(NAME).success
    assert walking.since(walking.now_ns, NAME) < 2.0


@pytest.mark.slow
def test_who_is_to_command_stays_from_one_activation_to_the_next(walking: Walking) -> None:
    assert walking.switch(WALK).success
    walking.walk(0.2)
    assert walking.change(DEACTIVATE)
    walking.until("ready", True)
    assert walking.probe.until(lambda: walking.commanding[-1][1].data == "", 5.0)
    begun = walking.now_ns
    walking.go_on()
    assert walking.since(begun, WALK) < 2.0
    assert walking.switch(NAME).success


@pytest.mark.slow
def test_a_bundle_that_stands_when_it_is_blind_stands_and_goes_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    bundle = seeing_walk(tmp_path_factory.mktemp("made") / "sees", SPEC, STAND).folder
    with Walking(bundle, "", camera=True) as walking:
        walking.go()
        began = walking.fault("unplugged")
        assert walking.since(began, STAND) < 0.25
        told = walking.until("commanding", STAND, "policy_node")
        assert "no newer one has come" in told["message"]
        walking.walk(1.0)
        still = [targets for at, profile, targets in walking.heard if profile.startswith(STAND)][-1]
        np.testing.assert_allclose(still, SPEC.poses["stand"])
        assert walking.since(walking.fault(""), NAME) < 0.75
        walking.walk(0.5)
        told = walking.values()
        assert (told["mode"], told["trips"], told["fell"]) == ("active", [], False)


@pytest.mark.parametrize(
    ("companion", "says"),
    [
        ("go2_walk", "companion: a bundle of another name; found go2_walk"),
        ("nowhere", "nowhere"),
    ],
)
def test_a_companion_that_does_not_go_with_it_is_refused_before_anything_starts(companion: str, says: str) -> None:
    done = run_to_end(POLICY, free_domain(), "policy:=go2_walk", f"companion:={companion}")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert says in done.stderr


def run(*arguments: object, timeout: float = 200.0) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "robot_policies.cli", "run", "--headless", *map(str, arguments)]
    return subprocess.run(line, env=environment(free_domain()), capture_output=True, text=True, timeout=timeout)


@pytest.mark.slow
def test_run_starts_both_with_the_simulated_camera(tmp_path: Path) -> None:
    bundle = seeing_walk(tmp_path / "sees", SPEC).folder
    options = ("--camera", "--lockstep", "speed:=0.0", "--velocity", "0.5,0,0", "--seconds", 4)
    done = run("--policy", bundle, "--companion", WALK, *options, "--json", tmp_path / "report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NAME} commands" in done.stderr and f"{WALK} commands" not in done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["trips"] == [] and report["speed_mps"] == pytest.approx(0.5, abs=0.15)


def test_run_refuses_what_cannot_be_before_anything_starts(tmp_path: Path) -> None:
    way = tmp_path / "way.yaml"
    way.write_text("points: []\n", encoding="utf-8")
    for given, says in (
        (("--companion", WALK), "companion: a bundle of another name"),
        (("--waypoints", way), "path: its points; found none"),
        (("--waypoints", way, "--velocity", "0.5,0,0"), "one of the two"),
    ):
        done = run(*given)
        assert done.returncode == 2 and says in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and "robot_node" not in done.stderr
