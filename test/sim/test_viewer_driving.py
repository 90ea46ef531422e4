"""The page's buttons, pressed as a browser does, on a robot and a bring-up in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("viser")

from geometry_msgs.msg import TwistStamped
from helpers.node_process import Probe, free_domain, running
from helpers.page_client import PageClient
from helpers.stack import POLICY, Stack, standing_bundle
from helpers.viewer import VIEWER, free_port
from sensor_msgs.msg import Image
from std_msgs.msg import String

from robot_policies.nodes.conversions import depth_image
from robot_policies.nodes.runtime import LATCHED
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standing_bundle(tmp_path_factory.mktemp("bundles") / "standing", SPEC)


class Viewer:
    """A viewer process and one browser."""

    def __init__(self, stack: Stack, **parameters: Any) -> None:
        self.stack, self.port = stack, free_port()
        self.process = stack.start(VIEWER, f"port:={self.port}", *(f"{k}:={v}" for k, v in parameters.items()))
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"viewer: http://127.0.0.1:{self.port}\n"
        self.browser = PageClient(self.port)
        assert self.until(lambda: "STOP" in self.browser.labels)

    def until(self, done: Callable[[], Any], seconds: float = 20.0) -> bool:
        """Serve the probe and read the page until ``done()``."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            self.stack.probe.spin(0.02)
            self.browser.read(0.01)
        return True

    def press(self, label: str, wanted: str, says: str) -> None:
        """Press a button; the robot must come to the mode ``wanted`` and the page must say ``says``."""
        self.browser.press(label)
        assert self.until(lambda: self.mode() == wanted and says in self.browser.html), (
            label,
            self.mode(),
            self.browser.html[:1200],
        )

    def mode(self) -> str:
        return str(self.stack.values().get("mode"))


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack("backend:=mock") as stack:
        yield stack


def test_every_button_acts_on_the_robot_and_walk_needs_no_other(stack: Stack, bundle: Path) -> None:
    stack.start(POLICY, f"policy:={bundle}")
    viewer = Viewer(stack)
    assert viewer.until(lambda: viewer.mode() == "disarmed" and ">disarmed<" in viewer.browser.html)
    viewer.press("Arm", "damping", "arm: ")
    viewer.press("Disarm", "disarmed", "disarm: ")
    viewer.press("Walk", "active", "walk: active")
    viewer.press("Walk", "active", "walk: it is active already")
    viewer.press("Stand", "stand", "stand: ")
    viewer.press("Walk", "active", "walk: active")
    viewer.press("Damp", "damping", "damp: ")
    viewer.press("Walk", "active", "walk: active")
    viewer.press("STOP", "landing:damping", "estop: ")
    assert viewer.until(lambda: "trip estop in active" in viewer.browser.html)
    viewer.press("Walk", "landing:damping", "walk: it was stopped by estop; press Reset first")
    viewer.press("Reset", "damping", "reset: ")
    viewer.press("Walk", "active", "walk: active")


def test_walk_goes_on_after_a_trip(stack: Stack, tmp_path: Path) -> None:
    stack.start(POLICY, f"policy:={standing_bundle(tmp_path / 'fails', SPEC, fails_after=40)}")
    viewer = Viewer(stack)
    assert viewer.until(lambda: viewer.mode() == "disarmed")
    viewer.press("Walk", "active", "walk: active")
    assert viewer.until(lambda: "trip policy in active" in viewer.browser.html)
    assert "policy" in stack.values()["latched"]
    viewer.press("Walk", "active", "walk: active")
    assert stack.values()["latched"] == []


@pytest.mark.slow
def test_walk_says_which_node_does_not_answer(stack: Stack) -> None:
    viewer = Viewer(stack, policy_node="no_such_node")
    assert viewer.until(lambda: viewer.mode() == "disarmed")
    viewer.press("Walk", "stand", "walk: no_such_node/get_state: a node that answers; found none")


def test_walk_says_why_a_policy_node_refuses(stack: Stack, bundle: Path) -> None:
    stack.start(POLICY, f"policy:={bundle}", "robot_node:=no_such_robot")
    viewer = Viewer(stack)
    assert viewer.until(lambda: viewer.mode() == "disarmed")
    viewer.press("Walk", "stand", "walk: policy_node refuses to activate: the robot node no_such_robot; found no")


