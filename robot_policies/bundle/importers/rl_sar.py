"""rl_sar: ``policy/<robot>/base.yaml`` and ``policy/<robot>/<config>/config.yaml`` with the network beside it.

Keys as in fan-ziqi/rl_sar at e384912 (``library/core/rl_sdk/rl_sdk.cpp``, ``observation_buffer.cpp``). Its lists are in
the policy's joint order, but for ``joint_names``, which is the robot's; ``joint_mapping[i]`` is the place there of the
policy's joint i.
"""

from __future__ import annotations

from pathlib import Path

from robot_policies.bundle.importers.describe import Description
from robot_policies.bundle.importers.keys import Keys, read
from robot_policies.bundle.importers.policy import ActionPart, Entry, ForeignPolicy, Past, term_size
from robot_policies.bundle.importers.refusal import refused
from robot_policies.robot_spec import RobotSpec

ACCEPTS = ("robot", "command", "licence", "source", "network")  # keys of --describe that rl_sar does not state itself

# rl_sar's name -> ours, and the key that scales it (None: not scaled)
TERMS = {
    "lin_vel": ("base_lin_vel", "lin_vel_scale"),
    "ang_vel": ("base_ang_vel", "ang_vel_scale"),
    "gravity_vec": ("projected_gravity", None),
    "commands": ("velocity_command", "commands_scale"),
    "dof_pos": ("joint_pos_rel", "dof_pos_scale"),
    "dof_vel": ("joint_vel", "dof_vel_scale"),
    "actions": ("last_action", None),
}
UNUSED = ("fixed_kp", "fixed_kd", "joint_controller_names")  # for standing up, and Gazebo's names: not the policy's
# Keys of older versions of rl_sar, which change what the network sees or does and have no meaning in this one.
OLD = ("framework", "hip_scale_reduction", "hip_scale_reduction_indices", "state_mapping", "command_mapping")
SUFFIXES = (".pt", ".pth", ".jit", ".onnx")  # of the network's file
# Read only where the policy has a use for them.
SOMETIMES = ("observations_history_priority", *(key for _, key in TERMS.values() if key))


def read_policy(source: Path, spec: RobotSpec, describe: Description) -> ForeignPolicy:
    """Return the policy in the folder ``source``.

    Args:
        source: ``.../policy/<robot>/<config>``; a folder above it holds ``base.yaml``.
        spec: the robot.
        describe: what the user adds.

    Raises:
        ImportFormatError: a file or key is missing or wrong; the message names it.
    """
    base_file, config_file = _files(source, spec)
    config = f"{spec.name}/{source.resolve().relative_to(base_file.parent).as_posix()}"
    keys = read(base_file).below(spec.name).overridden_by(read(config_file).below(config))
    names = _joint_names(keys)
    count = len(names)
    _refuse_what_is_not_supported(keys)
    frame = _entries(keys, count)
    stated = keys.integer("num_observations", 1)
    if stated != (size := sum(entry.size for entry in frame)):
        parts = " + ".join(f"{entry.size} {entry.term}" for entry in frame)
        raise keys.fault("num_observations", stated, f"{size} ({parts})")
    frame, past = _history(keys, frame)
    limit = keys.number("clip_obs", over=0.0)
    default = keys.numbers("default_dof_pos", count, "joint")
    decimation = keys.integer("decimation", 1)
    physics_dt = keys.number("dt", over=0.0)
    action = _action(keys, default)
    model = _model(keys, source)
    return ForeignPolicy(
        joint_names=names,
        default_joint_pos=default,
        stiffness=keys.numbers("rl_kp", count, "joint", scalar=True),
        damping=keys.numbers("rl_kd", count, "joint", scalar=True),
        torque_limit=keys.numbers("torque_limits", count, "joint", scalar=True) if "torque_limits" in keys else None,
        control_dt=round(physics_dt * decimation, 9),
        physics_dt=physics_dt,
        decimation=decimation,
        entries=frame,
        past=past,
        clip=(-limit, limit),
        action=action,
        network=describe.network_source(model),
        command=describe.command_ranges(),
        licence=describe.licence,
        source=describe.source or f"rl_sar policy {spec.name}/{source.resolve().name}",
        files=(base_file, config_file, model),
        notes=tuple(f"the key {key} of the rl_sar files is not read" for key in keys.unread(UNUSED + SOMETIMES)),
    )


