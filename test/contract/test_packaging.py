"""What pip installs: the ament index, share/, lib/ and the models, found the same way as in a checkout."""

from __future__ import annotations

import configparser
import os
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.checkout import ROOT, clean_environment, copy_checkout, make_environment, pip, run

pytestmark = pytest.mark.slow

NODES = (
    *("robot_node", "policy_node", "teleop_node", "viewer_node", "waypoint_node"),
    *("camera_node", "depth_camera_node", "firmware_node", "recorder_node"),
)
EXECUTABLES = {"robot-policies", *NODES}
KINDS = ("robots", "safety", "bringup", "bundles", "models", "terrains", "courses")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that building leaves nothing here."""
    return copy_checkout(tmp_path_factory.mktemp("a checkout"))


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("--no-deps", "--no-build-isolation", "--no-index")
    run(sys.executable, "-m", "pip", "wheel", *build, "-w", folder, checkout, cwd=checkout)
    return next(folder.glob("robot_policies-*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it."""
    environment = make_environment(tmp_path_factory.mktemp("an environment") / "venv")
    pip(environment, "install", "--no-deps", "--no-index", wheel)
    return environment


def metadata(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(f".dist-info/{name}"))).decode()


def below(names: set[str], folder: str) -> Iterator[str]:
    """Return what the wheel lays below a folder of the prefix."""
    marker = f".data/data/{folder}/"
    return (name.split(marker)[1] for name in names if marker in name)


def test_share_holds_every_file_of_config_launch_and_bundles(checkout: Path, names: set[str]) -> None:
    wanted = {
        path.relative_to(checkout).as_posix()
        for folder in ("config", "launch", "bundles")
        for path in (checkout / folder).rglob("*")
        if path.is_file()
    }
    assert set(below(names, "share/robot_policies")) == wanted | {"package.xml"}
    assert {"config/fastdds.xml", "config/robots/go2.yaml"} <= wanted


def test_the_ament_index_marker_is_there(names: set[str]) -> None:
    assert set(below(names, "share/ament_index/resource_index/packages")) == {"robot_policies"}


