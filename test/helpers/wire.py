"""What each node of ours really offers. Run as a module: topics, services, parameters, diagnostics, as JSON.

Nothing is started on the side: the nodes are made in this process, and asked.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSReliabilityPolicy

from robot_policies.control import pacing
from robot_policies.nodes.diagnostics import Diagnostics
from robot_policies.nodes.policy_node import PolicyNode
from robot_policies.nodes.recorder_node import RecorderNode
from robot_policies.nodes.robot_node import RobotNode
from robot_policies.nodes.runtime import Stop
from robot_policies.nodes.teleop_node import TeleopNode
from robot_policies.nodes.viewer_hub import ViewerNode
from robot_policies.nodes.waypoint_node import WaypointNode
from sim2real.bridges.depth_camera_node import DepthCameraNode

OF_RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides")

told: dict[str, list[str]] = {}


def type_name(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}/{kind.__name__}"


def qos_words(profile: Any) -> str:
    words = ["R" if profile.reliability == QoSReliabilityPolicy.RELIABLE else "B"]
    words += ["L"] if profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL else []
    words += [str(profile.depth)] if profile.depth != 1 else []
    return " ".join(words)


def facts(node: Node) -> dict[str, Any]:
    name = node.get_fully_qualified_name()
    services = {s.srv_name: type_name(s.srv_type) for s in node.services}
    ends = {"publishers": node.publishers, "subscriptions": node.subscriptions}
    topics = {
        end: {i.topic_name.lstrip("/"): [type_name(i.msg_type), qos_words(i.qos_profile)] for i in items}
        for end, items in ends.items()
    }
    return {
        **{end: {t: v for t, v in named.items() if not skip(t, name)} for end, named in topics.items()},
        "services": {s.lstrip("/"): kind for s, kind in services.items() if not skip(s.lstrip("/"), name)},
        "parameters": {k: plain(p.value) for k, p in node._parameters.items() if not k.startswith(OF_RCLPY)},
        "diagnostics": told.get(name, []),
    }


def skip(topic: str, node: str) -> bool:
    return topic in ("rosout", "parameter_events") or f"/{topic}".startswith(f"{node}/")


def plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else list(value)


def main() -> None:
    pacing.prepare = lambda *args: None  # type: ignore[assignment]  # this process has no deadlines
    publish = Diagnostics.publish

    def noted(self: Diagnostics, stamp_ns: int, level: bytes, message: str, values: Any) -> None:
        told[self._status.name] = list(values)
        publish(self, stamp_ns, level, message, values)

    Diagnostics.publish = noted  # type: ignore[method-assign]
    rclpy.init(args=[])
    node = Node("robot_node", parameter_overrides=[Parameter("clock", value="lockstep")])
    robot = RobotNode(node, Stop())
    robot.cycle()
    policy, camera = PolicyNode(), DepthCameraNode()
    policy.trigger_configure()
    policy.tell()
    camera.report(time.monotonic() + 10.0)
    waypoints = WaypointNode()
    waypoints.look(time.monotonic() + 10.0)
    nodes = (node, policy, camera, TeleopNode(), ViewerNode(), waypoints)
    found = {item.get_name(): facts(item) for item in nodes}
    json.dump({**found, "recorder_node": recorder()}, sys.stdout)


def recorder() -> dict[str, Any]:
    """Its parameters as they are by default; it listens to every topic, and so to none of its own."""
    with tempfile.TemporaryDirectory() as folder:
        node = RecorderNode(parameter_overrides=[Parameter("record", value=folder), Parameter("robot", value="go2")])
        found = facts(node)
        node.close()
    defaults = {**found["parameters"], "record": "", "robot": ""}
    return {**found, "publishers": {}, "subscriptions": {}, "parameters": defaults}


if __name__ == "__main__":
    main()
