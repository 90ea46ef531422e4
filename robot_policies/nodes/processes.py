"""Starts the processes of a bring-up, watches them, and leaves none behind."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from robot_policies import resources
from robot_policies.exceptions import ResourceError, RobotError, expected
from robot_policies.nodes.bringup import Process

PR_SET_PDEATHSIG = 1  # linux/prctl.h
END_LIMIT = 5.0  # [s] for a process to land its robot and end
HEADLESS_CODE = 3  # a viewer's exit code when it cannot be shown: the bring-up goes on without it


def set_discovery_defaults() -> None:
    """Keep DDS on this machine and out of shared memory, unless the user's environment names another profile.

    ROS_AUTOMATIC_DISCOVERY_RANGE stays as it is: LOCALHOST would put transports of its own in place of the profile's.
    Fast DDS 2 (Humble, Jazzy) reads the second name, Fast DDS 3 the first.
    """
    profile = str(resources.share_folder() / "config" / "fastdds.xml")
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        os.environ.setdefault(name, profile)


class Processes:
    """The children of one bring-up, each in a session of its own, so that a Ctrl-C reaches them through us, once."""

    def __init__(self, processes: Sequence[Process]) -> None:
        """Find every executable. Raises ``ResourceError`` before anything is started."""
        self._commands = [(process, _command(process)) for process in processes]
        self._running: list[tuple[Process, subprocess.Popen[bytes]]] = []
        self.ended: dict[str, int] = {}  # codes of those that have ended by themselves, and were not required

    def start(self) -> None:
        """Start them all."""
        for process, command in self._commands:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_in_session)  # noqa: PLW1509
            self._running.append((process, child))

    def check(self) -> None:
        """Raise ``RobotError`` where a required process has ended; forget others that have, with a line."""
        for process, child in list(self._running):
            code = child.poll()
            if code is None:
                continue
            self._running.remove((process, child))
            if process.required:
                raise RobotError(f"{process.name} has ended with code {code}")
            self.ended[process.name] = code
            if code != HEADLESS_CODE:
                sys.stderr.write(f"{process.name} has ended with code {code}; going on without it\n")

    def stop(self) -> None:
        """End all in reverse order of their start, the robot node last, and wait for each."""
        for _, child in reversed(self._running):
            _end(child)
        self._running.clear()

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {process.name: child.pid for process, child in self._running}


def _command(process: Process) -> list[str]:
    points = importlib.metadata.entry_points(group="console_scripts", name=process.executable)
    modules = sorted({point.value.partition(":")[0] for point in points})
    if len(modules) != 1:
        found = ", ".join(modules) or "none"
        raise ResourceError(expected(f"one executable {process.executable!r}", found, "a console script of a package"))
    return [sys.executable, "-m", modules[0], *process.ros_arguments()]


def _in_session() -> None:
    """In the child: leave the terminal's group, end with the parent, and hold SIGINT back until ``Stop`` is there."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(END_LIMIT)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(END_LIMIT)