def test_another_request_ends_the_way_to_walking(stack: Stack, bundle: Path) -> None:
    stack.start(POLICY, f"policy:={bundle}")
    viewer = Viewer(stack)
    assert viewer.until(lambda: viewer.mode() == "disarmed")
    viewer.browser.press("Walk")
    assert viewer.until(lambda: viewer.mode() == "stand")
    viewer.press("Damp", "damping", "damp: ")
    viewer.until(lambda: False, 2.0)
    assert viewer.mode() == "damping"
    viewer.press("Walk", "active", "walk: active")  # a new way; the old one would still wait for the robot to stand


def test_a_viewer_that_is_killed_leaves_no_command_behind(stack: Stack, bundle: Path) -> None:
    stack.start(POLICY, f"policy:={bundle}")
    viewer = Viewer(stack)
    assert viewer.until(lambda: viewer.mode() == "disarmed")
    viewer.press("Walk", "active", "walk: active")
    heard = stack.probe.hear(TwistStamped, "cmd_vel")
    end = time.monotonic() + 20.0
    while len(heard) < 5 and time.monotonic() < end:
        viewer.browser.hold("Forward")
        stack.probe.spin(0.1)
    assert len(heard) >= 5
    viewer.process.send_signal(signal.SIGKILL)
    viewer.process.wait()
    killed = time.monotonic()
    stack.probe.spin(2.0)
    assert not [at for at, _ in heard if at > killed + 0.5]
    assert stack.values()["mode"] == "active", "the robot does not need its viewer"
    assert stack.values()["latched"] == []


# Together with the command of a bring-up.


@pytest.mark.slow
def test_the_velocity_of_a_run_ends_when_the_pad_is_held_and_the_robot_outlives_its_viewer(bundle: Path) -> None:
    domain, port = free_domain(), free_port()
    arguments = ("--policy", str(bundle), "--velocity", "0.4,0,0", "backend:=mock", f"viewer_port:={port}")
    line = [sys.executable, "-m", "robot_policies.cli", "run", *arguments]
    with Probe(domain) as probe, running(line, domain) as process:
        heard = probe.hear(TwistStamped, "cmd_vel")
        modes = probe.hear(String, "robot_mode", LATCHED)
        assert probe.until(lambda: heard and heard[-1][1].twist.linear.x == 0.4, 40.0)
        browser = PageClient(port)
        assert browser.until(lambda: "Still" in browser.labels)
        for _ in range(10):
            browser.hold("Back")
            probe.spin(0.1)
        begin = time.monotonic()
        browser.hold("Back")
        probe.spin(0.2)
        assert {round(message.twist.linear.x, 6) for at, message in heard if at > begin} == {-0.3}
        browser.close()
        probe.spin(2.0)
        assert heard[-1][1].twist.linear.x == 0.0, "whoever lets go wants it to stop, not to walk on as before"
        (viewer,) = (pid for pid in children(process.pid) if "viewer_node" in pid_line(pid))
        os.kill(viewer, signal.SIGKILL)
        probe.spin(2.0)
        assert process.poll() is None
        assert modes[-1][1].data == "active"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert "viewer_node has ended with code -9; going on without it" in process.stderr.read()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pid_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@pytest.mark.slow
def test_the_page_and_the_camera_show_the_terrain_that_the_robot_stands_on(bundle: Path) -> None:
    pytest.importorskip("mujoco")
    domain, port = free_domain(), free_port()
    arguments = ("--policy", str(bundle), "--terrain", "step:0.5", "--camera", f"viewer_port:={port}")
    line = [sys.executable, "-m", "robot_policies.cli", "run", *arguments]
    with Probe(domain) as probe, running(line, domain) as process:
        images = probe.hear(Image, "depth/image_rect")
        assert process.stdout is not None
        assert f"viewer: http://127.0.0.1:{port}" in process.stdout.readline()
        browser = PageClient(port)
        drawn = lambda: [m for m in browser.of("MeshMessage") if "terrain" in m["name"]]  # noqa: E731
        assert browser.until(drawn)
        corners = np.concatenate([np.asarray(m["props"]["vertices"]).reshape(-1, 3) for m in drawn()])
        assert corners[:, 2].max() == pytest.approx(0.5)
        wall = corners[corners[:, 0] > 0.1, 0].min()

        def facing() -> Any:
            if not images or browser.shown("GuiImageMessage")[0]["visible"] is False:
                return None
            column = depth_image(images[-1][1]).depth[:, 53]
            return column[column > 0.0]

        # The step is higher than the camera, so nothing in front is farther than its wall; on a plane it is.
        assert probe.until(lambda: browser.read(0.01) or (facing() is not None and facing().max() < wall + 0.3), 30.0)
        assert facing().max() > wall - 0.8
