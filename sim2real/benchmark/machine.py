"""On what a benchmark was run, and what else ran beside it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

QUIET = 0.5  # load average, over which a machine has something else to do
PACKAGES = ("numpy", "onnxruntime", "mujoco", "ros-jazzy-rclpy", "ros-jazzy-rmw-fastrtps-cpp", "torch")


def machine() -> dict[str, Any]:
    """Return processor, cores, kernel and the versions of what is measured."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def not_quiet(at_start: float) -> str | None:
    """Return a warning where the machine was not quiet at the start."""
    if at_start <= QUIET:
        return None
    return f"the machine is not quiet: load {at_start:g}, over {QUIET:g}; the figures are not those of the budgets"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
