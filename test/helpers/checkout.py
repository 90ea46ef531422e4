"""Copies of this checkout, and Python environments that see the packages of this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The names of the interpreter that runs the tests; another environment must find its own libraries.
FOREIGN = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH", "ROBOT_POLICIES_PATH")


def copy_checkout(destination: Path) -> Path:
    """Copy what git tracks, and what it would, to ``destination``; without git, all but what installations make."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, destination / name)
    return destination


def clean_environment(**added: str) -> dict[str, str]:
    """Return the environment for a process that must not see this one's installation."""
    return {key: value for key, value in os.environ.items() if key not in FOREIGN} | added


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run to the end and return the standard output; a failure raises with all that was said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment() if env is None else env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{command[0]} has ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that finds the dependencies here, but not this installation's share and lib."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)
    packages = next(folder.glob("lib/python3*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def pip(environment: Path, *arguments: str | Path) -> str:
    """Run this interpreter's pip on another environment, from what is here only."""
    command = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", *arguments)
    return run(*command, cwd=environment)
