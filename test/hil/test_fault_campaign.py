"""``robot-policies faults`` as a user runs it: a few kinds; the whole is run on demand (docs/faults.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from helpers.firmware import need_sdk
from helpers.node_process import ROOT, environment

FAULTS = (sys.executable, "-m", "robot_policies.cli", "faults")


def faults(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FAULTS, *arguments], env=environment(0), cwd=ROOT, capture_output=True, text=True, timeout=240.0
    )


def rows(path: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run it with one seed; return fault -> row."""
    done = faults("--modes", "active", "--seeds", "1", "--json", str(path), *arguments)
    told = {row["fault"]: row for row in json.loads(path.read_text())}
    assert all(fault in done.stdout for fault in told), done.stderr
    assert done.returncode == (0 if all(row["ok"] for row in told.values()) else 1)
    return told


@pytest.mark.slow
def test_in_simulation_a_dead_policy_lands_and_strangers_are_tolerated(tmp_path: Path) -> None:
    """On one start: after the fall the robot is set up again, and the policy is killed last."""
    kinds = ("tilt", "stranger_sends_nan", "velocity_nan", "policy_killed")
    told = rows(tmp_path / "faults.json", "--only", *kinds)
    killed, stranger = told["policy_killed"], told["stranger_sends_nan"]
    if not killed["control_clean"]:
        pytest.skip(f"the machine is too busy for real time, without a fault too: {killed}")
    assert (killed["expected"], killed["landing"]) == ("land", "damping"), killed
    assert "command_age" in killed["detected_by"]
    assert killed["safe"] and killed["detected_ms"] < 100.0, killed
    assert stranger["expected"] == "tolerate"
    assert "command_invalid" not in stranger["detected_by"], "a stranger's fault is not the holder's"
    late = {"command_age", "state_age", "state_gap", "policy"} & set(stranger["detected_by"].split(", "))
    if not stranger["control_clean"] or late:
        pytest.skip(f"the machine is too busy for real time: {stranger}")
    assert stranger["ok"], stranger
    tilted = told["tilt"]
    assert (tilted["landing"], tilted["safe"]) == ("damping", True) and tilted["detected_ms"] < 100.0, tilted
    assert "policy" not in told["velocity_nan"]["detected_by"], "a velocity that is no number is not the policy's fault"


@pytest.mark.slow
def test_on_the_wire_states_with_a_bad_checksum_or_old_values_land(tmp_path: Path) -> None:
    need_sdk()
    detected = {"state_bad_crc": "robot", "state_values_frozen": "state_frozen"}
    told = rows(tmp_path / "faults.json", "--backend", "wire", "--only", *detected)
    assert told.keys() == detected.keys()
    for fault, row in told.items():
        if not row["control_clean"]:
            pytest.skip(f"the machine is too busy for real time, without a fault too: {row}")
        assert (row["backend"], row["landing"], row["safe"]) == ("wire", "damping", True), row
        assert detected[fault] in row["detected_by"] and row["detected_ms"] < 100.0, row


def test_what_there_is_can_be_listed() -> None:
    done = faults("--list")
    assert done.returncode == 0
    assert any(line.startswith("policy_killed ") and "active: land" in line for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "earthquake"], "--only; found earthquake; valid: policy_killed"),
        (["--seeds", "0"], "--seeds; found 0; valid: 1 or more"),
        (["--only", "motor_hot"], "no run of all three"),
        (["--json", "no/such/folder/f.json"], "--json: a file to write"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    done = faults(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
