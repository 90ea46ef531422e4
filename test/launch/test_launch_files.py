"""Everything that the launch files name exists. No ROS launch is needed: minimal stand-ins record what they ask for."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("rclpy")

from helpers.node_process import free_domain, run_to_end

from robot_policies.exceptions import RecordingError, ResourceError
from robot_policies.nodes.bringup import load_bringup

ROOT = Path(__file__).resolve().parents[2]
FILES = {name: ROOT / "launch" / f"{name}.launch.py" for name in ("sim", "policy", "unitree", "hil")}


class Recorded:
    """Stands for an action or substitution: keeps what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


class LaunchConfiguration(Recorded):
    def perform(self, context: dict[str, str]) -> str:
        return context[self.args[0]]


class LaunchDescription:
    def __init__(self, entities: list[Any]) -> None:
        self.entities = entities


class PackageNotFoundError(KeyError):
    pass


def kind(name: str) -> type[Recorded]:
    return type(name, (Recorded,), {})


def modules(installed: tuple[str, ...]) -> dict[str, ModuleType]:
    """Return the stand-ins, by name; ``installed`` are the packages of the ament index."""

    def get_package_prefix(package: str) -> str:
        if package not in installed:
            raise PackageNotFoundError(package)
        return "/opt/ros/jazzy"

    contents = {
        "launch": {"LaunchDescription": LaunchDescription, "LaunchContext": dict},
        "launch.actions": {
            name: kind(name) for name in ("DeclareLaunchArgument", "LogInfo", "OpaqueFunction", "Shutdown")
        },
        "launch.substitutions": {"LaunchConfiguration": LaunchConfiguration},
        "launch_ros": {},
        "launch_ros.actions": {name: kind(name) for name in ("Node", "LifecycleNode")},
        "launch_ros.parameter_descriptions": {"ParameterValue": kind("ParameterValue")},
        "ament_index_python": {},
        "ament_index_python.packages": {
            "PackageNotFoundError": PackageNotFoundError,
            "get_package_prefix": get_package_prefix,
            "get_package_share_directory": get_package_prefix,
        },
    }
    made = {}
    for name, attributes in contents.items():
        made[name] = ModuleType(name)
        made[name].__dict__.update(attributes)
    return made


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """Put the stand-ins in place, and leave no module behind that was made with them."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name, module in modules(()).items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "robot_policies.nodes.launch_actions", raising=False)
    for name in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    yield monkeypatch
    sys.modules.pop("robot_policies.nodes.launch_actions", None)


def described(name: str) -> LaunchDescription:
    return runpy.run_path(str(FILES[name]))["generate_launch_description"]()


def declared(description: LaunchDescription) -> dict[str, str]:
    arguments = [e for e in description.entities if type(e).__name__ == "DeclareLaunchArgument"]
    return {argument.args[0]: argument.kwargs["default_value"] for argument in arguments}


def actions(name: str, **given: str) -> list[Recorded]:
    """Return all actions for the given arguments."""
    description = described(name)
    (opaque,) = (e for e in description.entities if type(e).__name__ == "OpaqueFunction")
    defaults = declared(description)
    assert set(given) <= set(defaults), "an argument that the launch file does not declare"
    return opaque.kwargs["function"]({**defaults, **given})


def started(name: str, **given: str) -> list[Recorded]:
    """Return the node actions for the given arguments."""
    return [action for action in actions(name, **given) if type(action).__name__ != "LogInfo"]


def by_name(nodes: list[Recorded]) -> dict[str, Recorded]:
    return {str(node.kwargs.get("name", node.kwargs["executable"])): node for node in nodes}


def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what setup.py tells setuptools."""
    import setuptools

    told: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: told.update(arguments))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return told


