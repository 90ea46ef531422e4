"""The verb list: every kind, every name, where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_policies import resources
from robot_policies.cli.main import main
from robot_policies.exceptions import ResourceError


def listed(argv: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    """Return what ``robot-policies list`` prints: title -> name -> place."""
    assert main(["list", *argv]) == 0
    blocks: dict[str, dict[str, str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if not line.startswith(" "):
            rows = blocks.setdefault(line.rstrip(":"), {})
        else:
            name, _, place = line.strip().rpartition("  ")
            rows[name.strip()] = place
    return blocks


def test_it_prints_every_kind_and_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = listed([], capsys)
    assert set(blocks) == {*resources.KINDS, "plugins"}
    for kind in resources.KINDS:
        names = [name for name, _ in resources.listing(kind)]
        assert [name for name in blocks[kind] if name] == names


def test_one_kind_prints_that_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(listed(["courses"], capsys)) == {"courses"}


def test_plugins_are_the_entry_points(capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(["plugins"], capsys)["plugins"]
    assert rows["robots: mujoco"] == "sim2real.mujoco.robot:create"
    assert rows["robots: mock"] == "robot_policies.robots.mock:create"
    assert rows["cameras: mujoco"] == "sim2real.mujoco.depth_camera:create"
    assert rows["policies: velocity"] == "robot_policies.policies.velocity:VelocityPolicy"
    verbs = {name.split()[1] for name in rows if name.startswith("commands:")}
    assert verbs >= {"run", "demo", "list", "check", "import", "eval", "train"}


def test_a_robot_of_the_user_hides_the_shipped_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "config" / "robots" / "go2.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("{}")
    monkeypatch.setenv("ROBOT_POLICIES_PATH", str(tmp_path))
    assert listed(["robots"], capsys)["robots"]["go2"] == str(own)
    monkeypatch.chdir(tmp_path)
    assert listed(["robots"], capsys)["robots"]["go2"] == "config/robots/go2.yaml"


def test_an_empty_kind_says_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "listing", lambda kind: [])
    assert main(["list", "layouts"]) == 0
    assert capsys.readouterr().out.split() == ["layouts:", "(none)"]


def test_a_name_twice_stops_the_listing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(kind: str) -> list[tuple[str, Path]]:
        raise ResourceError("one robot named 'go2'; found a and b; valid: one of them removed")

    monkeypatch.setattr(resources, "listing", twice)
    assert main(["list"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "found a and b" in err


def test_an_unknown_kind_lists_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["list", "robot"])
    assert stop.value.code == 2
    assert "robots" in capsys.readouterr().err
