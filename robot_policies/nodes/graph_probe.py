"""A short look at the ROS graph, in a process of its own: prints who publishes some topics, as one line of JSON."""

from __future__ import annotations

import json
import sys
import time

import rclpy
from rclpy.node import Node

SETTLE = 2.0  # [s] until the others are found; Fast DDS announces itself every 0.1 s at first, then every 3 s


def look(topics: list[str]) -> dict[str, object]:
    """Return the nodes that publish each of ``topics``, and how many nodes there are."""
    rclpy.init()
    node = Node("doctor_probe")
    time.sleep(SETTLE)
    publishers = {topic: sorted(_names(node, topic)) for topic in topics}
    nodes = [name for name, _ in node.get_node_names_and_namespaces() if name != node.get_name()]
    node.destroy_node()
    rclpy.shutdown()
    return {"publishers": publishers, "nodes": len(nodes)}


def _names(node: Node, topic: str) -> list[str]:
    found = node.get_publishers_info_by_topic(f"/{topic}")
    return [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in found]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(sys.argv[1:])) + "\n")