def targets(told: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return console scripts: name -> module, function."""
    split = (script.split("=") for script in told["entry_points"]["console_scripts"])
    return {name.strip(): tuple(target.strip().split(":")) for name, target in split}  # type: ignore[misc]


ALL = {"camera": "true", "headless": "false", "viewer": "true"}


@pytest.mark.parametrize("name", FILES)
def test_arguments_are_those_of_the_bringup_with_its_defaults(stubs: pytest.MonkeyPatch, name: str) -> None:
    defaults = declared(described(name))
    bringup = load_bringup(name)
    assert set(defaults) == {*bringup.arguments, "namespace"}
    assert bringup.resolve(defaults) == bringup.resolve({}), "the defaults as text mean what the file means"


def test_the_documented_arguments_are_there(stubs: pytest.MonkeyPatch) -> None:
    assert {"robot", "policy", "viewer", "headless", "namespace"} <= set(declared(described("sim")))
    assert {"robot", "policy", "namespace"} <= set(declared(described("policy")))


@pytest.mark.parametrize(("name", "given"), [("sim", ALL), ("policy", {}), ("hil", {"viewer": "true"})])
def test_packages_and_executables_exist(stubs: pytest.MonkeyPatch, name: str, given: dict[str, str]) -> None:
    told = setup_arguments(stubs)
    manifest = ElementTree.parse(ROOT / "package.xml").findtext("name")
    executables = dict(told["data_files"])[f"lib/{manifest}"]
    nodes = started(name, **given)
    assert nodes
    for node in nodes:
        executable = node.kwargs["executable"]
        assert node.kwargs["package"] == manifest
        assert f"scripts/{executable}" in executables
        assert os.access(ROOT / "scripts" / executable, os.X_OK)
        module, function = targets(told)[executable]
        assert callable(getattr(importlib.import_module(module), function))
        assert f"from {module} import {function}" in (ROOT / "scripts" / executable).read_text()


def test_launch_and_parameter_files_are_installed(stubs: pytest.MonkeyPatch) -> None:
    files = {file for _, listed in setup_arguments(stubs)["data_files"] for file in listed}
    assert {f"launch/{path.name}" for path in FILES.values()} <= files
    assert {"config/bringup/sim.yaml", "config/bringup/policy.yaml", "config/fastdds.xml"} <= files
    assert all((ROOT / file).is_file() for file in files)


@pytest.mark.parametrize(("name", "given"), [("sim", ALL), ("policy", {})])
def test_every_parameter_is_one_that_the_node_has(stubs: pytest.MonkeyPatch, name: str, given: dict[str, str]) -> None:
    told, domain = setup_arguments(stubs), free_domain()
    for node in started(name, **given):
        executable, parameters = node.kwargs["executable"], node.kwargs["parameters"][0]
        module, _ = targets(told)[executable]
        # A node refuses what it does not have, and says all of it: the bait alone, if the others are right.
        values = [f"{key}:={json.dumps(value)}" for key, value in parameters.items()]
        done = run_to_end(module, domain, *values, "no_such_parameter:=1")
        assert done.returncode == 2, executable
        assert re.search(r"known parameters; found no_such_parameter; valid: ", done.stderr), done.stderr


@pytest.mark.parametrize("executable", ["robot_node", "policy_node", "depth_camera_node", "viewer_node", "teleop_node"])
def test_the_page_on_topics_names_every_parameter(stubs: pytest.MonkeyPatch, executable: str) -> None:
    module, _ = targets(setup_arguments(stubs))[executable]
    done = run_to_end(module, free_domain(), "no_such_parameter:=1")
    valid = re.search(r"found no_such_parameter; valid: (.+)", done.stderr)
    assert valid, done.stderr
    page = (ROOT / "docs" / "topics.md").read_text()
    (section,) = re.findall(r"## Nodes and their parameters\n(.*?)\n## ", page, re.DOTALL)
    gains = re.findall(r"`(gain_profile\.name|\.stiffness|\.damping)`", page)
    named = {*re.findall(r"`(\w+)`", section), *(f"gain_profile.{name.rpartition('.')[2]}" for name in gains)}
    assert set(valid[1].split(", ")) <= named


def test_viewer_headless_and_camera_decide_what_starts(stubs: pytest.MonkeyPatch) -> None:
    base, given = {"robot_node", "policy_node"}, {"record": "false"}
    assert set(by_name(started("sim", **given))) == {*base, "viewer_node"}
    assert set(by_name(started("sim", headless="true", **given))) == base
    assert set(by_name(started("sim", viewer="false", **given))) == base
    assert set(by_name(started("sim", headless="true", camera="true", **given))) == {*base, "depth_camera_node"}


def test_a_namespace_holds_every_node_and_values_have_their_types(stubs: pytest.MonkeyPatch) -> None:
    nodes = by_name(started("sim", namespace="r1", viewer_port="8123", seed="7", speed="2"))
    assert {node.kwargs["namespace"] for node in nodes.values()} == {"r1"}
    assert nodes["viewer_node"].kwargs["parameters"] == [{"port": 8123, "browser": False}]
    robot = nodes["robot_node"].kwargs["parameters"][0]
    assert (robot["robot"], robot["options.seed"], robot["speed"]) == ("go2", 7, 2.0)
    assert isinstance(robot["speed"], float)


def test_lifecycle_nodes_and_required_nodes_are_launched_as_such(stubs: pytest.MonkeyPatch) -> None:
    nodes = by_name(started("sim", **ALL))
    for process in load_bringup("sim").resolve(ALL, "/recorded"):
        node = nodes[process.name]
        assert (type(node).__name__ == "LifecycleNode") == process.lifecycle
        assert ("on_exit" in node.kwargs) == process.required
        assert node.kwargs["remappings"] == list(process.remappings.items())
    end = nodes["robot_node"].kwargs["on_exit"]
    assert [type(action).__name__ for action in end(None, SimpleNamespace(is_shutdown=False))] == ["Shutdown"]
    assert end(None, SimpleNamespace(is_shutdown=True)) is None


@pytest.mark.parametrize("name", FILES)
def test_a_launch_records_into_a_folder_of_its_own_unless_told_not_to(
    stubs: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    others = {"robot_node", "policy_node", "firmware_node"}
    said, *nodes = actions(name, record_folder=str(tmp_path / "runs"))
    (folder,) = (tmp_path / "runs").iterdir()
    assert said.kwargs["msg"] == f"recording into {folder}" and (folder / "arguments.json").is_file()
    told = {node.kwargs["executable"]: node.kwargs["parameters"][0].get("record") for node in nodes}
    assert {told[node] for node in (set(told) & others - {"firmware_node"}) | {"recorder_node"}} == {str(folder)}
    silent = actions(name, record="false")
    told = {node.kwargs["executable"]: node.kwargs["parameters"][0].get("record") for node in silent}
    assert "recorder_node" not in told and {told[node] for node in set(told) & others} <= {"", None}
    assert set(tmp_path.rglob("arguments.json")) == {folder / "arguments.json"}


def test_a_launch_that_cannot_be_recorded_says_so_and_starts(stubs: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stubs.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    said, *nodes = actions("sim")
    assert "no recording" in said.kwargs["msg"] and set(by_name(nodes)) == {"robot_node", "policy_node", "viewer_node"}
    with pytest.raises(RecordingError, match="no recording"):
        actions("sim", record_folder=str(tmp_path / "file"))


def test_tf_comes_from_robot_state_publisher_where_it_is_installed(stubs: pytest.MonkeyPatch) -> None:
    assert "robot_state_publisher" not in by_name(started("sim"))
    packages = modules(("robot_state_publisher",))["ament_index_python.packages"]
    stubs.setitem(sys.modules, "ament_index_python.packages", packages)
    sys.modules.pop("robot_policies.nodes.launch_actions")
    node = by_name(started("sim", namespace="r1"))["robot_state_publisher"]
    assert (node.kwargs["package"], node.kwargs["namespace"]) == ("robot_state_publisher", "r1")
    (text,) = node.kwargs["parameters"][0]["robot_description"].args
    assert ElementTree.fromstring(text).get("name") == "go2"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"robot": "go3"}, "a robot named 'go3'"),
        ({"policy": "nothing"}, "a bundle named 'nothing'"),
        ({"speed": "fast"}, "speed; found fast"),
        ({"viewer": "maybe"}, "viewer; found maybe; valid: true, false"),
    ],
)
def test_a_wrong_value_starts_nothing(stubs: pytest.MonkeyPatch, given: dict[str, str], says: str) -> None:
    with pytest.raises(ResourceError, match=says):
        started("sim", **given)


def test_the_stand_ins_have_the_names_of_the_real_modules() -> None:
    pytest.importorskip("launch_ros", reason="ROS 2's launch is not installed")
    for name, module in modules(()).items():
        real = importlib.import_module(name)
        assert {key for key, value in vars(module).items() if inspect.isclass(value)} <= set(vars(real))
