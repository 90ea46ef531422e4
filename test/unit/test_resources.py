"""Names to paths: the order of the levels, what is refused, and where an installation keeps its data."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from robot_policies import resources
from robot_policies.exceptions import ResourceError
from robot_policies.resources import KINDS, find, listing, plugin, plugins, share_folder

ROOT = Path(__file__).resolve().parents[2]


def put(root: Path, kind: str, name: str) -> Path:
    """Write a thing of that kind below ``root``, where a level keeps it; return what ``find`` must give."""
    folder = root / KINDS[kind].folder
    file = folder / name / "policy.yaml" if kind == "bundles" else folder / (name + KINDS[kind].suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    return file.parent if kind == "bundles" else file


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders in ROBOT_POLICIES_PATH."""
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv("ROBOT_POLICIES_PATH", os.pathsep.join(map(str, folders)))
    return folders


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "robot_policies"


def test_shipped_things_are_found() -> None:
    assert find("robots", "go2") == ROOT / "config" / "robots" / "go2.yaml"
    assert find("models", "go2") == ROOT / "sim2real" / "mujoco" / "models" / "go2.xml"
    assert find("courses", "flat") == ROOT / "sim2real" / "evaluation" / "courses" / "flat.yaml"
    assert find("bundles", "go2_walk") == ROOT / "bundles" / "go2_walk"