def _files(source: Path, spec: RobotSpec) -> tuple[Path, Path]:
    """Return base.yaml and config.yaml of the policy, which must be one for the robot."""
    config_file, above = source / "config.yaml", source.resolve().parents[:3]
    if not config_file.is_file():
        valid = "a folder .../policy/<robot>/<config> with config.yaml"
        raise refused(f"{source}: an rl_sar policy", "no config.yaml in it", valid)
    base_file = next((folder / "base.yaml" for folder in above if (folder / "base.yaml").is_file()), None)
    if base_file is None:
        raise refused(f"{source}: base.yaml in a folder above", "none", "base.yaml in the robot's folder, one above")
    robot = base_file.parent.name
    if robot != spec.name:
        valid = f"--robot {robot}, or a policy for {spec.name}"
        raise refused(f"{base_file}: a policy for {spec.name}", f"one for {robot}", valid)
    return base_file, config_file


def _joint_names(keys: Keys) -> tuple[str, ...]:
    """Return the joints in the policy's order."""
    robot_side = keys.strings("joint_names")
    mapping = keys.integers("joint_mapping")
    if sorted(mapping) != list(range(len(robot_side))):
        valid = f"each of 0 to {len(robot_side) - 1} once, the place in joint_names of the policy's joint"
        raise keys.fault("joint_mapping", list(mapping), valid)
    if "num_of_dofs" in keys and keys.integer("num_of_dofs", 1) != len(robot_side):
        raise keys.fault("num_of_dofs", keys.get("num_of_dofs"), f"{len(robot_side)}, as many as joint_names")
    return tuple(robot_side[place] for place in mapping)


def _refuse_what_is_not_supported(keys: Keys) -> None:
    if keys.get("wheel_indices"):
        raise keys.fault(
            "wheel_indices", keys.get("wheel_indices"), "[] (wheels are driven by velocity, not by position)"
        )
    for key in OLD:
        if key in keys:
            raise keys.fault(key, keys.get(key), "no such key (it is of an older rl_sar; convert the policy's folder)")


def _entries(keys: Keys, count: int) -> tuple[Entry, ...]:
    entries = []
    for name in keys.strings("observations"):
        if name not in TERMS:
            raise keys.fault("observations", name, ", ".join(TERMS))
        term, scale = TERMS[name]
        size = term_size(term, count)
        if scale is None:
            entries.append(Entry(term, size))
        elif scale == "commands_scale":
            entries.append(Entry(term, size, keys.numbers(scale, 3, "axis")))
        else:
            entries.append(Entry(term, size, keys.number(scale)))
    return tuple(entries)


def _history(keys: Keys, frame: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], Past | None]:
    """Return the terms and the history of the whole frame; by ``term``, each term has the history instead."""
    ages = keys.integers("observations_history")
    if not ages:
        return frame, None
    if len(set(ages)) != len(ages):
        raise keys.fault("observations_history", list(ages), "each age once")
    past = Past(ages, "first_frame")
    priority = keys.text("observations_history_priority")
    if priority == "time":
        return frame, past
    if priority != "term":
        raise keys.fault("observations_history_priority", priority, "time, term")
    return tuple(Entry(entry.term, entry.size, entry.scale, past=past) for entry in frame), None


def _action(keys: Keys, default: tuple[float, ...]) -> ActionPart:
    """Return what the output means; ``actions`` of the next observation is the output after the clip."""
    count = len(default)
    bounds = [keys.get(key) not in (None, []) for key in ("clip_actions_lower", "clip_actions_upper")]
    clip = None
    if any(bounds):
        lower = keys.numbers("clip_actions_lower", count, "joint", scalar=True)
        upper = keys.numbers("clip_actions_upper", count, "joint", scalar=True)
        if any(low > high for low, high in zip(lower, upper, strict=True)):
            raise keys.fault("clip_actions_lower", list(lower), f"at most clip_actions_upper, {list(upper)}")
        clip = (lower, upper)
    scale = keys.numbers("action_scale", count, "joint", scalar=True)
    return ActionPart(scale, default, clip, last_action="clipped")


def _model(keys: Keys, source: Path) -> Path:
    """Return the network's file, which must lie in ``source`` itself."""
    name = keys.text("model_name")
    path = source / name
    if Path(name).name != name or path.suffix not in SUFFIXES or not path.is_file():
        there = sorted(item.name for item in source.iterdir() if item.suffix in SUFFIXES)
        raise keys.fault("model_name", name, f"a file in {source}: {', '.join(there) or '(there is none)'}")
    return path