def test_the_packages_carry_their_own_data(checkout: Path, names: set[str]) -> None:
    data = {
        path.relative_to(checkout).as_posix()
        for package in ("robot_policies", "sim2real")
        for path in (checkout / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pt"  # training states stay behind
    }
    assert {name for name in names if name.startswith(("robot_policies/", "sim2real/"))} == data
    assert "sim2real/mujoco/models/go2.xml" in data


def test_nothing_else_is_installed(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names if ".data/" not in name and ".dist-info/" not in name} == {
        "robot_policies",
        "sim2real",
    }


def test_torch_and_ros_are_extras(wheel: Path) -> None:
    fields = Parser().parsestr(metadata(wheel, "METADATA"))
    plain = {line for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert plain
    assert not [line for line in plain if line.startswith(("torch", "rsl", "ros-", "tensorboard"))]
    extra = {line.split(";")[0].strip() for line in fields.get_all("Requires-Dist", []) if "train" in line}
    assert {"torch==2.13.0", "rsl-rl-lib==5.5.1", "tensorboard", "matplotlib>=3.10"} == extra
    assert fields["Requires-Python"] == ">=3.10"


def test_the_version_is_the_same_everywhere(wheel: Path) -> None:
    version = Parser().parsestr(metadata(wheel, "METADATA"))["Version"]
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("version") == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_executable_starts_what_its_console_script_does(wheel: Path) -> None:
    points = configparser.ConfigParser(delimiters="=")
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read_string(metadata(wheel, "entry_points.txt"))
    assert set(points["console_scripts"]) == EXECUTABLES
    for name, target in points["console_scripts"].items():
        module, function = target.split(":")
        assert f"from {module} import {function};" in (ROOT / "scripts" / name).read_text()


def test_ament_finds_the_installation(installed: Path) -> None:
    code = "from ament_index_python.packages import *; print(get_package_share_directory('robot_policies'))"
    env = clean_environment(AMENT_PREFIX_PATH=str(installed))
    assert Path(run(installed / "bin/python", "-c", code, cwd=installed, env=env).strip()) == (
        installed / "share" / "robot_policies"
    )


def test_the_executables_are_where_ros_looks(installed: Path) -> None:
    folder = installed / "lib" / "robot_policies"
    assert {path.name for path in folder.iterdir()} == EXECUTABLES
    assert all(os.access(path, os.X_OK) for path in folder.iterdir())


def places(python: Path, cwd: Path, env: dict[str, str] | None = None) -> dict[str, dict[str, Path]]:
    """Return kind -> name -> path as an installation finds them, and the file that its package is."""
    code = "import sys; from robot_policies import resources as r\n"
    code += "for k in sys.argv[1:]:\n    for n, p in r.listing(k): print(k, n, p, sep='|')\n"
    code += "print('module', 'resources', r.__file__, sep='|')"
    found: dict[str, dict[str, Path]] = {}
    for line in run(python, "-c", code, *KINDS, cwd=cwd, env=env).splitlines():
        kind, name, path = line.split("|")
        found.setdefault(kind, {})[name] = Path(path)
    return found


def same_names(found: dict[str, dict[str, Path]], checkout: Path, tmp_path: Path) -> bool:
    """Return whether an installation finds the names that the checkout has, no more and no less."""
    own = places(Path(sys.executable), tmp_path, clean_environment(PYTHONPATH=str(checkout)))
    return {kind: set(names) for kind, names in found.items()} == {kind: set(names) for kind, names in own.items()}


def test_an_installation_finds_its_own_data(installed: Path, checkout: Path, tmp_path: Path) -> None:
    found = places(installed / "bin" / "python", tmp_path)
    assert all(path.is_relative_to(installed) and path.exists() for kind in found.values() for path in kind.values())
    assert same_names(found, checkout, tmp_path)


def test_the_executable_of_an_installation_runs_without_its_environment(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "lib/robot_policies/robot-policies", "list", "robots", cwd=tmp_path)
    assert f"{installed}/share/robot_policies/config/robots/go2.yaml" in listed


def test_an_editable_installation_uses_the_checkout(checkout: Path, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "venv")
    pip(environment, "install", "--no-deps", "--no-index", "--no-build-isolation", "-e", checkout)
    found = places(environment / "bin" / "python", tmp_path)
    assert all(path.is_relative_to(checkout) and path.exists() for kind in found.values() for path in kind.values())
    assert same_names(found, checkout, tmp_path)
    assert f"{checkout}/config" in run(environment / "bin/robot-policies", "list", "robots", cwd=tmp_path)


def sourced(setup: Path) -> dict[str, str]:
    """Return the environment after ``. install/local_setup.sh``, with this interpreter as python3."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lines = run("sh", "-c", f". '{setup}' >&2 && env -0", cwd=setup.parent, env=clean_environment(PATH=path))
    return dict(line.split("=", 1) for line in lines.split("\0") if line)


@pytest.mark.parametrize("linked", [False, True], ids=["copied", "symlinks"])
def test_colcon_builds_the_same_package(linked: bool, checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("colcon_ros", reason="colcon is not installed: it comes with ./run, or with ROS")
    if " " in sys.executable:
        pytest.skip("colcon writes scripts that do not quote their interpreter, and this one has a space in its path")
    options = ["--symlink-install"] if linked else []
    run(sys.executable, "-m", "colcon", "build", "--base-paths", checkout, *options, cwd=tmp_path)
    prefix = tmp_path / "install" / "robot_policies"
    home = checkout if linked else prefix
    assert {path.name for path in (prefix / "lib" / "robot_policies").iterdir()} == EXECUTABLES
    assert (prefix / "share/ament_index/resource_index/packages/robot_policies").exists()
    assert (prefix / "share/robot_policies/package.xml").is_file()

    env = sourced(tmp_path / "install" / "local_setup.sh")
    assert env["AMENT_PREFIX_PATH"] == str(prefix)
    found = places(Path(sys.executable), tmp_path, env)
    assert all(path.resolve().is_relative_to(home) for kind in found.values() for path in kind.values())
    assert same_names(found, checkout, tmp_path)
    listed = run(prefix / "lib/robot_policies/robot-policies", "list", "robots", cwd=Path("/"), env=env)
    assert f"{home}/".removeprefix("/") in listed
