"""Waypoints through the node as a user starts it: followed by ``odom`` alone, ended where that is lost."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from helpers.node_process import Probe, command, environment, free_domain, run_to_end, running
from nav_msgs.msg import Odometry, Path
from std_msgs.msg import String

from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.runtime import LATCHED, RELIABLE

MODULE = "robot_policies.nodes.waypoint_node"
SQUARE = "points: [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]\nspeed: 0.5\nreached: 0.2\n"
DT = 0.02  # [s] between two odoms


class Base:
    """A base that does what it is asked: its odom has a velocity and an orientation, and no position, as ours."""

    process: subprocess.Popen[str]

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.x = self.y = self.yaw = 0.0
        self.stamp_ns = 10_000_000_000
        self.heard = probe.hear(TwistStamped, "cmd_vel", RELIABLE)
        self.said = probe.hear(DiagnosticArray, "/diagnostics")
        self._odom = probe.node.create_publisher(Odometry, "odom", RELIABLE)
        self._mode = probe.node.create_publisher(String, "robot_mode", LATCHED)
        self.path = probe.node.create_publisher(Path, "path", RELIABLE)

    def ready(self) -> None:
        assert self.probe.until(lambda: self._odom.get_subscription_count() and self.path.get_subscription_count())
        self._mode.publish(String(data="active"))
        self.probe.spin(0.3)

    def message(self) -> str:
        self.run(0.7, pace=DT)
        return str(self.said[-1][1].status[0].message)

    def velocity(self) -> tuple[float, float]:
        twist = self.heard[-1][1].twist if self.heard else TwistStamped().twist
        return twist.linear.x, twist.angular.z

    def run(self, seconds: float, jump_ns: int = 0, pace: float = 0.004, **odom: float) -> None:
        """Move for so long of the base's own time, with ``pace`` of real time [s] for each odom."""
        self.stamp_ns += jump_ns
        for _ in range(round(seconds / DT)):
            forward, turn = self.velocity()
            self.yaw += turn * DT
            self.x += forward * math.cos(self.yaw) * DT
            self.y += forward * math.sin(self.yaw) * DT
            self.stamp_ns += int(DT * 1e9)
            message = Odometry()
            set_stamp(message.header.stamp, self.stamp_ns)
            message.header.frame_id = "odom"
            q, v = message.pose.pose.orientation, message.twist.twist.linear
            q.w, q.z = math.cos(self.yaw / 2.0), math.sin(self.yaw / 2.0)
            v.x = odom.get("x", forward)
            self._odom.publish(message)
            self.probe.spin(pace)

    def send(self, *points: tuple[float, float], frame: str = "odom") -> None:
        path = Path()
        path.header.frame_id = frame
        for x, y in points:
            pose = PoseStamped()
            pose.pose.position.x, pose.pose.position.y = x, y
            path.poses.append(pose)
        self.path.publish(path)


@pytest.fixture
def file(tmp_path: FilePath) -> FilePath:
    path = tmp_path / "way.yaml"
    path.write_text(SQUARE, encoding="utf-8")
    return path


@pytest.fixture
def base(file: FilePath) -> Iterator[Base]:
    domain = free_domain()
    with Probe(domain) as probe, running(command(MODULE, f"file:={file}"), domain) as process:
        base = Base(probe)
        base.process = process
        base.ready()
        yield base


def test_it_goes_from_point_to_point_and_stops_at_the_last(base: Base) -> None:
    base.run(0.5)
    assert base.velocity()[0] > 0.4 and base.message() == "to point 1 of 3"
    base.run(16.0)
    assert math.dist((base.x, base.y), (0.0, 1.0)) < 0.35
    assert base.velocity() == (0.0, 0.0) and base.message() == "at the end, the last of 3 points"
    count = len(base.heard)
    base.run(1.0)
    assert len(base.heard) - count <= 5, "a few zeros, and then silence: somebody else may command"
    base.send((base.x + 1.0, base.y))  # another path
    base.run(0.5)
    assert base.velocity() != (0.0, 0.0) and base.message() == "to point 1 of 1"


