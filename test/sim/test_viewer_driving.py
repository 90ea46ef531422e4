"""The page's buttons and its pad, pressed as a browser does, on nodes in processes of their own."""

from __future__ import annotations

import os
import signal
import socket
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
from helpers.node_process import Probe, command, free_domain, running
from helpers.page_client import PageClient
from helpers.stack import POLICY, Stack, standing_bundle
from sensor_msgs.msg import Image
from std_msgs.msg import String

from robot_policies.nodes.conversions import depth_image
from robot_policies.nodes.runtime import LATCHED, RELIABLE
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")
VIEWER = "robot_policies.nodes.viewer_node"
SILENCE = 1.5  # [s], far more than the pad's own limits on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


# The pad. No robot is needed: what counts is what goes out.


class Driver:
    """A viewer, a browser, and what is heard on ``cmd_vel``."""

    def __init__(self, probe: Probe, port: int) -> None:
        self.probe, self.port = probe, port
        self.heard = probe.hear(TwistStamped, "cmd_vel")
        self.browsers = [PageClient(port)]
        assert self.browsers[0].until(lambda: "Forward" in self.browsers[0].labels)
        assert probe.until(lambda: probe.node.count_publishers("cmd_vel") == 1)
        probe.spin(0.5)

    def hold(self, label: str, seconds: float, browser: int = 0) -> None:
        """Hold a button for that long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.browsers[browser].hold(label)
            self.probe.spin(0.1)

    def since(self, begin: float) -> list[tuple[float, float, float]]:
        """Return the velocities that were heard since then (monotonic [s])."""
        twists = [message.twist for at, message in self.heard if at >= begin]
        return [(twist.linear.x, twist.linear.y, twist.angular.z) for twist in twists]

    def first_zero(self, begin: float) -> float:
        """Return how long after ``begin`` the first zero was heard [s]."""
        return next(at for at, message in self.heard if at >= begin and message.twist.linear.x == 0.0) - begin

    def ends(self, begin: float) -> None:
        """Assert that zeros come and then nothing, within the time that a policy takes a command for absent."""
        assert self.probe.until(lambda: (0.0, 0.0, 0.0) in self.since(begin), 5.0)
        self.probe.spin(SILENCE)
        came = [at - begin for at, _ in self.heard if at >= begin]
        assert self.since(begin)[-5:] == 5 * [(0.0, 0.0, 0.0)]
        assert max(came) < SILENCE, "and then silence"


@pytest.fixture
def driver() -> Iterator[Driver]:
    domain, port = free_domain(), free_port()
    with Probe(domain) as probe, running(command(VIEWER, f"port:={port}", "lin_vel_x:=[-0.5, 1.0]"), domain) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield Driver(probe, port)


WAYS = {
    "Forward": (0.6, 0.0, 0.0),
    "Back": (-0.3, 0.0, 0.0),
    "Left": (0.0, 0.3, 0.0),
    "Right": (0.0, -0.3, 0.0),
    "Turn left": (0.0, 0.0, 0.6),
    "Turn right": (0.0, 0.0, -0.6),
    "Arc left": (0.6, 0.0, 0.36),
    "Arc right": (0.6, 0.0, -0.36),
}


def test_a_held_button_drives_and_no_longer(driver: Driver) -> None:
    assert not driver.heard, "nothing goes out before"
    begin = time.monotonic()
    driver.hold("Forward", 1.5)
    assert len(driver.since(begin)) > 12, "ten to twenty a second"
    assert set(driver.since(begin)) == {WAYS["Forward"]}
    assert driver.heard[-1][1].header.stamp.sec > 0
    driver.ends(time.monotonic())


def test_each_button_of_the_pad_drives_its_way(driver: Driver) -> None:
    for label, velocity in WAYS.items():
        driver.hold(label, 0.6)
        assert driver.since(0.0)[-1] == pytest.approx(velocity), label
        driver.browsers[0].press(label)
        driver.probe.spin(0.4)
        assert driver.since(0.0)[-1] == (0.0, 0.0, 0.0)


def test_letting_go_stops_at_once_and_still_drives_with_zero(driver: Driver) -> None:
    driver.hold("Forward", 0.6)
    driver.browsers[0].hold("Forward")
    released = time.monotonic()
    driver.browsers[0].press("Forward")  # a click: the button came up
    driver.ends(released)
    assert driver.first_zero(released) < 0.3, "sooner than the limit for browsers that say nothing"
    begin = time.monotonic()
    driver.hold("Still", 1.0)
    assert len(driver.since(begin)) > 8
    assert set(driver.since(begin)) == {(0.0, 0.0, 0.0)}


def test_a_browser_that_goes_away_stops_the_robot(driver: Driver) -> None:
    driver.hold("Forward", 0.6)
    driver.browsers[0].hold("Forward")
    gone = time.monotonic()
    driver.browsers[0].close()
    driver.ends(gone)
    assert driver.first_zero(gone) < 0.3, "sooner than the limit for browsers that say nothing"


def test_a_browser_that_freezes_stops_the_robot(driver: Driver) -> None:
    driver.hold("Forward", 0.6)
    driver.ends(time.monotonic())  # it is connected, and says nothing any more


def test_the_speed_and_the_exact_velocity_are_those_of_the_sliders(driver: Driver) -> None:
    driver.browsers[0].set("Speed [%]", 100)
    driver.hold("Forward", 0.6)
    assert driver.since(0.0)[-1] == pytest.approx((1.0, 0.0, 0.0))
    for label, value in (("x [m/s]", 0.2), ("y [m/s]", -0.1), ("turn [rad/s]", 0.4)):
        driver.browsers[0].set(label, value)
    driver.probe.spin(0.5)
    driver.hold("Hold to drive so", 0.8)
    assert driver.since(0.0)[-1] == pytest.approx((0.2, -0.1, 0.4))
    driver.browsers[0].set("x [m/s]", 50.0)  # more than the range
    driver.hold("Hold to drive so", 0.6)
    assert driver.since(0.0)[-1][0] == 1.0


def test_of_two_browsers_the_first_that_holds_drives(driver: Driver) -> None:
    driver.browsers.append(PageClient(driver.port))
    assert driver.browsers[1].until(lambda: "Back" in driver.browsers[1].labels)
    driver.hold("Forward", 0.4)
    begin = time.monotonic()
    for _ in range(8):
        driver.hold("Forward", 0.05)
        driver.browsers[1].hold("Back")
        driver.probe.spin(0.1)
    assert set(driver.since(begin)) == {(0.6, 0.0, 0.0)}
    driver.browsers[0].press("Forward")
    driver.probe.spin(0.2)
    begin = time.monotonic()
    driver.hold("Back", 0.8, browser=1)
    assert driver.since(begin)[-1] == pytest.approx((-0.3, 0.0, 0.0))


def test_the_pad_gives_way_to_a_source_that_goes_on(driver: Driver) -> None:
    other = driver.probe.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
    message = TwistStamped()
    message.twist.angular.z = 0.123
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        other.publish(message)
        driver.hold("Forward", 0.1)
    begin = time.monotonic()
    for _ in range(10):
        other.publish(message)
        driver.hold("Forward", 0.1)
    assert set(driver.since(begin)) == {(0.0, 0.0, 0.123)}, "the pad is silent, and sends no zeros either"
    driver.browsers[0].press("Forward")
    driver.probe.spin(1.0)
    begin = time.monotonic()
    driver.hold("Forward", 0.8)
    assert driver.since(begin)[-1] == pytest.approx((0.6, 0.0, 0.0)), "held anew, with nobody else"


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
