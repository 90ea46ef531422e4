"""A distribution of somebody else with a robot in it, as users add one: found by its entry point, in every process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def install_robot(monkeypatch: pytest.MonkeyPatch, folder: Path, backend: str, module: str) -> None:
    """Put the code ``module``, whose ``create`` makes robots of ``backend``, on the path until the test ends."""
    site = folder / "site"
    information = site / f"{backend}_robot-1.0.dist-info"
    information.mkdir(parents=True)
    (site / f"{backend}_robot.py").write_text(module)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {backend}-robot\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[robot_policies.robots]\n{backend} = {backend}_robot:create\n")
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{before}" if before else str(site))
