"""The lists that must agree: pins, dependencies, package.xml, entry points, executables."""

from __future__ import annotations

import ast
import os
import re
import sys
from importlib.metadata import EntryPoint, entry_points, requires
from xml.etree import ElementTree

import pytest
from helpers.checkout import ROOT
from packaging.requirements import Requirement

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PINS = ("requirements.txt", "requirements-torch.txt")
ROS_NAMES = re.compile(r"rclpy|launch|launch_ros|ament_index_python|\w+_(msgs|srvs|interfaces)")


def lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def pinned(python: str, *names: str) -> dict[str, list[str]]:
    """Return package -> its pinned versions for one Python."""
    found: dict[str, list[str]] = {}
    for requirement in (Requirement(line) for name in names for line in lines(name)):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            found.setdefault(requirement.name, []).append(str(requirement.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("name", PINS)
def test_every_line_is_one_exact_version(name: str) -> None:
    marker = r'( ; (python_version (<|>=|==) "3\.1\d"|platform_machine == "x86_64"))?'
    form = re.compile(rf"[a-z0-9-]+==[0-9][0-9a-z.]*{marker}")
    assert [line for line in lines(name) if not form.fullmatch(line)] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_is_pinned_once(python: str) -> None:
    versions = pinned(python, *PINS)
    assert {name: found for name, found in versions.items() if len(found) != 1} == {}
    assert len(versions) > 150


@pytest.mark.parametrize("python", PYTHONS)
def test_the_pins_are_versions_that_the_distribution_allows(python: str) -> None:
    versions = pinned(python, *PINS)
    for requirement in map(Requirement, requires("robot_policies") or ()):
        name = requirement.name.lower().replace("_", "-")
        assert requirement.specifier.contains(versions[name][0]), requirement


def test_torch_is_only_in_its_own_file() -> None:
    plain = pinned("3.11", "requirements.txt")
    assert not {"torch", "rsl-rl-lib", "tensorboard"} & set(plain)
    assert lines("requirements-torch.txt")[0].startswith("torch==")


def test_no_list_names_a_host_or_an_index() -> None:
    for name in (*PINS, "run", "setup.py", ".ci/run"):
        assert not re.search(r"https?://|--(extra-)?index|--find-links", (ROOT / name).read_text()), name


def imported_ros() -> set[str]:
    """Return the ROS packages that the code imports."""
    names: set[str] = set()
    for path in (path for folder in ("robot_policies", "sim2real", "launch") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module)
    return {name.split(".")[0] for name in names if ROS_NAMES.fullmatch(name.split(".")[0])}


def test_package_xml_depends_on_every_ros_package_that_is_imported() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    declared = {element.text for element in package.findall("exec_depend")}
    assert {"rclpy", "sensor_msgs", "launch"} <= imported_ros() <= declared


def test_package_xml_is_one_that_colcon_takes_for_an_ament_package() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    maintainer = package.find("maintainer")
    assert maintainer is not None
    assert re.fullmatch(r"[\w.-]+@[\w-]+(\.[\w-]+)+", maintainer.get("email", ""))  # else colcon says plain Python
    assert package.findtext("export/build_type") == "ament_python"
    assert (ROOT / "resource" / "robot_policies").is_file()


def own(group: str) -> list[EntryPoint]:
    return [point for point in entry_points(group=group) if point.value.startswith(("robot_policies.", "sim2real."))]


ALL = [
    point
    for group in ("robots", "cameras", "films", "policies", "commands")
    for point in sorted({(p.name, p.value, p.group) for p in own(f"robot_policies.{group}")})
] + sorted({(p.name, p.value, p.group) for p in own("console_scripts")})


@pytest.mark.parametrize("point", ALL, ids=lambda point: f"{point[2]}-{point[0]}")
def test_every_entry_point_leads_to_something(point: tuple[str, str, str]) -> None:
    loaded = EntryPoint(*point).load()
    if point[2] == "robot_policies.commands":
        assert loaded.HELP
        assert callable(loaded.add_arguments)
        assert callable(loaded.main)
    else:
        assert callable(loaded)


def test_the_entry_points_installed_are_those_of_setup_py() -> None:
    stated = re.findall(r'"([\w-]+) = ([\w.:]+)"', (ROOT / "setup.py").read_text())
    assert {(name, value) for name, value, _ in ALL} >= set(stated)
    assert len(stated) >= 12


def test_the_executables_can_be_executed() -> None:
    for path in (ROOT / "run", ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()):
        assert os.access(path, os.X_OK), path
        assert path.read_text().startswith("#!"), path


def test_this_python_is_one_that_is_supported() -> None:
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in PYTHONS
