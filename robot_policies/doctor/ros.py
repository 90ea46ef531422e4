"""ROS: which one, its middleware, domain and discovery; who publishes commands already."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from robot_policies.doctor.finding import Finding, child

LIMIT = 12.0  # [s] for a process that looks at the ROS graph
OURS = "rmw_fastrtps_cpp"  # which reads config/fastdds.xml
PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")  # Fast DDS 3, Fast DDS 2
TOPICS = {"joint_command": "the robot node", "lowcmd": "a Unitree robot's motors"}


def installation(env: Mapping[str, str] = os.environ) -> Finding:
    """Which ROS 2 there is, from where, and its middleware."""
    if importlib.util.find_spec("rclpy") is None:
        todo = "source /opt/ros/DISTRO/setup.bash, or pip install 'robot_policies[ros]'"
        return Finding("ROS", "FAIL", "none: rclpy cannot be imported", todo)
    try:
        where = f"rclpy {version('ros-rclpy')} from wheels"
    except PackageNotFoundError:
        where = f"{env.get('ROS_DISTRO', 'an unnamed distribution')}, sourced"
    middleware = env.get("RMW_IMPLEMENTATION") or OURS
    found = f"{where}, {middleware}"
    if env.get("RMW_IMPLEMENTATION") not in (None, "", OURS):
        todo = f"unset RMW_IMPLEMENTATION: config/fastdds.xml keeps only {OURS} on this machine"
        return Finding("ROS", "WARN", found, todo)
    return Finding("ROS", "OK", found)


def domain(env: Mapping[str, str] = os.environ) -> Finding:
    """The ROS domain."""
    text = env.get("ROS_DOMAIN_ID", "") or "0"
    if not text.isdecimal() or int(text) > 232:
        return Finding("domain", "FAIL", f"ROS_DOMAIN_ID is {text!r}", "a number from 0 to 101")
    if int(text) > 101:
        return Finding("domain", "WARN", f"{text}: its ports are among those that Linux gives away", "0 to 101")
    return Finding("domain", "OK", f"ROS_DOMAIN_ID {text}")


def discovery(env: Mapping[str, str] = os.environ) -> Finding:
    """How far topics go."""
    scope = env.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    files = {name: env[name] for name in PROFILES if env.get(name)}
    for name, file in files.items():
        if not Path(file).is_file():
            return Finding("discovery", "FAIL", f"{name} names {file}, which is no file", "config/fastdds.xml")
    if scope in ("LOCALHOST", "OFF"):
        found = f"ROS_AUTOMATIC_DISCOVERY_RANGE={scope} puts shared memory in the place of the profile"
        return Finding("discovery", "WARN", found, "unset it: config/fastdds.xml keeps topics on this machine")
    if files:
        return Finding("discovery", "OK", f"by {', '.join(sorted(set(files.values())))}")
    todo = f"export {' and '.join(PROFILES)}=config/fastdds.xml (./run does)"
    return Finding("discovery", "WARN", "no profile: every topic leaves this machine by multicast", todo)


def rivals() -> Finding:
    """Who publishes commands in this domain: one policy node at most."""
    told = child("robot_policies.nodes.graph_probe", *TOPICS, limit=LIMIT)
    publishers: dict[str, list[str]] = told["publishers"]
    found = "; ".join(f"{topic}: {', '.join(nodes)}" for topic, nodes in publishers.items() if nodes)
    many = [topic for topic, nodes in publishers.items() if len(nodes) > 1 or (topic == "lowcmd" and nodes)]
    if many:
        return Finding("rival writers", "FAIL", found, f"end all but one of those that write {' and '.join(many)}")
    return Finding("rival writers", "OK", found or f"nobody publishes commands; {told['nodes']} nodes in the domain")
