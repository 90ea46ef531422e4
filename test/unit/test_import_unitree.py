"""Unitree folders: what the bundle does is what Unitree's own loop does (clip before scale, one history per term)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from helpers.foreign import (
    GO2,
    LEFT_FIRST,
    assert_same,
    bring,
    deploy,
    inputs_of,
    pose,
    run_bundle,
    signals_of,
    write_mlp,
    write_yaml,
)
from helpers.foreign_loops import unitree_loop

from robot_policies.exceptions import ImportFormatError

NAMES = tuple(GO2.joint_names[i] for i in LEFT_FIRST)


def _action(**changes: Any) -> dict[str, Any]:
    one = {"clip": None, "joint_names": [".*"], "scale": 0.25, "offset": pose(NAMES), "joint_ids": None}
    return {"actions": {"JointPositionAction": one | changes}}


BY_PART = {".*_hip_joint": 0.1, ".*_thigh_joint": 0.2, ".*_calf_joint": 0.3}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "plain": ({}, {}, 45),
    "histories": ({}, {"base_ang_vel": {"history_length": 3}, "joint_vel_rel": {"history_length": 5}}, 45 + 6 + 48),
    "history of 0 means none": ({}, {"base_ang_vel": {"history_length": 0}}, 45),
    "clips": ({}, {"joint_vel_rel": {"clip": [-1.0, 2.0], "scale": -0.3}, "base_ang_vel": {"clip": [-0.5, 0.5]}}, 45),
    "gait phase": ({}, {"gait_phase": {"params": {"period": 0.7}}}, 47),
    "linear velocity": ({}, {"base_lin_vel": {"scale": 2.0}, "velocity_commands": None}, 45),
    "absolute positions": ({}, {"joint_pos": {}, "joint_pos_rel": None}, 45),
    "scale first": ({}, {"scale_first": True, "joint_vel_rel": {"clip": [-0.1, 0.05]}}, 45),
    "clip of the target, one pair": (_action(clip=[-1.6, 0.95]), {}, 45),
    "clip per joint": (
        _action(clip=[[p - 0.1 - 0.01 * i, p + 0.2] for i, p in enumerate(pose(NAMES))], scale=-0.3),
        {},
        45,
    ),
    "numbers by pattern": (
        _action(
            scale=BY_PART, offset=BY_PART, clip={name: [value - 0.05, value + 0.1] for name, value in BY_PART.items()}
        ),
        {},
        45,
    ),
    "no scale, no offset": (_action(scale=None, offset=None), {}, 45),
}


@pytest.mark.parametrize("case", CASES)
def test_the_bundle_moves_as_unitree_does(tmp_path: Path, case: str) -> None:
    changes, terms, size = CASES[case]
    source, inputs = deploy(tmp_path, changes, size, **terms), inputs_of()
    imported = bring("unitree", source, tmp_path / "bundle")
    assert_same(run_bundle(imported, inputs), unitree_loop(source, [signals_of(item) for item in inputs]))


def test_frames_of_whole_observations(tmp_path: Path) -> None:
    names = ("base_ang_vel", "projected_gravity", "velocity_commands", "joint_pos_rel", "joint_vel_rel", "last_action")
    terms: dict[str, Any] = {name: {"history_length": 4} for name in names} | {"use_gym_history": True}
    source, inputs = deploy(tmp_path, inputs=180, **terms), inputs_of()
    imported = bring("unitree", source, tmp_path / "bundle")
    assert_same(run_bundle(imported, inputs), unitree_loop(source, [signals_of(item) for item in inputs]))


def test_every_key_has_its_place_in_the_contract(tmp_path: Path) -> None:
    imported = bring("unitree", deploy(tmp_path), tmp_path / "bundle")
    contract = imported.bundle.contract
    assert contract.joints.names == NAMES
    assert contract.joints.stiffness == (20.0, 20.0, 40.0) * 4
    assert contract.joints.torque_limit == tuple(GO2.effort_limit[GO2.joint_index(NAMES)].tolist())
    assert contract.action.last_action == "raw"
    assert contract.timing.control_dt == 0.02
    assert contract.commands.velocity is not None
    assert contract.commands.velocity.lin_vel_x.range == (-0.5, 1.0)
    assert contract.commands.velocity.ang_vel_z.range == (-1.0, 1.0)
    assert not any("command ranges" in line for line in imported.defaults)
    assert any("three significant digits" in note for note in imported.notes)


def test_files_may_lie_side_by_side_and_weights_outside_the_model(tmp_path: Path) -> None:
    source = deploy(tmp_path)
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "deploy.yaml").write_bytes((source / "params" / "deploy.yaml").read_bytes())
    model = onnx.load(str(source / "exported" / "policy.onnx"))
    onnx.save(
        model, str(flat / "policy.onnx"), save_as_external_data=True, location="policy.onnx.data", size_threshold=0
    )
    assert (flat / "policy.onnx.data").stat().st_size > 1000
    bundle = bring("unitree", flat, tmp_path / "bundle").bundle
    assert sorted(path.name for path in bundle.folder.iterdir()) == [
        "README.md",
        "golden.npz",
        "policy.onnx",
        "policy.yaml",
    ]
    assert "policy.onnx.data" in bundle.contract.provenance["source_sha256"]


def test_what_isaac_lab_really_dumps(tmp_path: Path) -> None:
    source = deploy(tmp_path)
    path = source / "params" / "deploy.yaml"
    dumped = "joint_ids: !!python/object/apply:builtins.slice [null, null, null]"
    text = (
        path.read_text().replace("joint_ids: null", dumped).replace("damping:", "damping: &d").replace("0.02", "2e-2")
    )
    assert dumped in text and "2e-2" in text
    path.write_text(text)
    assert bring("unitree", source, tmp_path / "bundle").bundle.contract.timing.control_dt == 0.02


def test_a_group_of_one_may_be_named(tmp_path: Path) -> None:
    source = deploy(tmp_path)
    path = source / "params" / "deploy.yaml"
    data = yaml.safe_load(path.read_text())
    data["observations"] = {"obs": data["observations"]}
    write_yaml(path, data)
    contract = bring("unitree", source, tmp_path / "bundle").bundle.contract
    assert [term.term for term in contract.observations["policy"].terms][0] == "base_ang_vel"


class TestGainsOrder:
    """Files with gains in the policy's joint order exist, and files in motor order."""

    MOTOR_MAP = (0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11)  # the policy has hips, thighs, calves
    BY_MOTOR = [20.0, 30.0, 40.0] * 4
    BY_POLICY = [20.0] * 4 + [30.0] * 4 + [40.0] * 4

    def _source(self, folder: Path, stiffness: list[float]) -> Path:
        names = [GO2.joint_names[i] for i in self.MOTOR_MAP]
        changes = {
            "joint_ids_map": list(self.MOTOR_MAP),
            "stiffness": stiffness,
            "damping": [1.0] * 12,
            "default_joint_pos": pose(names),
        }
        return deploy(folder, changes | _action(offset=pose(names)))

    def test_the_policys_order_is_taken_and_said(self, tmp_path: Path) -> None:
        imported = bring("unitree", self._source(tmp_path, self.BY_POLICY), tmp_path / "bundle")
        assert imported.bundle.contract.joints.stiffness == tuple(self.BY_POLICY)
        assert any("policy's joint order" in note for note in imported.notes)

    def test_motor_order_shows_in_left_and_right(self, tmp_path: Path) -> None:
        with pytest.raises(ImportFormatError, match="stiffness, damping.*gains_order: motor"):
            bring("unitree", self._source(tmp_path, self.BY_MOTOR), tmp_path / "bundle")
        assert not (tmp_path / "bundle").exists()

    @pytest.mark.parametrize(("order", "expected"), [("motor", BY_POLICY), ("policy", BY_MOTOR)])
    def test_the_user_can_say(self, tmp_path: Path, order: str, expected: list[float]) -> None:
        describe = write_yaml(tmp_path / "describe.yaml", {"gains_order": order})
        imported = bring("unitree", self._source(tmp_path, self.BY_MOTOR), tmp_path / "bundle", describe)
        assert imported.bundle.contract.joints.stiffness == tuple(expected)


def test_sizes_that_do_not_add_up_are_listed(tmp_path: Path) -> None:
    source = deploy(tmp_path)
    write_mlp(source / "exported" / "policy.onnx", 44)
    with pytest.raises(ImportFormatError, match=r"add up to 44; found 45 \(base_ang_vel 3, projected_gravity 3"):
        bring("unitree", source, tmp_path / "bundle")
