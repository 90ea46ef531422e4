"""What the doctor finds of ROS, of the software, of the robot on its wire and of the camera."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from robot_policies.cameras import realsense
from robot_policies.doctor import camera, ros, software, wire
from robot_policies.exceptions import SchemaError

# ROS.


@pytest.mark.parametrize(
    ("env", "level", "words"),
    [
        ({}, "OK", "ROS_DOMAIN_ID 0"),
        ({"ROS_DOMAIN_ID": ""}, "OK", "ROS_DOMAIN_ID 0"),
        ({"ROS_DOMAIN_ID": "101"}, "OK", "101"),
        ({"ROS_DOMAIN_ID": "102"}, "WARN", "102"),
        ({"ROS_DOMAIN_ID": "233"}, "FAIL", "233"),
        ({"ROS_DOMAIN_ID": "seven"}, "FAIL", "'seven'"),
    ],
)
def test_the_domain(env: dict[str, str], level: str, words: str) -> None:
    found = ros.domain(env)
    assert found.level == level and words in found.found


def test_discovery(tmp_path: Path) -> None:
    profile = tmp_path / "p.xml"
    profile.touch()
    name = ros.PROFILES[0]
    assert ros.discovery({name: str(profile)}).level == "OK"
    assert ros.discovery({}).level == "WARN"
    assert ros.discovery({name: "/no/such.xml"}).level == "FAIL"
    assert ros.discovery({name: str(profile), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}).level == "WARN"


def test_which_ros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(ros, "version", lambda name: "7.1.6")
    assert ros.installation({}).found == "rclpy 7.1.6 from wheels, rmw_fastrtps_cpp"
    assert ros.installation({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).level == "WARN"

    def missing(name: str) -> str:
        raise ros.PackageNotFoundError(name)

    monkeypatch.setattr(ros, "version", missing)
    assert ros.installation({"ROS_DISTRO": "jazzy"}).found == "jazzy, sourced, rmw_fastrtps_cpp"
    monkeypatch.setattr(ros.importlib.util, "find_spec", lambda name: None)
    assert ros.installation({}).level == "FAIL"


@pytest.mark.parametrize(
    ("publishers", "level"),
    [
        ({"joint_command": [], "lowcmd": []}, "OK"),
        ({"joint_command": ["/policy_node"], "lowcmd": []}, "OK"),
        ({"joint_command": ["/a", "/b"], "lowcmd": []}, "FAIL"),
        ({"joint_command": [], "lowcmd": ["/other"]}, "FAIL"),
    ],
)
def test_rivals_in_the_graph(publishers: dict[str, list[str]], level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros, "child", lambda *_, **__: {"publishers": publishers, "nodes": 3})
    found = ros.rivals()
    assert found.level == level
    assert all(name in found.found for names in publishers.values() for name in names)


# Software, robot, camera.


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"numpy": "2.0", "onnxruntime": "1.23", "pydantic": "2.13", "PyYAML": "6.0"}
    monkeypatch.setattr(software, "_version", lambda name: there.get(name, ""))
    assert software.versions().level == "OK"
    there["cyclonedds"] = "0.10.5"
    assert software.versions().todo.startswith("pip install --no-deps cyclonedds==11.0.1")
    del there["onnxruntime"]
    assert (software.versions().level, software.versions().todo) == ("FAIL", "pip install onnxruntime")
    monkeypatch.setattr(software.sys, "version_info", (3, 9, 2))
    assert software.versions().todo == "a Python from 3.10 to 3.13"


def test_the_shipped_bundles_and_robots_are_well() -> None:
    assert software.bundles("go2").level == "OK"
    assert software.bundles("g1").level == "WARN"  # none is shipped
    for name in ("go2", "go1"):
        assert software.robot_files(name).level == "OK"


def test_a_bundle_or_safety_file_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundles" / "torn").mkdir(parents=True)
    (tmp_path / "bundles" / "torn" / "policy.yaml").write_text("format: 1\n")
    (tmp_path / "config" / "safety").mkdir(parents=True)
    (tmp_path / "config" / "safety" / "go2.yaml").write_text(yaml.safe_dump({"format": 1}))
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(tmp_path))
    found = software.bundles(None)
    assert found.level == "FAIL" and "torn: " in found.found
    with pytest.raises(SchemaError, match="go2.yaml"):
        software.robot_files("go2")


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "OK", "500 states a second, battery 90 %, controlled by nobody"),
        ({"states": 0, "others": "10.0.0.7 pc"}, "FAIL", "no state through eth0; there: 10.0.0.7 pc"),
        ({"foreign": 12}, "WARN", "12 commands of others"),
        ({"rivals": "a writer on 10.0.0.9"}, "FAIL", "other writers of commands: a writer on 10.0.0.9"),
    ],
)
def test_the_robot_on_its_wire(
    changes: dict[str, Any], level: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"states": 1500, "charge": 90, "control": "nobody", "foreign": 0, "rivals": "", "others": "", **changes}
    monkeypatch.setattr(wire, "check_sdk", lambda: None)
    monkeypatch.setattr(wire, "child", lambda *_, **__: told)
    found = wire.robot("eth0", 0, "go2")
    assert found.level == level and words in found.found


@pytest.mark.parametrize(
    ("devices", "wanted", "level", "words"),
    [
        ([], False, "OK", "no RealSense device"),
        ([], True, "WARN", "no RealSense device"),
        ([("D435", "42", "3.2")], True, "OK", "D435 42 on USB 3.2"),
        ([("D435", "42", "2.1")], True, "WARN", "USB 2.1"),
    ],
)
def test_the_camera(
    devices: list[tuple[str, str, str]], wanted: bool, level: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "child", lambda *_, **__: {"devices": devices})
    found = camera.camera(wanted)
    assert found.level == level and words in found.found


def test_an_sdk_that_hangs_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyrealsense2.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *sys.path)))
    monkeypatch.setattr(camera, "LIMIT", 2.0)
    found = camera.camera(True)
    assert (found.level, found.found) == ("WARN", "no answer within 2 s")


def test_devices_are_told_by_name_serial_and_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        def supports(self, key: str) -> bool:
            return key != "usb"

        def get_info(self, key: str) -> str:
            return {"n": "D435", "s": "42"}[key]

    info = SimpleNamespace(name="n", serial_number="s", usb_type_descriptor="usb")
    context = SimpleNamespace(query_devices=lambda: [Device()])
    sdk = SimpleNamespace(camera_info=info, context=lambda: context)
    monkeypatch.setitem(sys.modules, "pyrealsense2", sdk)
    assert realsense.devices() == [("D435", "42", "")]
