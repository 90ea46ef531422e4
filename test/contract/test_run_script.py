"""What the commands of the script ``run`` see: the environment, their folder, and errors of one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from helpers.fake_python import Checkout


def test_test_runs_pytest_in_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.run("test", "-k", "a b", cwd=tmp_path)
    assert done.stdout == f"{checkout.root}: -m pytest -k a b\n"


def shown(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the environment that a command of ``run`` saw."""
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_any_command_runs_in_the_environment_and_in_the_callers_folder(checkout: Checkout, tmp_path: Path) -> None:
    seen = shown(checkout.run("python", "show", cwd=tmp_path))
    assert seen["cwd"] == str(tmp_path)
    assert seen["VIRTUAL_ENV"] == f"{checkout.root}/.venv"
    assert seen["PATH"].startswith(f"{checkout.root}/.venv/bin:")
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in seen  # it would replace the transports of the profile
    assert seen["FASTDDS_DEFAULT_PROFILES_FILE"] == f"{checkout.root}/config/fastdds.xml"
    assert seen["FASTRTPS_DEFAULT_PROFILES_FILE"] == f"{checkout.root}/config/fastdds.xml"


@pytest.mark.parametrize("value", ["SUBNET", ""])
def test_what_the_user_set_stays(value: str, checkout: Checkout) -> None:
    env = {"ROS_AUTOMATIC_DISCOVERY_RANGE": value, "FASTDDS_DEFAULT_PROFILES_FILE": value}
    seen = shown(checkout.run("python", "show", **env))
    assert {key: seen[key] for key in env} == env
    assert seen["FASTRTPS_DEFAULT_PROFILES_FILE"] == value


def test_the_libraries_of_another_environment_are_not_inherited(checkout: Checkout) -> None:
    own = shown(checkout.run("python", "show", _ROS_WHEELS_BOOTSTRAP_COMPLETE="", LD_LIBRARY_PATH="/mine"))
    assert own["LD_LIBRARY_PATH"] == "/mine"
    other = shown(checkout.run("python", "show", _ROS_WHEELS_BOOTSTRAP_COMPLETE="1", LD_LIBRARY_PATH="/other/lib"))
    assert not {"_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH"} & set(other)


def test_a_link_to_run_finds_its_checkout(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(checkout.root / "run")
    done = subprocess.run([link, "demo"], env=checkout.env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}: demo\n"


def test_the_code_of_the_command_is_the_code_of_run(checkout: Checkout) -> None:
    assert checkout.run("sh", "-c", "exit 7").returncode == 7


def test_an_unknown_command_is_one_line(checkout: Checkout) -> None:
    checkout.run("true")
    done = checkout.run("no-such-command")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "no command 'no-such-command'" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_without_a_command_it_says_how_it_is_used(arguments: tuple[str, ...], checkout: Checkout) -> None:
    done = checkout.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "./run demo" in done.stderr
    assert "set -eu" not in done.stderr
    assert not (checkout.root / ".venv").exists()
