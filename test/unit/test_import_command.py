"""``robot-policies import`` as a user runs it: what it prints, what it returns, what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.foreign import deploy, description, rl_sar, write_mlp, write_yaml

from robot_policies.bundle.golden import check_golden
from robot_policies.bundle.load import load_bundle
from robot_policies.robot_spec import load_robot_spec


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "robot_policies.cli", "import", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


def test_a_bundle_with_what_was_taken_for_granted(tmp_path: Path) -> None:
    done = command("--format", "unitree", deploy(tmp_path), tmp_path / "bundle", "--robot", "go2", "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert "mine: bundle for go2" in done.stdout
    assert "200 steps, relative difference 0" in done.stdout
    assert "start pose: the default positions" in done.stdout
    assert f"robot-policies check {tmp_path / 'bundle'} --robot go2" in done.stdout
    assert "note: unitree_rl_lab writes deploy.yaml with three significant digits" in done.stderr
    spec = load_robot_spec("go2")
    bundle = load_bundle(tmp_path / "bundle", spec)
    assert (bundle.contract.name, bundle.contract.licence) == ("mine", "not stated")
    assert check_golden(bundle, spec).ticks >= 32


def test_what_it_names_as_next_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("--format", "unitree", deploy(tmp_path), "bundle", "--robot", "go2")
    assert done.returncode == 0, done.stderr
    following = done.stdout.splitlines()[-1].split("next: robot-policies ")[1].split()
    line = [sys.executable, "-m", "robot_policies.cli", *following]
    checked = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0, checked.stderr


def test_the_readme_says_where_it_is_from(tmp_path: Path) -> None:
    done = command("--format", "rl_sar", rl_sar(tmp_path), tmp_path / "bundle", "--robot", "go2", "--licence", "MIT")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "bundle" / "README.md").read_text()
    for part in ("# go2_walk", "import --format rl_sar", "Licence: MIT", "config.yaml", "200 steps", "golden outputs"):
        assert part in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--format", "rl_sar", "SOURCE", "DEST"), "--robot"),
        (("--format", "rl_sar", "SOURCE", "DEST", "--robot", "go3"), "go3"),
        (("--format", "caffe", "SOURCE", "DEST", "--robot", "go2"), "caffe"),
        (("--format", "rl_sar", "NOWHERE", "DEST", "--robot", "go2"), "SOURCE"),
        (("--format", "rl_sar", "SOURCE", "THERE", "--robot", "go2"), "DEST"),
        (("--format", "rl_sar", "SOURCE", "DEST", "--robot", "go2", "--name", "My Policy"), "--name"),
        (("--format", "network", "NET", "DEST", "--robot", "go2"), "control_dt"),
        (("--format", "network", "NET", "DEST", "--robot", "g1", "--describe", "YAML"), "robot: go2"),
        (("SOURCE", "DEST", "--robot", "go2"), "--format"),
    ],
)
def test_one_line_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "mine.txt").write_text("keep")
    places = {
        "SOURCE": rl_sar(tmp_path),
        "NET": write_mlp(tmp_path / "net.onnx", 45),
        "YAML": write_yaml(tmp_path / "d.yaml", description()),
        "NOWHERE": tmp_path / "nowhere",
        "DEST": tmp_path / "bundle",
        "THERE": there,
    }
    done = command(*(places.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
    assert not (tmp_path / "bundle").exists()
    assert [item.name for item in there.iterdir()] == ["mine.txt"]


def test_help_lists_the_formats() -> None:
    done = command("--help")
    assert done.returncode == 0
    for name in ("rl_sar", "unitree", "onnx_metadata", "network"):
        assert f"  {name} " in done.stdout
