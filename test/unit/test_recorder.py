"""What the recorder writes for other tools: definitions of messages, metadata of the bag, and QoS of its listening."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

pytest.importorskip("rclpy")

from helpers.node_process import Probe, command, free_domain, run_to_end, running, stop
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Imu
from std_msgs.msg import String

from robot_policies.control.recording.read import read_bag
from robot_policies.nodes.bag_metadata import metadata, offered
from robot_policies.nodes.known_topics import KNOWN
from robot_policies.nodes.message_definitions import definition
from robot_policies.nodes.recorder_node import _common, _message_class
from robot_policies.nodes.runtime import LATCHED, RELIABLE

MODULE = "robot_policies.nodes.recorder_node"


def test_a_definition_holds_every_type_in_it_once() -> None:
    text = definition("nav_msgs/msg/Odometry")
    parts = [line.removeprefix("MSG: ") for line in text.splitlines() if line.startswith("MSG: ")]
    assert parts[0] == "std_msgs/Header" and len(parts) == len(set(parts))
    assert {"geometry_msgs/Point", "geometry_msgs/Twist", "builtin_interfaces/Time"} <= set(parts)
    assert text.count("=" * 80) == len(parts) and "string child_frame_id" in text


def test_constants_bounds_and_arrays_are_no_types() -> None:
    assert "MSG: " in definition("diagnostic_msgs/msg/DiagnosticArray")
    text = definition("lifecycle_msgs/msg/TransitionEvent")
    assert text.count("MSG: ") == 2  # Transition and State, whose constants are numbers


def test_a_type_that_is_not_installed_has_no_definition_and_no_class() -> None:
    assert definition("no_such/msg/Thing") == "" and _message_class("no_such/msg/Thing") is None
    assert _message_class("std_msgs/msg/String") is String


def test_metadata_counts_and_names_what_rosbag2_asks_for() -> None:
    topics = {"/a": {"type": "std_msgs/msg/String", "qos": offered(True, True), "count": 3}}
    told = yaml.safe_load(metadata("topics_0.mcap", 100, 350, topics))["rosbag2_bagfile_information"]
    assert told["version"] == 5 and told["storage_identifier"] == "mcap" and told["message_count"] == 3
    assert told["duration"] == {"nanoseconds": 250} and told["relative_file_paths"] == ["topics_0.mcap"]
    (topic,) = told["topics_with_message_count"]
    (profile,) = yaml.safe_load(topic["topic_metadata"]["offered_qos_profiles"])
    assert (profile["reliability"], profile["durability"]) == (1, 1)
    assert yaml.safe_load(offered(False, False))[0]["reliability"] == 2


def publisher(profile: QoSProfile) -> SimpleNamespace:
    return SimpleNamespace(qos_profile=profile)


def test_it_listens_to_what_all_publishers_offer() -> None:
    best = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    assert _common([publisher(LATCHED)]) == (True, True)
    assert _common([publisher(LATCHED), publisher(RELIABLE)]) == (True, False)
    assert _common([publisher(RELIABLE), publisher(best)]) == (False, False)
    assert LATCHED.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL


def test_it_records_its_namespace_and_latched_messages_from_before(tmp_path: Path) -> None:
    domain = free_domain()
    with Probe(domain, "r1") as probe:
        probe.node.create_publisher(String, "early", LATCHED).publish(String(data="from before"))
        probe.node.create_publisher(String, "/r2/other", LATCHED).publish(String(data="of another robot"))
        line = command(MODULE, f"record:={tmp_path / 'run'}", "robot:=go2", rest=("-r", "__ns:=/r1"))
        with running(line, domain) as process:
            later = probe.node.create_publisher(String, "later", RELIABLE)
            bag = tmp_path / "run" / "topics_0.mcap"
            end = time.monotonic() + 60.0
            while not (bag.is_file() and {"/r1/early", "/r1/later"} <= set(read_bag(bag).topics)):
                assert time.monotonic() < end
                later.publish(String(data="now"))
                probe.spin(0.1)
            assert stop(process) == 0
    found = read_bag(bag)
    assert found.missing == [] and not any(topic.startswith("/r2") for topic in found.topics)
    assert b"from before" in next(iter(found.of("/r1/early"))).data
    assert "/r1/early" in (tmp_path / "run" / "metadata.yaml").read_text()


def test_it_listens_before_a_topic_is_offered_and_anew_where_it_is_offered_in_another_way(tmp_path: Path) -> None:
    domain, run = free_domain(), tmp_path / "run"
    best = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    with Probe(domain) as probe, running(command(MODULE, f"record:={run}", "robot:=go2"), domain) as process:
        node = probe.node
        for topic in KNOWN:
            name = node.resolve_topic_name(topic)
            assert probe.until(lambda name=name: node.get_subscriptions_info_by_topic(name), 60.0), topic
        moved = node.create_publisher(Imu, "imu/data", best)
        node.create_publisher(String, "joint_states", RELIABLE)
        mode = node.create_publisher(String, "robot_mode", LATCHED)
        mode.publish(String(data="the first"))
        assert probe.until(moved.get_subscription_count, 20.0)
        moved.publish(Imu())
        bag = run / "topics_0.mcap"
        assert probe.until(lambda: {"/imu/data", "/robot_mode"} <= set(read_bag(bag).topics), 20.0)
        mode.publish(String(data="the second"))
        assert probe.until(lambda: len(list(read_bag(bag).of("/robot_mode"))) == 2, 20.0)
        assert stop(process) == 0
        assert process.stderr is not None
        assert "/joint_states: types sensor_msgs/msg/JointState, std_msgs/msg/String" in process.stderr.read()
    assert b"the first" in next(iter(read_bag(bag).of("/robot_mode"))).data
    told = yaml.safe_load((run / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    qos = {t["topic_metadata"]["name"]: t["topic_metadata"]["offered_qos_profiles"] for t in _topics(told)}
    assert "reliability: 2" in qos["/imu/data"] and "durability: 1" in qos["/robot_mode"]
    assert not {"/joint_states", "/joint_command"} & set(qos), "what cannot be recorded, and what nobody offered"


def _topics(information: dict[str, Any]) -> list[dict[str, Any]]:
    return list(information["topics_with_message_count"])


def test_without_a_folder_it_says_so() -> None:
    done = run_to_end(MODULE, free_domain(), timeout=60.0)
    assert done.returncode == 2 and "parameter record" in done.stderr and "Traceback" not in done.stderr
