"""Bags of topics as the recorder writes them, of a robot whose only joint, place and commands are functions of time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import TwistStamped
from mcap.writer import CompressionType, Writer
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, Imu, JointState
from std_msgs.msg import String

from robot_policies.nodes.conversions import set_stamp

BEGIN_NS = 1_700_000_000_000_000_000
SECONDS = 8.0
RATE = 200  # [Hz] of the states
AHEAD = 0.5  # [rad] of the target that goes out after a state, before the joint
ACTIVE, SWITCHED, TRIPPED = 2.0, 5.0, 7.0  # [s]
URDF = """<robot name="two_links">
  <link name="base"><visual><geometry><box size="0.4 0.2 0.1"/></geometry></visual></link>
  <link name="leg"><visual><geometry><sphere radius="0.05"/></geometry></visual></link>
  <joint name="hip" type="revolute"><parent link="base"/><child link="leg"/><axis xyz="0 1 0"/></joint>
</robot>"""

Said = tuple[float, str, Any]  # time [s], topic, message


def ns(seconds: float) -> int:
    return BEGIN_NS + round(seconds * 1e9)


def story(depth: bool = True) -> list[Said]:
    """Return everything that is said, by time: at ``t`` the joint is at t [rad] and the robot at x = 2 + t [m]."""
    said: list[Said] = [(0.0, "robot_description", String(data=URDF)), (0.0, "robot_mode", String(data="stand"))]
    said += [(0.0, "commanding_policy", String(data=""))]
    for k in range(round(SECONDS * RATE) + 1):
        said += _state(k / RATE)
        if depth and k % 20 == 0:
            said.append((k / RATE + 0.002, "depth/image_rect", _image(k / RATE)))
        if k % 100 == 0:
            said.append((k / RATE + 0.003, "/diagnostics", _report(k / RATE, k)))
        if k % 20 == 0 and k / RATE >= ACTIVE:
            said.append((k / RATE + 0.004, "cmd_vel", _stamped(TwistStamped(), k / RATE)))
    said += [(ACTIVE, "robot_mode", String(data="active")), (TRIPPED, "robot_mode", String(data="landing:sit"))]
    said += [(at, "commanding_policy", String(data=name)) for at, name in ((ACTIVE, "main"), (SWITCHED, "other"))]
    return sorted(said, key=lambda item: item[0])


def _state(at: float) -> list[Said]:
    odometry, joints = _stamped(Odometry(), at), _stamped(JointState(name=["hip"], position=[at]), at)
    odometry.pose.pose.position.x, odometry.pose.pose.position.z = 2.0 + at, 0.4
    odometry.twist.twist.linear.x = 1.0
    sent = _stamped(JointState(name=["hip"], position=[at + AHEAD]), at)
    return [
        (at, "imu/data", _stamped(Imu(), at)),
        (at, "ground_truth/odom", odometry),
        (at + 1e-4, "joint_states", joints),
        (at + 2e-4, "joint_command_sent", sent),
    ]


def _stamped(message: Any, at: float) -> Any:
    set_stamp(message.header.stamp, ns(at))
    return message


def _image(at: float) -> Image:
    pixels = np.full((3, 4), 0.5 + at / 10.0, np.float32)
    return _stamped(Image(height=3, width=4, encoding="32FC1", step=16, data=pixels.tobytes()), at)


def _report(at: float, cycles: int) -> DiagnosticArray:
    modes = [["stand", ns(0.0)], *([["active", ns(ACTIVE)]] if at >= ACTIVE else [])]
    trip = {"name": "tilt", "mode": "active", "landing": "sit", "detail": "1.2 rad", "stamp_ns": ns(TRIPPED)}
    robot = {"cycles": cycles, "modes": modes, "trips": [trip] if at >= TRIPPED else []}
    policy = {"policies": ["main", "other"], "wanted": "main", "why": "no image"}
    statuses = [
        DiagnosticStatus(name=f"PREFIX{name}", values=[KeyValue(key=k, value=json.dumps(v)) for k, v in values.items()])
        for name, values in (("robot_node", robot), ("policy_node", policy))
    ]
    return _stamped(DiagnosticArray(status=statuses), at)


def write(
    run: Path,
    said: list[Said],
    prefix: str = "/",
    lockstep: bool = False,
    clock_from: float = 0.0,
    kind_of: Callable[[str, str], str] = lambda topic, kind: kind,
) -> Path:
    """Write what is said into the folder ``run`` as the recorder would, and return the file.

    Args:
        run: the folder.
        said: in its order.
        prefix: the robot's namespace.
        lockstep: as a simulation that took a tenth of its own time, with its clock on a topic.
        clock_from: in lockstep, from when on the clock is recorded [s].
        kind_of: may give another type for a topic of a type.
    """
    run.mkdir(parents=True, exist_ok=True)
    path = run / "topics_0.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.NONE, chunk_size=64 * 1024)
        writer.start("ros2", "test")
        channels: dict[str, int] = {}
        for number, (at, topic, message) in enumerate(_with_clock(said, clock_from) if lockstep else said, 1):
            name = topic if topic.startswith("/") else prefix + topic
            if name not in channels:
                kind = f"{type(message).__module__.partition('.')[0]}/msg/{type(message).__name__}"
                schema = writer.register_schema(kind_of(topic, kind), "ros2msg", b"")
                channels[name] = writer.register_channel(name, "cdr", schema)
            for status in message.status if topic == "/diagnostics" else ():
                status.name = status.name.replace("PREFIX", prefix)
            heard = ns(at / 10.0 if lockstep else at)
            writer.add_message(channels[name], heard, serialize_message(message), heard, number)
        writer.finish()
    return path


def _with_clock(said: list[Said], begin: float) -> list[Said]:
    ticks: list[Said] = []
    for k in range(round(SECONDS * RATE) + 1):
        clock = Clock()
        set_stamp(clock.clock, ns(k / RATE))
        ticks.append((k / RATE, "/clock", clock))
    return sorted([*(tick for tick in ticks if tick[0] >= begin), *said], key=lambda item: item[0])
