"""The page's pad, held as a browser holds it: what goes out on ``cmd_vel``. No robot is needed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("viser")

from geometry_msgs.msg import TwistStamped
from helpers.node_process import Probe, command, free_domain, running
from helpers.page_client import PageClient
from helpers.viewer import VIEWER, free_port

from robot_policies.nodes.runtime import RELIABLE

SILENCE = 1.5  # [s], far more than the pad's own limits on a busy machine


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
