"""What the script ``run`` installs and when, with an interpreter that only notes what it was asked to install.

Real installations with it are made by CI, whose first step is a clean checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time

import pytest
from helpers.checkout import ROOT
from helpers.fake_python import Checkout


def test_the_first_use_installs_and_the_second_does_not(checkout: Checkout) -> None:
    first = checkout.run("demo", "--seconds", "2")
    assert first.returncode == 0
    assert first.stdout == f"{checkout.root}: demo --seconds 2\n"
    made, pins, own = checkout.calls()
    assert made == f"-m venv {checkout.root}/.venv"
    assert pins.startswith("-m pip install --no-deps -r ")
    assert own == f"-m pip install --no-deps --no-build-isolation -e {checkout.root}"

    second = checkout.run("demo")
    assert (second.stdout, second.stderr) == (f"{checkout.root}: demo\n", "")
    assert checkout.calls() == []


def test_it_is_quick_when_nothing_changed(checkout: Checkout) -> None:
    checkout.run("true")
    times = []
    for _ in range(5):
        start = time.monotonic()
        checkout.run("true")
        times.append(time.monotonic() - start)
    assert min(times) < 0.3


@pytest.mark.parametrize("name", ["requirements.txt", "setup.py", "setup.cfg"])
def test_a_changed_file_is_installed_without_a_new_environment(name: str, checkout: Checkout) -> None:
    checkout.run("true")
    checkout.calls()
    with (checkout.root / name).open("a") as file:
        file.write("\n# changed\n")
    assert checkout.run("true").returncode == 0
    assert [call.split(" -")[0] for call in checkout.calls()] == ["-m pip install", "-m pip install"]
    checkout.run("true")
    assert checkout.calls() == []


def test_a_failed_installation_is_reported_and_made_again(checkout: Checkout) -> None:
    failed = checkout.run("demo", FAKE_PIP="1")
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert "what pip says" in failed.stderr
    assert "the installation failed" in failed.stderr.splitlines()[-1]
    checkout.calls()
    assert checkout.run("demo").returncode == 0
    assert len(checkout.calls()) == 3


def test_after_a_failed_update_the_old_requirements_are_installed_anew(checkout: Checkout) -> None:
    checkout.run("true")
    pins = checkout.root / "requirements.txt"
    before = pins.read_text()
    pins.write_text(before + "# changed\n")
    assert checkout.run("true", FAKE_PIP="1").returncode == 2
    pins.write_text(before)
    checkout.calls()
    assert checkout.run("true").returncode == 0
    assert len(checkout.calls()) == 3


def test_an_interrupted_installation_is_made_again(checkout: Checkout) -> None:
    process = checkout.start("demo", FAKE_SECONDS="30")
    deadline = time.monotonic() + 20
    while not any("pip" in call for call in checkout.calls()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (checkout.root / ".venv").is_dir()
    again = checkout.run("demo")
    assert again.stdout == f"{checkout.root}: demo\n"
    assert len(checkout.calls()) == 3


@pytest.mark.parametrize("left", ["nothing", "python", "link"])
def test_a_half_made_environment_is_made_again(left: str, checkout: Checkout) -> None:
    bin_folder = checkout.root / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    if left == "python":
        shutil.copy(checkout.python, bin_folder / "python")
    if left == "link":
        checkout.run("true")
        (bin_folder / "python").unlink()
        (bin_folder / "python").symlink_to("/nowhere/python3")  # the interpreter was removed from the machine
    checkout.calls()
    assert checkout.run("demo").stdout == f"{checkout.root}: demo\n"
    assert len(checkout.calls()) == 3


def test_a_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.run("true")
    checkout.calls()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert checkout.run("demo").stdout == f"{checkout.root}: demo\n"
    assert checkout.calls()[0] == f"-m venv {checkout.root}/.venv"


def test_two_that_start_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start("demo", FAKE_SECONDS="0.3") for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == [f"{checkout.root}: demo\n"] * 2
    assert len(checkout.calls()) == 3


@pytest.mark.parametrize("found", ["cpython 3.9", "cpython 3.14", "pypy 3.11"])
def test_another_interpreter_is_refused_before_anything_is_made(found: str, checkout: Checkout) -> None:
    done = checkout.run("demo", FAKE_FOUND=found)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "CPython 3.10 to 3.13 is needed" in done.stderr
    assert found in done.stderr
    assert not (checkout.root / ".venv").exists()


def test_a_python_that_is_missing_is_one_line(checkout: Checkout) -> None:
    done = checkout.run("demo", PYTHON="python3.99")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no python3.99 on PATH" in done.stderr


def test_a_python_without_venv_says_what_to_install(checkout: Checkout) -> None:
    done = checkout.run("demo", FAKE_NO_VENV="1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "python3-venv" in done.stderr
    assert not (checkout.root / ".venv").exists()


def test_python_chooses_the_interpreter_and_is_remembered(checkout: Checkout) -> None:
    other = checkout.python.with_name("python3.12")
    shutil.copy(checkout.python, other)
    checkout.run("true")
    checkout.calls()
    checkout.run("true", PYTHON=str(other))
    assert len(checkout.calls()) == 3
    checkout.run("true")  # without PYTHON, what is there stays
    checkout.run("true", PYTHON="python3.12")  # the same one by name
    assert checkout.calls() == []


def pinned(checkout: Checkout) -> list[str]:
    """Return what was handed to pip."""
    lines = (checkout.root / ".venv" / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_without_ros_the_wheels_of_jazzy_are_installed(checkout: Checkout) -> None:
    checkout.run("true")
    assert "ros-jazzy-rclpy==7.1.6" in pinned(checkout)
    assert pinned(checkout) == [
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")
    ]


@pytest.mark.parametrize("missing", ["ROS_DISTRO", "AMENT_PREFIX_PATH", "rclpy"])
def test_ros_counts_only_where_its_rclpy_can_be_imported(missing: str, checkout: Checkout) -> None:
    env = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": "/opt/ros/jazzy", "FAKE_NO_RCLPY": "0"}
    checkout.run("true", **(env | {"FAKE_NO_RCLPY": "1"} if missing == "rclpy" else env | {missing: ""}))
    assert "--system-site-packages" not in checkout.calls()[0]
    assert "ros-jazzy-rclpy==7.1.6" in pinned(checkout)


def test_with_ros_the_environment_sees_it_and_gets_no_wheels(checkout: Checkout) -> None:
    env = {"ROS_DISTRO": "humble", "AMENT_PREFIX_PATH": "/opt/ros/humble", "FAKE_NO_RCLPY": "0"}
    checkout.run("true", **env)
    assert checkout.calls()[0] == f"-m venv --system-site-packages {checkout.root}/.venv"
    lines = pinned(checkout)
    assert not [line for line in lines if line.startswith(("ros-", "colcon-"))]
    assert 'numpy==1.26.4 ; python_version < "3.13"' in lines
    assert "mujoco==3.17.0" in lines
    packages = [re.split("[=;]", line.replace(" ", ""))[0] + line.partition(";")[2] for line in lines]
    assert len(set(packages)) == len(packages)  # no package is pinned twice for one Python
    checkout.run("true", **env)
    assert checkout.calls() == []
    checkout.run("true")  # a shell without ROS: the environment is another one
    assert checkout.calls()[0] == f"-m venv {checkout.root}/.venv"


def test_torch_is_installed_first_and_only_when_asked(checkout: Checkout) -> None:
    checkout.run("test", "-q")
    assert not [call for call in checkout.calls() if "torch=" in call or "-torch.txt" in call]
    done = checkout.run("test", "-q", "--with-torch")
    assert done.stdout.endswith("-m pytest -q --with-torch\n")
    torch = [call for call in checkout.calls() if "torch=" in call or "-torch.txt" in call]
    assert torch[0] == "-m pip install torch==2.13.0"
    assert torch[1].endswith("requirements-torch.txt")
    checkout.run("test", "--with-torch")
    checkout.run("test")
    assert checkout.calls() == []


def test_a_failed_installation_of_torch_is_made_again(checkout: Checkout) -> None:
    checkout.run("test")
    assert checkout.run("test", "--with-torch", FAKE_PIP="1").returncode == 2
    checkout.calls()
    assert checkout.run("test", "--with-torch").returncode == 0
    assert "-m pip install torch==2.13.0" in checkout.calls()
