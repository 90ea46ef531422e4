"""Unitree: ``params/deploy.yaml`` and ``exported/policy.onnx`` of unitree_rl_lab and unitree_rl_mjlab.

Keys as in unitreerobotics/unitree_rl_lab at e72a072 and unitree_rl_mjlab at 5b7e396 (``deploy/include/isaaclab``). Of
an observation the clip comes before the scale (``manager_term_cfg.h``), of an action after scale and offset
(``joint_actions.h``); both are put the other way round here, with the same result.
"""

from __future__ import annotations

from pathlib import Path

from robot_policies.bundle.importers.describe import Description
from robot_policies.bundle.importers.keys import Keys, read
from robot_policies.bundle.importers.network import per_joint_key
from robot_policies.bundle.importers.policy import VELOCITY_AXES, ForeignPolicy
from robot_policies.bundle.importers.refusal import refused
from robot_policies.bundle.importers.unitree_terms import action_part, observation
from robot_policies.robot_spec import RobotSpec

ACCEPTS = ("robot", "torque_limit", "licence", "source", "network", "gains_order")
SIDES = (("left_", "right_"), ("FL_", "FR_"), ("RL_", "RR_"))
NOTE = "unitree_rl_lab writes deploy.yaml with three significant digits: values are as rounded there"


def read_policy(source: Path, spec: RobotSpec, describe: Description) -> ForeignPolicy:
    """Return the policy in the folder ``source``.

    Raises:
        ImportFormatError: a file or key is missing or wrong; the message names it.
    """
    model, settings = _files(source)
    keys = read(settings)
    names = _joint_names(keys, spec)
    entries, past = observation(keys.below("observations"), len(names))
    default = keys.numbers("default_joint_pos", len(names), "policy joint")
    stiffness, damping, note = _gains(keys, names, spec, describe)
    reads_command = any(entry.term == "velocity_command" for entry in entries)
    torque = describe.torque_limit
    return ForeignPolicy(
        joint_names=names,
        default_joint_pos=default,
        stiffness=stiffness,
        damping=damping,
        torque_limit=None if torque is None else per_joint_key("torque_limit", torque, len(names)),
        control_dt=keys.number("step_dt", over=0.0),
        entries=entries,
        past=past,
        action=action_part(keys.below("actions"), names),
        network=describe.network_source(model),
        command=_ranges(keys) if reads_command else None,
        licence=describe.licence,
        source=describe.source or f"Unitree deploy folder {source.resolve().name}",
        files=(settings, *(path for path in (model, model.with_name(f"{model.name}.data")) if path.is_file())),
        notes=(NOTE, *note),
    )


def _files(source: Path) -> tuple[Path, Path]:
    """Return the network's file and the settings' file."""
    models = [source / "exported" / "policy.onnx", source / "policy.onnx"]
    settings = [source / "params" / "deploy.yaml", source / "deploy.yaml"]
    model = next((path for path in models if path.is_file()), None)
    setting = next((path for path in settings if path.is_file()), None)
    for path, valid in ((model, "exported/policy.onnx or policy.onnx"), (setting, "params/deploy.yaml or deploy.yaml")):
        if path is None:
            raise refused(f"{source}: a folder with {valid}", "none", valid)
    assert model is not None and setting is not None
    return model, setting


def _joint_names(keys: Keys, spec: RobotSpec) -> tuple[str, ...]:
    """Return the joints in the policy's order; the robot file's order is the SDK's."""
    motors = keys.integers("joint_ids_map")
    if not motors or len(set(motors)) != len(motors) or max(motors) >= len(spec.joint_names):
        valid = f"motor indices of {spec.name}, 0 to {len(spec.joint_names) - 1}, each once"
        raise keys.fault("joint_ids_map", list(motors), valid)
    return tuple(spec.joint_names[motor] for motor in motors)


def _gains(
    keys: Keys, names: tuple[str, ...], spec: RobotSpec, describe: Description
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """Return stiffness and damping in the policy's order, and a note where that order had to be chosen.

    Files exist in both orders: the policy's, and the motors' (``State_RLBase::enter`` writes them to motor i).
    Where it makes no difference, nothing needs to be known. Where it does, the policy's order is taken, unless left
    and right then differ, and would not in the motors' order: that is refused, until ``gains_order`` says which.
    """
    count = len(names)
    motors = keys.integers("joint_ids_map")
    found = [keys.numbers(key, count, "joint") for key in ("stiffness", "damping")]
    if sorted(motors) != list(range(count)):
        return found[0], found[1], ()
    by_motor = [tuple(values[motor] for motor in motors) for values in found]
    if describe.gains_order == "motor":
        return by_motor[0], by_motor[1], ()
    if by_motor == found or describe.gains_order == "policy":
        return found[0], found[1], ()
    if not _mirrored(names, found) and _mirrored(names, by_motor):
        asked = f"{keys.where}: stiffness, damping: in the policy's joint order"
        valid = "gains_order: motor (or policy) in --describe FILE.yaml"
        raise refused(asked, "left and right agree only in motor order", valid)
    return found[0], found[1], ("stiffness and damping were taken in the policy's joint order, not in motor order",)


def _mirrored(names: tuple[str, ...], lists: list[tuple[float, ...]]) -> bool:
    """Return whether every left joint has the numbers of its right twin."""
    twins = [
        (names.index(name), names.index(right + name[len(left) :]))
        for left, right in SIDES
        for name in names
        if name.startswith(left) and right + name[len(left) :] in names
    ]
    return all(values[a] == values[b] for values in lists for a, b in twins)


def _ranges(keys: Keys) -> dict[str, tuple[float, float]]:
    ranges = keys.below("commands").below("base_velocity").below("ranges")
    found = {}
    for axis in VELOCITY_AXES:
        low, high = ranges.numbers(axis, 2, "bound")
        found[axis] = (low, high)
    return found
