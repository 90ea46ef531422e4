"""Who holds the simulator in lockstep, until when, and what happens where nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from helpers.node_process import free_domain
from rclpy.node import Node
from std_msgs.msg import Header

from robot_policies.exceptions import LockstepTimeout
from robot_policies.nodes import lockstep
from robot_policies.nodes.conversions import set_stamp, to_ns
from robot_policies.nodes.lockstep import NEVER_NS, TOPIC, Horizon, Sensors
from robot_policies.nodes.runtime import LATCHED, Spinner
from robot_policies.types import DepthImage, owned
from sim2real.mujoco.camera_timing import CaptureClock, DelayLine
from sim2real.mujoco.depth_camera import SimulatedDepthCamera

MS = 1_000_000


class Played:
    """``Sensors`` without ROS: what comes while it waits is played."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *coming: tuple[str, int]) -> None:
        self.sensors = Sensors.__new__(Sensors)
        self.coming = list(coming)
        self.waited: list[float] = []
        self.sensors._horizons, self.sensors._waiting = {}, None
        self.sensors._clock, self.sensors._spinner = lambda: 100.0, self  # type: ignore[assignment]

    def spin_for(self, seconds: float) -> None:
        assert seconds == 0.0

    def spin_until(self, future: Any, seconds: float) -> bool:
        self.waited.append(seconds)
        if self.coming:
            self.say(*self.coming.pop(0))
        return bool(future.done())

    def say(self, name: str, stamp_ns: int) -> None:
        message = Header(frame_id=name)
        set_stamp(message.stamp, stamp_ns)
        self.sensors._hear(message)


def test_without_sensors_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch)
    played.sensors.wait(10**12)
    assert played.waited == []


def test_the_simulator_goes_to_before_the_horizon_and_waits_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, ("/camera", 60), ("/camera", 61))
    played.say("/camera", 50)
    played.sensors.wait(49)
    assert played.waited == []
    played.sensors.wait(60)
    assert len(played.waited) == 2, "a horizon at the stamp itself is not behind it"
    assert played.coming == []


def test_every_sensor_is_waited_for_and_one_that_has_ended_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, ("/left", 200), ("/right", NEVER_NS))
    played.say("/left", 100)
    played.say("/right", 100)
    played.sensors.wait(150)
    assert len(played.waited) == 2
    played.sensors.wait(199)
    assert len(played.waited) == 2


def test_a_silent_sensor_ends_the_run_by_name_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch)
    played.say("/camera", 100)
    played.say("/other", 1000)
    with pytest.raises(LockstepTimeout, match="all that /camera has to give by stamp 100; found nothing said for 5 s"):
        played.sensors.wait(100)
    assert played.waited == [lockstep.LIMIT]


@pytest.fixture
def node() -> Iterator[Node]:
    rclpy.init(domain_id=free_domain())
    node = Node("robot_node")
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_horizons_travel_and_a_simulator_that_comes_later_knows_them(node: Node) -> None:
    horizon, heard = Horizon(node), list[int]()
    horizon.end()  # it has said nothing, so there is nothing to end
    horizon.set(70 * MS)
    sensors, spinner = Sensors(node), Spinner(node)
    try:
        node.create_subscription(Header, TOPIC, lambda message: heard.append(to_ns(message.stamp)), LATCHED)
        for _ in range(100):
            if sensors._horizons and heard:
                break
            spinner.spin_for(0.05)
            sensors.wait(0)
        assert sensors._horizons == {"/robot_node": 70 * MS} and heard == [70 * MS]
        horizon.set(70 * MS)
        horizon.end()
        for _ in range(100):
            if len(heard) > 1:
                break
            spinner.spin_for(0.05)
        assert heard[1:] == [NEVER_NS], "what has not changed is not said"
        sensors.wait(10**18)
    finally:
        sensors.close()
        spinner.close()


def camera(delay: float, jitter: float = 0.0) -> SimulatedDepthCamera:
    """A camera of 10 Hz that sees nothing."""
    made = SimulatedDepthCamera.__new__(SimulatedDepthCamera)
    made._clock, made._line, made._newest_ns = CaptureClock(10.0), DelayLine(delay, jitter, 0), None
    made.capture = lambda stamp_ns, *_: DepthImage(stamp_ns, owned([[1.0]]))  # type: ignore[method-assign]
    return made


@pytest.mark.parametrize(("delay", "jitter"), [(0.0, 0.0), (0.003, 0.0), (0.08, 0.06), (0.25, 0.0), (0.12, 0.3)])
def test_nothing_ever_comes_out_before_the_horizon_that_was_told(delay: float, jitter: float) -> None:
    made, promised, released = camera(delay, jitter), 0, 0
    for stamp in range(5 * MS, 3000 * MS, 5 * MS):
        before = made.release(stamp)  # what the simulator waits for before it publishes the state
        assert not before or stamp >= promised or delay < 0.005
        assert made.horizon(stamp) > stamp, "the simulator can always go on"
        promised = max(promised, made.horizon(stamp))
        made.see(stamp, lambda: (owned([]), None))  # type: ignore[arg-type, return-value]
        after = made.release(stamp)
        assert not after or delay < 0.005, "a delay of a cycle and more is over with a later state"
        promised = max(promised, made.horizon(stamp))
        released += len(before) + len(after)
    assert released >= 25


def test_a_camera_that_has_seen_nothing_promises_nothing() -> None:
    assert camera(0.1).horizon(1000) == 1001
