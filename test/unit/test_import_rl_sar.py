"""rl_sar policies: what the bundle does is what rl_sar's own loop does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from helpers.foreign import (
    GO2,
    LEFT_FIRST,
    ODD,
    assert_same,
    bring,
    inputs_of,
    pose,
    rl_sar,
    run_bundle,
    signals_of,
    write_mlp,
    write_yaml,
)
from helpers.foreign_loops import rl_sar_loop

from robot_policies.exceptions import ImportFormatError

IDENTITY = tuple(range(12))


@pytest.mark.parametrize(
    ("ages", "priority", "mapping"),
    [
        ([], "time", IDENTITY),
        ([], "time", LEFT_FIRST),
        ([0, 1, 2, 3, 4, 5], "time", LEFT_FIRST),  # HIMLoco: newest first
        ([5, 4, 3, 2, 1, 0], "time", IDENTITY),  # oldest first
        ([0, 1, 2, 3], "term", ODD),
        ([3, 2, 1, 0], "term", LEFT_FIRST),
        ([0, 2, 5], "time", ODD),  # with gaps
        ([2, 1], "term", IDENTITY),  # without the present
    ],
)
def test_the_bundle_moves_as_rl_sar_does(
    tmp_path: Path, ages: list[int], priority: str, mapping: Sequence[int]
) -> None:
    changes = {
        "observations_history": ages,
        "observations_history_priority": priority,
        "joint_mapping": list(mapping),
        "clip_obs": 1.5,  # bites on the velocities
    }
    source, inputs = rl_sar(tmp_path, changes), inputs_of()
    imported = bring("rl_sar", source, tmp_path / "bundle")
    assert_same(run_bundle(imported, inputs), rl_sar_loop(source, [signals_of(item) for item in inputs]))


def test_other_observations_and_no_clip(tmp_path: Path) -> None:
    changes = {
        "observations": ["commands", "lin_vel", "actions", "dof_vel", "gravity_vec"],
        "num_observations": 33,
        "clip_actions_lower": [],
        "clip_actions_upper": [],
    }
    source, inputs = rl_sar(tmp_path, changes), inputs_of()
    imported = bring("rl_sar", source, tmp_path / "bundle")
    assert imported.bundle.contract.action.clip is None
    assert imported.bundle.contract.action.last_action == "raw"
    assert "needs an estimator" in (tmp_path / "bundle" / "README.md").read_text()
    assert_same(run_bundle(imported, inputs), rl_sar_loop(source, [signals_of(item) for item in inputs]))


def test_the_motor_order_of_the_file_may_differ_from_the_robots(tmp_path: Path) -> None:
    motors = list(reversed(GO2.joint_names))
    source = rl_sar(tmp_path, {"joint_mapping": list(ODD)}, {"joint_names": motors})
    imported, inputs = bring("rl_sar", source, tmp_path / "bundle"), inputs_of()
    assert imported.bundle.contract.joints.names == tuple(motors[i] for i in ODD)
    assert_same(run_bundle(imported, inputs), rl_sar_loop(source, [signals_of(item) for item in inputs]))


def test_every_key_has_its_place_in_the_contract(tmp_path: Path) -> None:
    source = rl_sar(tmp_path, {"joint_mapping": list(LEFT_FIRST)})
    contract = bring("rl_sar", source, tmp_path / "bundle").bundle.contract
    names = tuple(GO2.joint_names[i] for i in LEFT_FIRST)
    assert contract.joints.names == names
    assert contract.joints.default_joint_pos == tuple(pose(names))
    assert contract.joints.stiffness == tuple(20.0 + i for i in range(12))
    assert contract.joints.damping == tuple(0.5 + 0.1 * i for i in range(12))
    assert contract.joints.torque_limit == (23.0,) * 12
    assert contract.timing.control_dt == 0.02
    assert (contract.timing.physics_dt, contract.timing.decimation) == (0.005, 4)
    assert contract.action.scale == tuple(0.1 + 0.02 * i for i in range(12))
    assert contract.action.last_action == "clipped"
    assert contract.observations["policy"].clip == (-100.0, 100.0)
    assert contract.provenance["imported_from"] == "rl_sar"


def test_torque_limits_above_the_robots_are_lowered_and_said(tmp_path: Path) -> None:
    source = rl_sar(tmp_path, {"torque_limits": [33.5] * 12})
    imported = bring("rl_sar", source, tmp_path / "bundle")
    limits = dict(zip(GO2.joint_names, GO2.effort_limit.tolist(), strict=True))
    joints = imported.bundle.contract.joints
    assert joints.torque_limit == tuple(min(33.5, limits[name]) for name in joints.names)
    assert any("FR_hip_joint" in note and "calf" not in note for note in imported.notes)


def test_what_the_format_leaves_open_is_a_listed_default(tmp_path: Path) -> None:
    imported = bring("rl_sar", rl_sar(tmp_path), tmp_path / "bundle")
    contract, text = imported.bundle.contract, (tmp_path / "bundle" / "README.md").read_text()
    assert contract.commands.velocity is not None
    assert contract.commands.velocity.lin_vel_x.range == (-1.0, 1.0)
    assert contract.limits.start.joint_pos == contract.joints.default_joint_pos
    for line in imported.defaults:
        assert line in text
    assert any("command ranges" in line for line in imported.defaults)
    assert any("licence" in line for line in imported.defaults)


def test_a_description_adds_what_the_format_leaves_open(tmp_path: Path) -> None:
    ranges = {"lin_vel_x": [-0.2, 0.7], "lin_vel_y": [0.0, 0.0], "ang_vel_z": [-0.5, 0.5]}
    data = {"command": ranges, "licence": "MIT", "source": "a friend"}
    describe = write_yaml(tmp_path / "describe.yaml", data)
    imported = bring("rl_sar", rl_sar(tmp_path), tmp_path / "bundle", describe)
    contract = imported.bundle.contract
    assert contract.commands.velocity is not None
    assert contract.commands.velocity.lin_vel_x.range == (-0.2, 0.7)
    assert (contract.licence, contract.provenance["source"]) == ("MIT", "a friend")
    assert not any("command ranges" in line or "licence" in line for line in imported.defaults)


def test_a_description_must_not_state_what_the_files_do(tmp_path: Path) -> None:
    describe = write_yaml(tmp_path / "describe.yaml", {"stiffness": 40.0})
    with pytest.raises(ImportFormatError, match="stiffness.*rl_sar states it itself"):
        bring("rl_sar", rl_sar(tmp_path), tmp_path / "bundle", describe)


def test_keys_that_nobody_reads_are_named(tmp_path: Path) -> None:
    imported = bring("rl_sar", rl_sar(tmp_path, {"favourite_colour": "red"}), tmp_path / "bundle")
    assert [note for note in imported.notes if "not read" in note] == [
        "the key favourite_colour of the rl_sar files is not read"
    ]


def test_configurations_may_lie_deeper(tmp_path: Path) -> None:
    source = rl_sar(tmp_path)
    deeper = source.parent / "lab" / "walk"
    config = yaml.safe_load((source / "config.yaml").read_text())["go2/walk"]
    write_yaml(deeper / "config.yaml", {"go2/lab/walk": config})
    write_mlp(deeper / "policy.onnx", 45)
    assert bring("rl_sar", deeper, tmp_path / "bundle").bundle.contract.robot == "go2"
