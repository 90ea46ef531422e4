"""ONNX with metadata: names of two projects, rounded numbers, and what must come from the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from helpers.foreign import (
    GO2,
    LEFT_FIRST,
    assert_same,
    bring,
    inputs_of,
    pose,
    run_bundle,
    signals_of,
    write_mlp,
    write_yaml,
)
from helpers.foreign_loops import metadata_loop

from robot_policies.exceptions import ImportFormatError

NAMES = [GO2.joint_names[i] for i in LEFT_FIRST]
MJLAB = "base_lin_vel,base_ang_vel,projected_gravity,joint_pos,joint_vel,actions,command"
DEPLOY = "base_ang_vel,projected_gravity,velocity_commands,joint_pos_rel,joint_vel_rel,last_action"


def joined(values: Sequence[Any]) -> str:
    """Join as mjlab does: numbers with three decimals."""
    return ",".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values)


def with_metadata(folder: Path, inputs: int, changes: Mapping[str, str | None] | None = None) -> Path:
    """Write a policy with mjlab's metadata; a change to None takes the key away."""
    path = write_mlp(folder / "policy.onnx", inputs)
    texts: dict[str, str | None] = {
        "run_path": "team/run/1",
        "joint_names": joined(NAMES),
        "joint_stiffness": joined([20.0 + 0.5 * i for i in range(12)]),
        "joint_damping": joined([1.0] * 12),
        "default_joint_pos": joined(pose(NAMES)),
        "command_names": "twist",
        "observation_names": MJLAB,
        "action_scale": "0.2485",
    }
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {k: v for k, v in {**texts, **(changes or {})}.items() if v is not None})
    onnx.save(model, str(path))
    return path


def describe(folder: Path, **keys: Any) -> Path:
    return write_yaml(folder / "describe.yaml", {"control_dt": 0.02} | keys)


@pytest.mark.parametrize(("observations", "command", "size"), [(MJLAB, "twist", 48), (DEPLOY, "base_velocity", 45)])
def test_the_bundle_moves_as_the_policy_did(tmp_path: Path, observations: str, command: str, size: int) -> None:
    scales = [0.1 + 0.01 * i for i in range(12)]
    changes = {"observation_names": observations, "command_names": command, "action_scale": joined(scales)}
    path, inputs = with_metadata(tmp_path, size, changes), inputs_of()
    imported = bring("onnx_metadata", path, tmp_path / "bundle", describe(tmp_path))
    assert_same(run_bundle(imported, inputs), metadata_loop(path, [signals_of(item) for item in inputs], scales))


def test_one_action_scale_for_all_and_no_spaces_needed(tmp_path: Path) -> None:
    changes = {"joint_names": ", ".join(NAMES), "joint_damping": "[" + joined([1.0] * 12) + "]"}
    path = with_metadata(tmp_path, 48, changes)
    imported = bring("onnx_metadata", path, tmp_path / "bundle", describe(tmp_path))
    assert imported.bundle.contract.action.scale == 0.2485
    assert imported.bundle.contract.joints.names == tuple(NAMES)
    assert imported.bundle.contract.action.last_action == "raw"


def test_lengths_of_histories(tmp_path: Path) -> None:
    path = with_metadata(tmp_path, 144, {"observation_history_lengths": ",".join(["3"] * 7)})
    inputs = inputs_of()
    imported = bring("onnx_metadata", path, tmp_path / "bundle", describe(tmp_path))
    assert_same(run_bundle(imported, inputs), metadata_loop(path, [signals_of(item) for item in inputs], 0.2485, 3))


def test_histories_from_the_user(tmp_path: Path) -> None:
    keys = {"frames": 3, "order": "oldest_first", "layout": "term", "includes_current": True, "fill": "first_frame"}
    path, inputs = with_metadata(tmp_path, 144), inputs_of()
    imported = bring("onnx_metadata", path, tmp_path / "bundle", describe(tmp_path, history=keys))
    assert_same(run_bundle(imported, inputs), metadata_loop(path, [signals_of(item) for item in inputs], 0.2485, 3))


def test_rounding_is_said(tmp_path: Path) -> None:
    imported = bring("onnx_metadata", with_metadata(tmp_path, 48), tmp_path / "bundle", describe(tmp_path))
    assert any("three decimals" in note for note in imported.notes)
    assert "three decimals" in (tmp_path / "bundle" / "README.md").read_text()


def test_the_user_may_know_the_numbers_better(tmp_path: Path) -> None:
    exact = [value + 0.0004 for value in pose(NAMES)]
    own = describe(
        tmp_path, default_joint_pos=exact, action={"scale": 0.24853, "clip": [-2.0, 2.0], "last_action": "raw"}
    )
    contract = bring("onnx_metadata", with_metadata(tmp_path, 48), tmp_path / "bundle", own).bundle.contract
    assert contract.joints.default_joint_pos == tuple(exact)
    assert contract.action.scale == 0.24853
    assert contract.action.clip == (-2.0, 2.0)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"stiffness": [20.0] * 12}, "stiffness: the numbers of joint_stiffness"),
        ({"default_joint_pos": [0.0] * 12}, "default_joint_pos"),
        ({"action": {"scale": 0.25}}, "action.scale"),
        ({"observation": [{"term": "base_ang_vel"}]}, "observation"),
    ],
)
def test_the_user_must_not_contradict_the_metadata(tmp_path: Path, keys: dict[str, Any], named: str) -> None:
    with pytest.raises(ImportFormatError, match=named):
        bring("onnx_metadata", with_metadata(tmp_path, 48), tmp_path / "bundle", describe(tmp_path, **keys))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"joint_names": None}, "joint_names"),
        ({"joint_stiffness": None}, "joint_stiffness"),
        ({"joint_damping": joined([1.0] * 11)}, "joint_damping.*11 entries"),
        ({"default_joint_pos": "a,b"}, "default_joint_pos"),
        ({"action_scale": None}, "action_scale"),
        ({"action_scale": "nan"}, "action_scale"),
        ({"observation_names": MJLAB + ",motion_anchor_ori_b"}, "observation_names.*motion_anchor_ori_b"),
        ({"observation_names": None}, "observation_names"),
        ({"command_names": "motion"}, "command_names.*motion"),
        ({"command_names": "twist,motion"}, "command_names"),
        ({"observation_history_lengths": "1,1"}, "observation_history_lengths"),
        ({"joint_names": joined([*NAMES[:11], "tail_joint"])}, "tail_joint"),
    ],
)
def test_metadata_that_does_not_do(tmp_path: Path, changes: dict[str, str | None], named: str) -> None:
    with pytest.raises(ImportFormatError, match=named):
        bring("onnx_metadata", with_metadata(tmp_path, 48, changes), tmp_path / "bundle", describe(tmp_path))
    assert not (tmp_path / "bundle").exists()


def test_the_control_period_is_not_in_the_metadata(tmp_path: Path) -> None:
    path = with_metadata(tmp_path, 48)
    with pytest.raises(ImportFormatError, match="control_dt: not stated by the format onnx_metadata"):
        bring("onnx_metadata", path, tmp_path / "bundle")


def test_motion_tracking_networks_take_more_than_an_observation(tmp_path: Path) -> None:
    path = with_metadata(tmp_path, 48)
    model = onnx.load(str(path))
    model.graph.input.append(onnx.helper.make_tensor_value_info("time_step", onnx.TensorProto.FLOAT, [1, 1]))
    onnx.save(model, str(path))
    with pytest.raises(ImportFormatError, match="2 tensors: obs, time_step"):
        bring("onnx_metadata", path, tmp_path / "bundle", describe(tmp_path))
