"""A checkout with the script ``run``, and an interpreter that only notes what it was asked to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from helpers.checkout import ROOT

# An interpreter to build with, and the one that it puts into .venv: notes its arguments in $CALLS.
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
case $* in
"-c import sys"*) echo "${FAKE_FOUND:-cpython 3.12}" ;;
"-c import ensurepip"*) exit "${FAKE_NO_VENV:-0}" ;;
"-c import rclpy") exit "${FAKE_NO_RCLPY:-1}" ;;
"-m venv"*)
    for last; do :; done
    mkdir -p "$last/bin"
    cp "$0" "$last/bin/python"
    cp "$0" "$last/bin/robot-policies"
    ;;
"-m pip"*)
    sleep "${FAKE_SECONDS:-0}"
    echo "what pip says"
    exit "${FAKE_PIP:-0}"
    ;;
"show") echo "cwd=$PWD"; env ;;
"demo"* | "-m pytest"*) echo "$PWD: $*" ;;
esac
"""


class Checkout:
    """A folder with ``run`` and what it reads, and the fake interpreter on PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a check out"
        self.root.mkdir()
        for name in ("run", "requirements.txt", "requirements-torch.txt", "setup.py", "setup.cfg"):
            shutil.copy(ROOT / name, self.root / name)
        tools = folder / "tools"
        tools.mkdir()
        self.python = tools / "python3"
        self.python.write_text(FAKE)
        self.python.chmod(0o755)
        self.calls_file = folder / "calls"
        own = ("ROS_DISTRO", "AMENT_PREFIX_PATH", "PYTHON", "ROS_AUTOMATIC_DISCOVERY_RANGE", "VIRTUAL_ENV")
        profiles = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
        self.env = {key: value for key, value in os.environ.items() if key not in (*own, *profiles)}
        self.env |= {"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(self.calls_file)}

    def start(self, *arguments: str, cwd: Path | None = None, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "run"), *arguments],
            cwd=cwd or self.root,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, cwd=cwd, **env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def calls(self) -> list[str]:
        """Return what the interpreters were asked to install since the last time."""
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        self.calls_file.write_text("")
        return [line for line in text.splitlines() if line.startswith(("-m venv", "-m pip"))]
