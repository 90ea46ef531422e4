"""The import rules of pyproject.toml hold, and each of them notices a violation."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from helpers.checkout import ROOT, clean_environment, run

# Where a violation is planted, what it imports, and the words of the contract that must notice it.
VIOLATIONS = {
    "robot_policies/safety/planted_policy.py": ("robot_policies.policies.velocity", "only go down"),
    "robot_policies/inference/planted_action.py": ("robot_policies.action.decoder", "only go down"),
    "robot_policies/bundle/planted_node.py": ("robot_policies.nodes.runtime", "only go down"),
    "robot_policies/planted_layer.py": ("math", "only go down"),
    "robot_policies/cli/planted_sim.py": ("sim2real.mujoco.robot", "never imports sim2real"),
    "robot_policies/robots/planted_robot.py": ("robot_policies.robots.mock", "no other robot"),
    "robot_policies/policies/planted_policy.py": ("robot_policies.policies.velocity", "Policies do not import"),
    "robot_policies/cli/planted_ros.py": ("rclpy.node", "only in nodes and bridges"),
    "robot_policies/control/planted_message.py": ("sensor_msgs.msg", "only in nodes and bridges"),
    "sim2real/evaluation/planted_ros.py": ("rclpy", "only in nodes and bridges"),
    "sim2real/firmware/planted_driver.py": ("robot_policies.robots.robot", "shares no code with a driver"),
    "robot_policies/nodes/planted_camera.py": ("pyrealsense2", "RealSense cameras only in its own"),
    "robot_policies/nodes/planted_mujoco.py": ("mujoco", "MuJoCo only in sim2real"),
    "robot_policies/bundle/importers/planted_torch.py": ("torch.onnx", "PyTorch only in training"),
    "sim2real/evaluation/planted_torch.py": ("torch", "PyTorch only in training"),
    "robot_policies/bundle/planted_child.py": (
        "robot_policies.bundle.importers.torchscript_convert",
        "Only the child process",
    ),
}


def lint(folder: Path) -> tuple[dict[str, str], str]:
    """Return contract -> KEPT or BROKEN, and all that was said."""
    shutil.copytree(ROOT / "robot_policies", folder / "robot_policies")
    shutil.copytree(ROOT / "sim2real", folder / "sim2real")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path in VIOLATIONS if folder.name == "planted" else ():
        (folder / path).write_text(f"import {VIOLATIONS[path][0]}\n")
    code = "import sys; from importlinter import cli; sys.exit(0 * cli.lint_imports(no_cache=True))"
    said = run(sys.executable, "-c", code, cwd=folder, env=clean_environment(PYTHONPATH=str(folder)))
    return dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", said, re.MULTILINE)), said


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """What is said of a copy with every violation."""
    folder = tmp_path_factory.mktemp("rules") / "planted"
    folder.mkdir()
    return lint(folder)


@pytest.mark.parametrize("path", VIOLATIONS)
def test_a_violation_is_noticed(path: str, planted: tuple[dict[str, str], str]) -> None:
    contracts, said = planted
    words = VIOLATIONS[path][1]
    assert [verdict for name, verdict in contracts.items() if words in name] == ["BROKEN"]
    module = path.removesuffix(".py").replace("/", ".")
    assert module in said.split("Broken contracts")[1]


def test_every_rule_has_a_violation(planted: tuple[dict[str, str], str]) -> None:
    assert set(planted[0].values()) == {"BROKEN"}


def test_the_rules_hold(tmp_path: Path) -> None:
    contracts, said = lint(tmp_path)
    assert set(contracts.values()) == {"KEPT"}, said
