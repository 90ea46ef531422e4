"""ONNX with embedded metadata, as mjlab and whole-body-tracking write it; the rest comes from ``--describe``.

Keys as in mujocolab/mjlab at 0eda4e7 (``tasks/velocity/rl/exporter.py``): strings, lists joined by commas, numbers with
three decimals. Observation names are those of deploy.yaml, or of mjlab's own tasks, with scale 1.
"""

from __future__ import annotations

from pathlib import Path

from robot_policies.bundle.importers.describe import ActionKeys, Description, check_keys
from robot_policies.bundle.importers.keys import Keys
from robot_policies.bundle.importers.network import action_part, history, per_joint_key
from robot_policies.bundle.importers.onnx_source import metadata
from robot_policies.bundle.importers.policy import (
    ActionPart,
    Entry,
    ForeignPolicy,
    Numbers,
    Past,
    per_joint,
    shortened,
    term_size,
)
from robot_policies.bundle.importers.refusal import refused
from robot_policies.robot_spec import RobotSpec

NEEDED = ("control_dt",)
ACCEPTED = (
    *("robot", "default_joint_pos", "stiffness", "damping", "action", "torque_limit", "history", "clip_observation"),
    *("network", "command", "licence", "source"),
)

TERMS = {
    "base_lin_vel": "base_lin_vel",
    "base_ang_vel": "base_ang_vel",
    "projected_gravity": "projected_gravity",
    "velocity_commands": "velocity_command",
    "command": "velocity_command",  # mjlab's velocity task
    "joint_pos_rel": "joint_pos_rel",
    "joint_pos": "joint_pos_rel",  # mjlab's name of the term; its function is joint_pos_rel
    "joint_vel_rel": "joint_vel",
    "joint_vel": "joint_vel",
    "last_action": "last_action",
    "actions": "last_action",
}
VELOCITY_COMMANDS = ("twist", "base_velocity", "velocity")
ROUNDED = 0.000501  # half of the third decimal, and a little for binary fractions
NOTE = "the metadata holds three decimals only: gains, default positions and action scales are rounded as there"


def read_policy(source: Path, spec: RobotSpec, describe: Description) -> ForeignPolicy:
    """Return the policy in the ONNX file ``source``.

    Raises:
        ImportFormatError: a key is missing or wrong, or a term cannot be provided; the message names it.
    """
    if source.suffix != ".onnx":
        raise refused(f"{source}: an ONNX file", source.suffix or "no suffix", ".onnx")
    check_keys(describe, NEEDED, ACCEPTED, "onnx_metadata")
    texts = metadata(source)
    keys = Keys({key: _listed(value) for key, value in texts.items()}, f"{source}: metadata")
    names = keys.strings("joint_names")
    entries, past = _past(keys, _entries(keys, len(names)), describe)
    default = _finer(keys, "default_joint_pos", "default_joint_pos", describe.default_joint_pos, len(names))
    limit, torque = describe.clip_observation, describe.torque_limit
    return ForeignPolicy(
        joint_names=names,
        default_joint_pos=default,
        stiffness=_finer(keys, "joint_stiffness", "stiffness", describe.stiffness, len(names)),
        damping=_finer(keys, "joint_damping", "damping", describe.damping, len(names)),
        torque_limit=None if torque is None else per_joint_key("torque_limit", torque, len(names)),
        control_dt=describe.control_dt or 0.0,
        entries=entries,
        past=past,
        clip=None if limit is None else (-limit, limit),
        action=_action(keys, default, describe.action, any(entry.term == "last_action" for entry in entries)),
        network=describe.network_source(source),
        command=describe.command_ranges(),
        licence=describe.licence,
        source=describe.source or f"ONNX file {source.name}, run {texts.get('run_path') or 'not stated'}",
        files=(source,),
        notes=(NOTE,),
    )


def _listed(value: str) -> object:
    """Return a joined list as a list of numbers, or of strings where one is none; brackets and quotes may surround."""
    parts = [part.strip().strip("'\"") for part in value.strip().strip("[]()").split(",")]
    try:
        return [float(part) for part in parts]
    except ValueError:
        return [part for part in parts if part]


def _entries(keys: Keys, count: int) -> tuple[Entry, ...]:
    entries = []
    for name in keys.strings("observation_names"):
        if name not in TERMS:
            raise keys.fault("observation_names", f"{name}, which nothing here can provide", ", ".join(TERMS))
        entries.append(Entry(TERMS[name], term_size(TERMS[name], count)))
    if any(entry.term == "velocity_command" for entry in entries):
        commands = keys.strings("command_names")
        if len(commands) != 1 or commands[0] not in VELOCITY_COMMANDS:
            valid = f"one velocity command: {', '.join(VELOCITY_COMMANDS)}"
            raise keys.fault("command_names", ", ".join(commands), valid)
    return tuple(entries)


def _past(keys: Keys, entries: tuple[Entry, ...], describe: Description) -> tuple[tuple[Entry, ...], Past | None]:
    """Return the terms with their histories: from the user, or from whole-body-tracking's lengths, oldest first."""
    lengths = (1,) * len(entries)
    if "observation_history_lengths" in keys:
        lengths = keys.integers("observation_history_lengths")
        if len(lengths) != len(entries):
            found = f"{len(lengths)} numbers"
            raise keys.fault("observation_history_lengths", found, f"{len(entries)}, one per observation name")
    if describe.history is None:
        return tuple(_with_length(entry, length) for entry, length in zip(entries, lengths, strict=True)), None
    if any(length > 1 for length in lengths):
        raise keys.fault(
            "observation_history_lengths", list(lengths), "no history in --describe, which states it twice"
        )
    past = history(describe.history)
    if describe.history.layout == "time":
        return entries, past
    return tuple(Entry(entry.term, entry.size, past=past) for entry in entries), None


def _with_length(entry: Entry, length: int) -> Entry:
    return Entry(
        entry.term, entry.size, past=Past(tuple(reversed(range(length))), "first_frame") if length > 1 else None
    )


def _stated(keys: Keys, key: str, count: int) -> tuple[float, ...]:
    """Return one number per joint; mjlab writes a single number where all are the same."""
    value = keys.need(key, f"{count} numbers, one per joint")
    if isinstance(value, list) and len(value) == 1:
        return Keys({key: value[0]}, keys.where).numbers(key, count, "joint", scalar=True)
    return keys.numbers(key, count, "joint")


def _finer(keys: Keys, key: str, own_key: str, own: Numbers | None, count: int) -> tuple[float, ...]:
    """Return the user's numbers at full precision where he gives them; they must round to those of the metadata."""
    stated = _stated(keys, key, count)
    if own is None:
        return stated
    values = per_joint_key(own_key, own, count)
    if any(abs(a - b) > ROUNDED for a, b in zip(values, stated, strict=True)):
        asked = f"--describe: {own_key}: the numbers of {key} in the metadata, but for their rounding"
        raise refused(asked, shortened(values), f"{shortened(stated)}")
    return values


def _action(keys: Keys, default: tuple[float, ...], own: ActionKeys | None, seen: bool) -> ActionPart:
    scale = _finer(keys, "action_scale", "action.scale", None if own is None else own.scale, len(default))
    clip, last = (None, None) if own is None else (own.clip, own.last_action)
    return action_part(
        ActionKeys(scale=shortened(per_joint(scale, len(default))), clip=clip, last_action=last), default, seen
    )