def test_it_stops_when_odom_is_lost_and_does_not_go_on_by_itself(base: Base) -> None:
    base.run(1.0)
    assert base.velocity()[0] > 0.4
    assert base.probe.until(lambda: base.velocity() == (0.0, 0.0), 2.0)
    assert "stopped, and the path ended: odom; found none for" in base.message()
    base.run(1.0)
    assert base.velocity() == (0.0, 0.0)


def test_a_node_that_got_no_processor_for_a_while_counts_every_odom(base: Base) -> None:
    """As in lockstep without a pace, where the simulator waits for the policy and not for this node."""
    base.run(1.0)
    base.process.send_signal(signal.SIGSTOP)
    base.run(0.5)  # in 0.1 s of real time
    base.process.send_signal(signal.SIGCONT)
    base.run(0.2)
    assert base.message().startswith("to point")
    base.run(15.0)
    assert math.dist((base.x, base.y), (0.0, 1.0)) < 0.35 and base.velocity() == (0.0, 0.0)


@pytest.mark.parametrize(("jump_ns", "odom", "says"), [(400_000_000, {}, "0.420 s"), (0, {"x": math.nan}, "finite")])
def test_it_stops_where_odom_says_nothing_that_can_be_used(base: Base, jump_ns: int, odom: Any, says: str) -> None:
    base.run(1.0)
    assert base.velocity()[0] > 0.4
    base.run(0.3, jump_ns, **odom)
    assert base.velocity() == (0.0, 0.0)
    assert says in base.message()


def test_a_malformed_path_is_refused_in_one_line_and_the_old_one_goes_on(base: Base) -> None:
    base.run(0.5)
    for points, frame, says in (
        ([], "odom", "path: its points; found none"),
        ([(1.0, math.nan)], "odom", "path: point 0"),
        ([(1.0, 0.0)], "map", "path: its frame; found map; valid: odom"),
    ):
        base.send(*points, frame=frame)
        base.run(0.7, pace=DT)
        told = [pair.value for _, m in base.said for s in m.status for pair in s.values if pair.key == "said"]
        assert says in told[-1] and "\n" not in told[-1]
    base.run(0.3)
    assert base.velocity() != (0.0, 0.0)


def test_it_ends_when_somebody_else_commands(base: Base) -> None:
    base.run(0.5)
    other = base.probe.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
    assert base.probe.until(lambda: other.get_subscription_count() > 1)
    base.run(0.3, pace=DT)  # the node has met the other then too
    other.publish(TwistStamped())
    base.run(0.3, pace=DT)
    count = len(base.heard)
    base.run(0.5)
    assert len(base.heard) == count
    assert "somebody else commands" in base.message()


def test_a_wrong_file_or_parameter_is_one_line_and_code_2(tmp_path: FilePath) -> None:
    (tmp_path / "bad.yaml").write_text("points: []\n", encoding="utf-8")
    for given, says in ((f"file:={tmp_path}/bad.yaml", "path: its points"), ("position:=gps", "twist, pose")):
        done = run_to_end(MODULE, free_domain(), given)
        assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_run_follows_a_file_with_a_simulated_robot(tmp_path: FilePath) -> None:
    """Round a corner: the ground truth, which the node does not read, is where the path leads to."""
    pytest.importorskip("mujoco")
    way = tmp_path / "way.yaml"
    way.write_text("points: [[1.0, 0.0], [1.5, 1.0]]\nspeed: 0.6\n", encoding="utf-8")
    line = [sys.executable, "-m", "robot_policies.cli", "run", "--headless", "--lockstep", "--waypoints", str(way)]
    options = ["speed:=0.0", "--seconds", "9", "--json", str(tmp_path / "report.json")]
    env = environment(free_domain())
    done = subprocess.run([*line, *options], env=env, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["distance_m"] == pytest.approx(math.hypot(1.5, 1.0), abs=0.45)
    assert report["trips"] == []
