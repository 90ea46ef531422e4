"""What the robot node makes of a robot's health: topics at their rates, requests of the remote, a dry run in words."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import safety as kit
from helpers.safety import MS, Bench

from robot_policies.types import Battery, Mode, Remote, RobotHealth, owned

pytest.importorskip("rclpy")
from robot_policies.nodes.joystick import BUTTONS  # noqa: E402
from robot_policies.nodes.robot_health import HealthPort  # noqa: E402
from robot_policies.nodes.robot_monitor import RobotMonitor  # noqa: E402

IDLE = Remote((0.0,) * 6, frozenset())


class FakeNode:
    """Keeps what is published, by topic."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Any]] = {}
        self.said: list[str] = []

    def create_publisher(self, kind: type, topic: str, _: Any) -> Any:
        return SimpleNamespace(publish=self.sent.setdefault(topic, []).append)

    def get_logger(self) -> Any:
        return SimpleNamespace(info=self.said.append)


class FakeRobot:
    def __init__(self) -> None:
        self.tells = RobotHealth(battery=Battery(0.8, 29.5, -2.5, 31.0, (3.6, 3.7)), remote=IDLE)

    def health(self) -> RobotHealth:
        return self.tells

    def report(self) -> dict[str, Any]:
        return {"dry_run": True, "taking_control": ""}

    def hold(self, *buttons: str) -> None:
        self.tells = dataclasses.replace(self.tells, remote=Remote((0.5,) * 6, frozenset(buttons)))


def port(robot: Any, bench: Bench) -> tuple[HealthPort, FakeNode]:
    node = FakeNode()
    return HealthPort(node, robot, bench.step, lambda: bench.now), node


def test_a_robot_that_tells_nothing_is_left_alone() -> None:
    it, node = port(object(), Bench())
    assert it.read() is None
    it.publish(0)
    assert it.report() == {}
    assert node.sent == {"battery": [], "joy": []}


def test_battery_once_a_second_and_joy_twenty_times() -> None:
    robot = FakeRobot()
    it, node = port(robot, Bench())
    for now in range(0, 3000 * MS, 2 * MS):
        assert it.read() is robot.tells
        it.publish(now)
    assert len(node.sent["battery"]) == 3
    assert 58 <= len(node.sent["joy"]) <= 60
    battery = node.sent["battery"][1]
    assert (battery.percentage, battery.voltage, battery.current, battery.temperature) == (
        pytest.approx(0.8),
        29.5,
        -2.5,
        31.0,
    )
    assert (battery.present, battery.power_supply_status) == (True, battery.POWER_SUPPLY_STATUS_DISCHARGING)
    assert list(battery.cell_voltage) == pytest.approx([3.6, 3.7])
    assert battery.header.stamp.sec == 1


def test_joy_has_the_layout_of_a_pad() -> None:
    robot = FakeRobot()
    robot.hold("east", "up")
    it, node = port(robot, Bench())
    it.read()
    it.publish(0)
    joy = node.sent["joy"][0]
    assert list(joy.axes) == [0.5] * 6
    assert [name for name, down in zip(BUTTONS, joy.buttons, strict=True) if down] == ["east", "up"]


def test_what_is_not_told_is_not_published() -> None:
    robot = FakeRobot()
    robot.tells = RobotHealth(motor_temperature=owned(np.full(12, 30.0)))
    it, node = port(robot, Bench())
    it.read()
    it.publish(0)
    assert node.sent == {"battery": [], "joy": []}


@pytest.mark.parametrize(
    ("button", "mode", "after"),
    [
        ("east", Mode.STAND, (Mode.LANDING, "damping")),
        ("east", Mode.ACTIVE, (Mode.LANDING, "damping")),
        ("south", Mode.STAND, (Mode.DAMPING, None)),
        ("north", Mode.DAMPING, (Mode.STAND, None)),
        ("start", Mode.DISARMED, (Mode.DAMPING, None)),
        ("left", Mode.STAND, (Mode.STAND, None)),
        ("north", Mode.DISARMED, (Mode.DISARMED, None)),  # refused, and told
    ],
)
def test_buttons_of_the_remote_are_requests(button: str, mode: Mode, after: tuple[Mode, str | None]) -> None:
    bench, robot = Bench().to(mode), FakeRobot()
    it, node = port(robot, bench)
    it.read()
    robot.hold(button)
    it.read()
    assert (bench.step.mode, bench.step.landing) == after
    assert len(node.said) == (button != "left")
    said = len(node.said)
    it.read()  # still held: once is enough
    assert len(node.said) == said


def test_a_button_that_is_down_when_the_remote_comes_asks_for_nothing() -> None:
    bench, robot = Bench().stand(), FakeRobot()
    it, _ = port(robot, bench)
    robot.hold("east")
    it.read()
    assert bench.step.mode is Mode.STAND
    robot.hold()
    it.read()
    robot.hold("east")
    it.read()
    assert bench.step.mode is Mode.LANDING


def test_a_remote_that_went_and_came_starts_anew() -> None:
    bench, robot = Bench().stand(), FakeRobot()
    it, _ = port(robot, bench)
    it.read()
    robot.tells = RobotHealth()
    it.read()
    robot.hold("east")
    it.read()
    assert bench.step.mode is Mode.STAND


def test_the_monitor_says_dry_run_and_who_is_in_the_way() -> None:
    bench = Bench()
    told: dict[str, Any] = {"dry_run": True}
    monitor = RobotMonitor(bench.step, lambda: told)
    monitor.cycle(bench.cycle(), None, 1000)
    assert monitor.message() == "DRY RUN, disarmed"
    assert monitor.values()["hardware"] == told
    told = {"dry_run": False, "taking_control": "the built-in controller 'normal': releasing it"}
    assert monitor.message() == "disarmed: taking control: the built-in controller 'normal': releasing it"
    told = {"taking_control": ""}
    assert monitor.message() == "disarmed"
    assert RobotMonitor(bench.step).values()["hardware"] == {}


def test_limits_that_count_cycles_last_as_long_at_another_rate() -> None:
    limits = kit.go2_limits()
    assert limits.at_rate(1.0).clamp_cycles == kit.CLAMP_CYCLES
    faster = limits.at_rate(2.5)
    assert faster.clamp_cycles == 250  # 0.5 s at 500 Hz
    assert dataclasses.replace(faster, clamp_cycles=kit.CLAMP_CYCLES).state_age_ns == limits.state_age_ns
    assert limits.at_rate(0.001).clamp_cycles == 1
