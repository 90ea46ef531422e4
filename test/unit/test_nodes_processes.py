"""Processes of a bring-up: found before anything starts, watched, ended in order, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from robot_policies.exceptions import ResourceError, RobotError
from robot_policies.nodes import processes as module
from robot_policies.nodes.bringup import Process
from robot_policies.nodes.processes import Processes, set_discovery_defaults

# Says that it is there, and when it is asked to end; `deaf` ones do not listen.
CHILD = """
import os, pathlib, signal, sys, time
log, name, deaf, code = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "deaf", int(sys.argv[4])
def say(word):
    with log.open("a") as file:
        file.write(f"{name} {word} {os.getsid(0) == os.getpid()}\\n")
def end(signum, frame):
    say(signal.Signals(signum).name)
    if not deaf:
        sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as Stop does
say("starts")
if code >= 0:
    sys.exit(code)
while True:
    time.sleep(0.05)
"""


def process(name: str, required: bool = False, executable: str = "robot_node") -> Process:
    return Process(name, executable, "", {}, {}, required, False)


class Children:
    """Processes whose commands are those of ``CHILD``."""

    def __init__(self, folder: Path, *wanted: tuple[str, str, int, bool]) -> None:
        self.log = folder / "log"
        self.processes = Processes([process(name, required) for name, _, _, required in wanted])
        script = folder / "child.py"
        script.write_text(CHILD)
        self.processes._commands = [
            (process(name, required), [sys.executable, str(script), str(self.log), name, hearing, str(code)])
            for name, hearing, code, required in wanted
        ]
        self.processes.start()

    def said(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def wait(self, done: Callable[[], bool], limit: float = 10.0) -> None:
        end = time.monotonic() + limit
        while not done():
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def started(self, count: int) -> None:
        self.wait(lambda: sum("starts" in line for line in self.said()) == count)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Callable[..., Children]]:
    made: list[Children] = []

    def make(*wanted: tuple[str, str, int, bool]) -> Children:
        made.append(Children(tmp_path, *wanted))
        return made[-1]

    yield make
    for each in made:
        each.processes.stop()


def test_an_executable_that_is_not_installed_is_told_before_anything_starts() -> None:
    with pytest.raises(ResourceError, match="'moon_node'; found none; valid: a console script"):
        Processes([process("robot_node"), process("moon_node", executable="moon_node")])


def test_a_command_runs_the_module_of_the_console_script_with_this_python() -> None:
    ((_, command),) = Processes([process("robot_node")])._commands
    assert command == [sys.executable, "-m", "robot_policies.nodes.robot_node", "--ros-args"]


def test_they_end_in_reverse_order_each_in_a_session_of_its_own(children: Callable[..., Children]) -> None:
    group = children(("robot", "hears", -1, True), ("policy", "hears", -1, True), ("viewer", "hears", -1, False))
    group.started(3)
    pids = group.processes.pids()
    assert list(pids) == ["robot", "policy", "viewer"]
    group.processes.check()
    group.processes.stop()
    ends = [line for line in group.said() if "starts" not in line]
    assert ends == ["viewer SIGINT True", "policy SIGINT True", "robot SIGINT True"]
    assert group.processes.pids() == {}
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    group.processes.stop()  # twice is once


def test_the_end_of_a_required_process_is_an_error(children: Callable[..., Children]) -> None:
    group = children(("robot", "hears", 7, True), ("policy", "hears", -1, True))
    group.started(2)
    with pytest.raises(RobotError, match="robot has ended with code 7"):
        group.wait(lambda: group.processes.check() is not None)
    assert list(group.processes.pids()) == ["policy"]


@pytest.mark.parametrize(("code", "told"), [(3, ""), (1, "code 1; going on without it"), (0, "code 0")])
def test_the_end_of_another_is_one_line_and_of_a_viewer_without_a_display_none(
    children: Callable[..., Children], capsys: pytest.CaptureFixture[str], code: int, told: str
) -> None:
    group = children(("robot", "hears", -1, True), ("viewer", "hears", code, False))
    group.started(2)

    def ended() -> bool:
        group.processes.check()
        return "viewer" not in group.processes.pids()

    group.wait(ended)
    group.processes.check()
    assert group.processes.ended == {"viewer": code}
    error = capsys.readouterr().err
    assert (told in error and len(error.splitlines()) == 1) if told else error == ""


def test_one_that_does_not_end_is_killed(children: Callable[..., Children], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_LIMIT", 0.5)
    group = children(("robot", "deaf", -1, True))
    group.started(1)
    pid = group.processes.pids()["robot"]
    begun = time.monotonic()
    group.processes.stop()
    assert 0.5 <= time.monotonic() - begun < 5.0
    assert "robot SIGINT True" in group.said()  # it was asked first
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    log, script = tmp_path / "log", tmp_path / "child.py"
    script.write_text(CHILD)
    parent = f"""
import sys, time
from robot_policies.nodes.bringup import Process
from robot_policies.nodes.processes import Processes
made = Processes([])
made._commands = [(Process("robot", "x", "", {{}}, {{}}, True, False),
                   [sys.executable, {str(script)!r}, {str(log)!r}, "robot", "hears", "-1"])]
made.start()
time.sleep(60)
"""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen([sys.executable, "-c", parent], env={**os.environ, "PYTHONPATH": path})
    try:
        deadline = time.monotonic() + 20.0
        while not (log.exists() and "starts" in log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
    while "SIGTERM" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_profile_of_dds_is_ours_unless_the_user_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    monkeypatch.delenv(names[0])
    monkeypatch.setenv(names[1], "/mine.xml")
    set_discovery_defaults()
    assert Path(os.environ[names[0]]).name == "fastdds.xml" and Path(os.environ[names[0]]).is_file()
    assert os.environ[names[1]] == "/mine.xml"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # nothing here takes signals over
