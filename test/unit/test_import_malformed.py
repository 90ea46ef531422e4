"""Sources that cannot become a bundle without guessing: each is refused, by the name of the key, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.foreign import bring, deploy, rl_sar, write_yaml

from robot_policies.exceptions import ImportFormatError

Change = Callable[[dict[str, Any]], object]


def _without(key: str) -> Change:
    return lambda data: data.pop(key)


def _with(key: str, value: Any) -> Change:
    return lambda data: data.__setitem__(key, value)


RL_SAR: dict[str, tuple[Change, str]] = {
    **{
        f"no {key}": (_without(key), f": {key}; found no such key")
        for key in (
            "model_name",
            "observations",
            "observations_history",
            "clip_obs",
            "rl_kp",
            "rl_kd",
            "action_scale",
            "default_dof_pos",
            "num_observations",
            "ang_vel_scale",
            "commands_scale",
            "joint_mapping",
        )
    },
    "an unknown observation": (
        _with("observations", ["ang_vel", "phase"]),
        "found phase; valid: lin_vel",
    ),
    "a motion to follow": (
        _with("observations", ["whole_body_tracking/motion_command"]),
        "observations; found whole_body_tracking/motion_command",
    ),
    "no observations": (_with("observations", []), "observations"),
    "another frame size": (_with("num_observations", 48), r"num_observations; found 48; valid: 45 \(3 base_ang_vel"),
    "half a frame": (_with("num_observations", 45.5), "num_observations"),
    "eleven gains": (_with("rl_kp", [20.0] * 11), "rl_kp; found 11 entries; valid: 12"),
    "a gain that is no number": (_with("rl_kd", [0.5] * 11 + ["soft"]), r"rl_kd\[11\]; found soft"),
    "a default that is not finite": (_with("default_dof_pos", [0.0] * 11 + [float("inf")]), r"default_dof_pos\[11\]"),
    "thirteen action scales": (_with("action_scale", [0.25] * 13), "action_scale; found 13 entries"),
    "two command scales": (_with("commands_scale", [2.0, 2.0]), "commands_scale; found 2 entries; valid: 3"),
    "a scale as text": (_with("ang_vel_scale", "quarter"), "ang_vel_scale; found quarter"),
    "a mapping with a joint twice": (_with("joint_mapping", [0, 0, *range(2, 12)]), "joint_mapping"),
    "a mapping that is too short": (_with("joint_mapping", list(range(11))), "joint_mapping"),
    "a mapping from 1": (_with("joint_mapping", list(range(1, 13))), "joint_mapping"),
    "a negative age": (_with("observations_history", [-1, 0]), "observations_history"),
    "an age twice": (_with("observations_history", [0, 0]), "observations_history"),
    "an odd priority": (
        lambda data: data.update(observations_history=[0, 1], observations_history_priority="env"),
        "observations_history_priority; found env; valid: time, term",
    ),
    "a clip of nothing": (_with("clip_obs", 0.0), "clip_obs"),
    "clips the wrong way": (_with("clip_actions_lower", [1.0] * 12), "clip_actions_lower"),
    "half a clip": (_without("clip_actions_upper"), "clip_actions_upper"),
    "wheels": (_with("wheel_indices", [12, 13]), "wheel_indices"),
    "an old version": (_with("hip_scale_reduction", 0.5), "hip_scale_reduction"),
    "a network that is not there": (_with("model_name", "other.pt"), "model_name; found other.pt.*policy.onnx"),
    "a network elsewhere": (_with("model_name", "../walk/policy.onnx"), "model_name"),
    "no decimation": (_with("decimation", 0), "decimation"),
    "no time": (_with("dt", -0.005), "dt"),
    "a default beyond the limits": (_with("default_dof_pos", [0.0, 0.8, 1.5] * 4), "default position of FR_calf_joint"),
    "joints of another robot": (_with("joint_names", [f"j{i}" for i in range(12)]), "joint names.*unknown j0"),
    "a number of joints of its own": (_with("num_of_dofs", 16), "num_of_dofs"),
}


@pytest.mark.parametrize("case", RL_SAR)
def test_rl_sar(tmp_path: Path, case: str) -> None:
    change, named = RL_SAR[case]
    source = rl_sar(tmp_path)
    path = source / "config.yaml"
    data = yaml.safe_load(path.read_text())
    change(data["go2/walk"])
    write_yaml(path, data)
    if case == "no ang_vel_scale":  # base.yaml has one that must not stand in for it here
        write_yaml(source.parent / "base.yaml", {"go2": _base_without_scale(source)})
    with pytest.raises(ImportFormatError, match=named):
        bring("rl_sar", source, tmp_path / "bundle")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["go2"]


def _base_without_scale(source: Path) -> dict[str, Any]:
    base: dict[str, Any] = yaml.safe_load((source.parent / "base.yaml").read_text())["go2"]
    return {key: value for key, value in base.items() if key != "ang_vel_scale"}


def test_rl_sar_without_base(tmp_path: Path) -> None:
    source = rl_sar(tmp_path)
    (source.parent / "base.yaml").unlink()
    with pytest.raises(ImportFormatError, match=r"base.yaml in a folder above"):
        bring("rl_sar", source, tmp_path / "bundle")


def test_rl_sar_for_another_robot(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="a policy for g1; found one for go2; valid: --robot go2"):
        bring("rl_sar", rl_sar(tmp_path), tmp_path / "bundle", robot="g1")


def test_rl_sar_under_another_key(tmp_path: Path) -> None:
    source = rl_sar(tmp_path)
    data = yaml.safe_load((source / "config.yaml").read_text())
    write_yaml(source / "config.yaml", {"go2/run": data["go2/walk"]})
    with pytest.raises(ImportFormatError, match="config.yaml: go2/walk; found only go2/run"):
        bring("rl_sar", source, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("go2/walk: [1, 2]", "config.yaml: go2/walk: a mapping of keys"),
        ("- 1", "config.yaml: a mapping of keys"),
        ("go2/walk: {clip_obs: 1, clip_obs: 2}", "clip_obs twice"),
        ("go2/walk: !!python/object/apply:os.system [ls]", "a readable YAML file"),
        ("go2/walk: {clip_obs: [1,", "a readable YAML file"),
    ],
)
def test_yaml_that_is_none(tmp_path: Path, text: str, named: str) -> None:
    source = rl_sar(tmp_path)
    (source / "config.yaml").write_text(text)
    with pytest.raises(ImportFormatError, match=named):
        bring("rl_sar", source, tmp_path / "bundle")


def _term(name: str, **changes: Any) -> Change:
    return lambda data: data["observations"][name].update(changes)


def _action(**changes: Any) -> Change:
    return lambda data: data["actions"]["JointPositionAction"].update(changes)


UNITREE: dict[str, tuple[Change, str]] = {
    **{
        f"no {key}": (_without(key), f"deploy.yaml: {key}")
        for key in ("joint_ids_map", "step_dt", "stiffness", "damping", "default_joint_pos", "actions", "observations")
    },
    "no commands": (_without("commands"), "deploy.yaml: commands"),
    "no range": (
        lambda data: data["commands"]["base_velocity"]["ranges"].pop("ang_vel_z"),
        "commands: base_velocity: ranges: ang_vel_z",
    ),
    "a range of three": (
        lambda data: data["commands"]["base_velocity"]["ranges"].update(lin_vel_x=[0, 1, 2]),
        "lin_vel_x; found 3 entries",
    ),
    "a motor that is not there": (_with("joint_ids_map", list(range(1, 13))), "joint_ids_map.*0 to 11"),
    "a motor twice": (_with("joint_ids_map", [0] * 12), "joint_ids_map"),
    "some motors only": (_with("joint_ids_map", list(range(10))), "stiffness|base_ang_vel|joint_pos_rel"),
    "eleven stiffnesses": (_with("stiffness", [20.0] * 11), "stiffness; found 11 entries"),
    "no time": (_with("step_dt", 0), "step_dt"),
    "an unknown observation": (
        lambda data: data["observations"].update(height_scan={"params": {}, "scale": 1.0}),
        "found height_scan; valid: base_lin_vel",
    ),
    "scales of another size": (_term("base_ang_vel", scale=[1.0, 2.0]), "base_ang_vel: scale; found 2 entries"),
    "a clip of one": (_term("joint_vel_rel", clip=[1.0]), "joint_vel_rel: clip"),
    "a clip the wrong way": (_term("joint_vel_rel", clip=[1.0, -1.0]), "joint_vel_rel: clip"),
    "a negative history": (_term("joint_vel_rel", history_length=-1), "joint_vel_rel: history_length"),
    "half a history": (_term("joint_vel_rel", history_length=1.5), "joint_vel_rel: history_length"),
    "a modifier": (_term("joint_vel_rel", modifiers=[{"func": "bias"}]), "joint_vel_rel: modifiers"),
    "some joints only": (
        _term("joint_pos_rel", params={"asset_cfg": {"joint_ids": [0, 1, 2]}}),
        "joint_pos_rel: params: asset_cfg",
    ),
    "a phase without period": (
        lambda data: data["observations"].update(gait_phase={"params": {}, "scale": 1.0}),
        "gait_phase: params: period",
    ),
    "two groups": (
        lambda data: data.update(observations={"a": data["observations"], "b": data["observations"]}),
        "found a, b; valid: one group",
    ),
    "another action": (
        lambda data: data.update(actions={"JointVelocityAction": {}}),
        "actions.*found JointVelocityAction; valid: JointPositionAction",
    ),
    "an action for some joints": (_action(joint_names=[".*_hip_joint"]), "joint_names; found no action for FL_thigh"),
    "a pattern of nobody": (_action(joint_names=[".*", "tail"]), "joint_names; found tail"),
    "no pattern": (_action(joint_names=["(hip"]), "joint_names; found .*hip"),
    "some joint ids": (_action(joint_ids=[0, 1, 2]), "joint_ids"),
    "scales for some joints": (_action(scale={".*_hip_joint": 0.1}), "scale; found nothing for FL_thigh_joint"),
    "two scales for a joint": (_action(scale={".*": 0.1, ".*_hip_joint": 0.2}), "FL_hip_joint, which another"),
    "a scale that is no number": (_action(scale={".*": "big"}), r"scale: .*found big"),
    "pairs for some joints": (_action(clip=[[-1.0, 1.0]] * 3), "JointPositionAction: clip"),
    "a target clip the wrong way": (_action(clip=[1.0, -1.0]), "JointPositionAction: clip"),
    "an unknown action key": (_action(use_default_offset=True), "use_default_offset"),
}


@pytest.mark.parametrize("case", UNITREE)
def test_unitree(tmp_path: Path, case: str) -> None:
    change, named = UNITREE[case]
    source = deploy(tmp_path)
    path = source / "params" / "deploy.yaml"
    data = yaml.safe_load(path.read_text())
    change(data)
    write_yaml(path, data)
    with pytest.raises(ImportFormatError, match=named):
        bring("unitree", source, tmp_path / "bundle")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["unitree_go2"]


@pytest.mark.parametrize("missing", ["exported/policy.onnx", "params/deploy.yaml"])
def test_unitree_without_a_file(tmp_path: Path, missing: str) -> None:
    source = deploy(tmp_path)
    (source / missing).unlink()
    with pytest.raises(ImportFormatError, match=f"a folder with {missing}"):
        bring("unitree", source, tmp_path / "bundle")