@pytest.mark.parametrize("kind", KINDS)
def test_the_listing_is_what_find_gives(kind: str) -> None:
    assert all(find(kind, name) == path for name, path in listing(kind))
    assert [name for name, _ in listing(kind)] == sorted(name for name, _ in listing(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_wins_over_the_next(kind: str, given: tuple[Path, Path], user: Path) -> None:
    in_user = put(user, kind, "go2")
    assert find(kind, "go2") == in_user
    in_second = put(given[1], kind, "go2")
    assert find(kind, "go2") == in_second
    assert dict(listing(kind))["go2"] == in_second


@pytest.mark.parametrize("kind", KINDS)
def test_twice_at_one_level_is_refused_with_both_places(kind: str, given: tuple[Path, Path]) -> None:
    paths = [put(folder, kind, "twin") for folder in given]
    for refused in (lambda: find(kind, "twin"), lambda: listing(kind)):
        with pytest.raises(ResourceError) as error:
            refused()
        assert all(str(path) in str(error.value) for path in paths)


def test_twice_at_one_level_is_no_error_for_other_names(given: tuple[Path, Path]) -> None:
    put(given[0], "robots", "one")
    other = put(given[1], "robots", "other")
    assert find("robots", "other") == other


def test_one_folder_named_twice_is_one_folder(given: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(given[0], "robots", "mine")
    alias = given[0].parent / "alias"
    alias.symlink_to(given[0])
    monkeypatch.setenv("ROBOT_POLICIES_PATH", f"{given[0]}:{given[0]}::{alias}")
    assert find("robots", "mine") == path


def test_a_missing_folder_in_the_path_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ResourceError, match="ROBOT_POLICIES_PATH.*nowhere"):
        find("robots", "go2")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ResourceError, match=r"a robot named 'go3'; found none; valid: .*go2.*\./go3") as error:
        find("robots", "go3")
    assert "\n" not in str(error.value)


def test_an_unknown_kind_lists_the_kinds() -> None:
    for refused in (lambda: find("robot", "go2"), lambda: listing("robot")):
        with pytest.raises(ResourceError, match=r"'robot'; valid: robots, safety"):
            refused()


@pytest.mark.parametrize("kind", KINDS)
def test_an_explicit_path_needs_no_name(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, kind, "own")
    monkeypatch.chdir(path.parent)
    ending = KINDS[kind].suffix if kind != "bundles" else ""
    assert find(kind, path) == path
    assert find(kind, str(path)) == path
    assert find(kind, f"./own{ending}") == Path(f"own{ending}")
    assert find(kind, Path(f"own{ending}")) == Path(f"own{ending}")


def test_a_file_in_the_current_folder_needs_its_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(put(tmp_path, "robots", "go2"), tmp_path / "go2.yaml")
    monkeypatch.chdir(tmp_path)
    assert find("robots", "go2.yaml") == Path("go2.yaml")
    assert find("robots", "go2") == ROOT / "config" / "robots" / "go2.yaml"


def test_a_bundle_may_be_named_by_its_policy_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = put(tmp_path, "bundles", "own")
    assert find("bundles", bundle / "policy.yaml") == bundle
    monkeypatch.chdir(bundle)
    assert find("bundles", "policy.yaml").resolve() == bundle


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = put(tmp_path / "mine", "robots", "own")
    assert find("robots", "~/mine/config/robots/own.yaml") == path
    monkeypatch.setenv("ROBOT_POLICIES_PATH", "~/mine")
    assert find("robots", "own") == path


def test_without_xdg_the_user_folder_is_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    path = put(tmp_path / ".local" / "share" / "robot_policies", "bundles", "own")
    assert find("bundles", "own") == path


@pytest.mark.parametrize(
    ("kind", "path", "found"),
    [
        ("robots", "nowhere/x.yaml", "no such path"),
        ("robots", "folder/", "a folder"),
        ("bundles", "nowhere/x", "no such path"),
        ("bundles", "folder/", "a folder"),
        ("bundles", "./file", "a file"),
    ],
)
def test_a_wrong_path_says_what_was_found(
    kind: str, path: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResourceError, match=f"found {found}; valid: "):
        find(kind, path)


def install(prefix: Path, packages: str) -> Path:
    """Lay the module and the data out as an installation does; return the module's path."""
    module = prefix / packages / "robot_policies" / "resources.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    (prefix / "share" / "robot_policies" / "config").mkdir(parents=True)
    (prefix / "share" / "robot_policies" / "package.xml").write_text("")
    return module


@pytest.mark.parametrize(
    "packages",
    ["lib/python3.11/site-packages", "local/lib/python3.12/dist-packages", "lib64/python3.13/site-packages", ""],
)
def test_the_data_of_an_installation_is_below_its_prefix(
    packages: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "__file__", str(install(tmp_path, packages)))
    assert share_folder() == tmp_path / "share" / "robot_policies"


def test_a_linked_package_finds_its_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install(tmp_path / "install", "lib/python3.11/site-packages")
    shutil.rmtree(module.parent)
    module.parent.symlink_to(ROOT / "robot_policies")
    monkeypatch.setattr(resources, "__file__", str(module))
    assert share_folder() == ROOT


def test_an_installation_without_data_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = install(tmp_path, "lib/python3.11/site-packages")
    (tmp_path / "share" / "robot_policies" / "package.xml").unlink()
    monkeypatch.setattr(resources, "__file__", str(module))
    with pytest.raises(ResourceError, match="the shipped data; found none"):
        find("robots", "go2")


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, "robot_policies.robots")


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points that distributions offer, instead of the installed ones."""
    offered: list[EntryPoint] = []
    groups = {"robot_policies.robots": offered}
    monkeypatch.setattr(resources, "entry_points", lambda group: groups.get(group, []))
    return offered


def test_a_plugin_is_loaded_by_name(points: list[EntryPoint]) -> None:
    points.append(entry("finder", "robot_policies.resources:find"))
    assert plugin("robots", "finder") is find


def test_an_unknown_plugin_lists_the_known_ones(points: list[EntryPoint]) -> None:
    points += [entry("mock", "a:b"), entry("mujoco", "c:d")]
    with pytest.raises(ResourceError, match="'real' of robot_policies.robots; found none; valid: mock, mujoco"):
        plugin("robots", "real")


@pytest.mark.parametrize("value", ["robot_policies.no_such_module", "robot_policies.resources:no_such_name"])
def test_a_plugin_that_cannot_be_loaded_says_which(points: list[EntryPoint], value: str) -> None:
    points.append(entry("broken", value))
    with pytest.raises(ResourceError, match=f"robots broken: {value} cannot be loaded: .*no_such"):
        plugin("robots", "broken")


def test_one_distribution_seen_twice_is_one(points: list[EntryPoint]) -> None:
    points += [entry("mock", "a:b"), entry("mock", "a:b")]
    assert list(plugins("robots")) == ["mock"]


def test_two_plugins_of_one_name_are_refused(points: list[EntryPoint]) -> None:
    points += [entry("mock", "a:b"), entry("mock", "other:b")]
    with pytest.raises(ResourceError, match="a:b and other:b"):
        plugins("robots")
