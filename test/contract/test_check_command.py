"""``robot-policies check``, as a user starts it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.broken import add, both, camera, gru_states, put
from helpers.bundles import relist
from helpers.networks import mlp

from robot_policies.bundle.load import load_bundle
from robot_policies.cli import check
from robot_policies.cli.contract_text import contract_text

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "robot_policies.cli", "check", *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=60, check=False)


def within(*arguments: str) -> int:
    """The same without a process of its own."""
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.main(parser.parse_args(arguments))


def test_a_good_bundle_is_printed(folder: Path) -> None:
    done = command(str(folder), "--robot", "go2")
    assert (done.returncode, done.stderr) == (0, "")
    for part in (
        "tiny 1.0.0: kind velocity, robot go2, Apache-2.0",
        "observation policy: 45 values, clipped to -100 to 100",
        "6-8    velocity_command   3     2, 2, 0.25",
        "in    obs [1, 45] = policy",
        "FL_hip_joint    0        0.18   0       24         0.58       23.7",
        "lin_vel_x  -0.5 to 1 m/s, dead band 0.05",
        "gain profile tiny/32deed6370e1",
        "golden outputs agree over 32 ticks; largest difference 0 % of the tolerance",
        f"ok: {folder} for go2",
    ):
        assert part in done.stdout, part


def test_every_fault_is_a_line_on_standard_error(folder: Path) -> None:
    both(put("joints/stiffness", [1.0]), put("kind", "acrobatics"), add("policy.pt", listed=False))(folder)
    done = command(str(folder))
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("tiny: ") and "; found " in line and "; valid: " in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nosuch",), "robot-policies: a bundle named 'nosuch'; found none; valid: "),
        (("{folder}", "--robot", "go3"), "robot-policies: a robot named 'go3'; found none; valid: g1, go1, go2"),
        (("{folder}", "--robot", "g1"), "tiny: robot: g1, the robot asked for; found go2; valid: a bundle for g1"),
        ((), "robot-policies check: the following arguments are required: BUNDLE"),
    ],
)
def test_what_cannot_be_checked_is_one_line_and_exit_2(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = command(*(argument.format(folder=folder) for argument in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_change_of_the_network_is_refused_until_it_is_accepted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "actor.onnx").write_bytes(mlp((45, 16, 8, 12), seed=3))
    relist(folder)
    assert within(str(folder)) == 2
    said = capsys.readouterr().err
    assert said.startswith("golden: network actor, output actions, tick 0, index [0, 0]: ")
    assert "robot-policies check BUNDLE --robot ROBOT --accept" in said
    assert within(str(folder), "--robot", "go2", "--accept") == 0
    assert within(str(folder)) == 0
    assert "largest difference 0 %" in capsys.readouterr().out


def test_base_lin_vel_is_pointed_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put("observations/policy/terms/0", {"term": "base_lin_vel", "size": 3})(folder)
    assert within(str(folder), "--accept") == 0
    assert "reads base_lin_vel: runs only where an estimator gives it" in capsys.readouterr().out


def test_every_part_of_a_contract_is_printed(folder: Path) -> None:
    both(
        gru_states(1, 1, 4),
        camera(crop=[1, 0, 2, 0]),
        put("observations/policy/terms/0/history", {"ages": [3, 2, 1], "fill": "zeros", "mask": [1]}),
        put("networks/0/inputs/0/source/0", {"observation": "policy", "slice": [3, 48], "scale": 0.5}),
        put("action/filter", {"alpha": 0.25}),
        put("commands/velocity/absent", "landing"),
        put("limits/inputs/velocity_command/lost", "landing"),
        put("delays", {"state": [0.0, 0.01], "action": [0.02, 0.02]}),
    )(folder)
    text = contract_text(load_bundle(folder).contract)
    for part in (
        "observation policy: 51 values",
        "0-8    base_ang_vel",
        "ages 3 2 1, zeros, masked 1",
        "in    obs [1, 45] = 0.5 x policy[3:48]",
        "state h_in [1, 1, 4] float32 = h_out of the last step, 0 at activation",
        "depth front: sensor d435, 6 x 4 at 10 Hz, 0 to 0.1 s old",
        "crop top, bottom, left, right 1, 0, 2, 0",
        "filter alpha 0.25",
        "absent means landing",
        "delays trained for: state 0 to 0.01 s, action 0.02 to 0.02 s",
        "depth: at most 0.2 s old, else landing",
    ):
        assert part in text, part
