"""``network``: any one ONNX or TorchScript file, described whole by the user's YAML (``--describe``)."""

from __future__ import annotations

from pathlib import Path

from robot_policies.bundle.importers.describe import ActionKeys, Description, HistoryKeys, ObservationKeys, check_keys
from robot_policies.bundle.importers.policy import ActionPart, Entry, ForeignPolicy, Numbers, Past, per_joint, term_size
from robot_policies.bundle.importers.refusal import refused
from robot_policies.robot_spec import RobotSpec

NEEDED = ("control_dt", "joint_names", "default_joint_pos", "stiffness", "damping", "action", "observation")
ACCEPTED = ("robot", "torque_limit", "history", "clip_observation", "network", "command", "licence", "source")
SUFFIXES = (".onnx", ".pt", ".pth", ".jit")


def read_policy(source: Path, spec: RobotSpec, describe: Description) -> ForeignPolicy:
    """Return the policy whose network is the file ``source``.

    Raises:
        ImportFormatError: a key is missing or wrong; the message names it.
    """
    check_keys(describe, NEEDED, ACCEPTED, "network")
    if source.suffix not in SUFFIXES:
        raise refused(f"{source}: a network file", source.suffix or "no suffix", SUFFIXES)
    names, action_keys = describe.joint_names or (), describe.action or ActionKeys(scale=1.0)
    count = len(names)
    default = per_joint_key("default_joint_pos", describe.default_joint_pos, count)
    entries = tuple(_entry(index, keys, count) for index, keys in enumerate(describe.observation or ()))
    if not entries:
        raise refused("observation: at least one term", "an empty list", "- {term: base_ang_vel}")
    entries, past = _with_history(entries, describe.history)
    limit = describe.clip_observation
    torque = describe.torque_limit
    return ForeignPolicy(
        joint_names=names,
        default_joint_pos=default,
        stiffness=per_joint_key("stiffness", describe.stiffness, count),
        damping=per_joint_key("damping", describe.damping, count),
        torque_limit=None if torque is None else per_joint_key("torque_limit", torque, count),
        control_dt=describe.control_dt or 0.0,
        entries=entries,
        past=past,
        clip=None if limit is None else (-limit, limit),
        action=action_part(action_keys, default, any(entry.term == "last_action" for entry in entries)),
        network=describe.network_source(source),
        command=describe.command_ranges(),
        licence=describe.licence,
        source=describe.source or f"network file {source.name}",
        files=(source,),
    )


def action_part(keys: ActionKeys, default: tuple[float, ...], seen: bool) -> ActionPart:
    """Return what the output means.

    Args:
        keys: the user's.
        default: (joints,) positions of a zero output [rad].
        seen: whether the network is given its last action.

    Raises:
        ImportFormatError: sizes, bounds in the wrong order, or ``last_action`` left out where it matters.
    """
    count = len(default)
    scale = _sized("action.scale", keys.scale, count)
    if keys.clip is None:
        return ActionPart(scale, default, None, keys.last_action or "raw")
    low, high = (_sized("action.clip", bound, count) for bound in keys.clip)
    if any(a > b for a, b in zip(per_joint(low, count), per_joint(high, count), strict=True)):
        raise refused("action.clip: lower, upper", list(keys.clip), "lower at most upper")
    if keys.last_action is None and seen:
        raise refused("action.last_action: the output before or after the clip", "none", "raw, clipped")
    return ActionPart(scale, default, (low, high), keys.last_action or "raw")


def _entry(index: int, keys: ObservationKeys, count: int) -> Entry:
    size, where = term_size(keys.term, count), f"observation[{index}]"
    if (keys.term == "gait_phase") != (keys.period is not None):
        found = "no period" if keys.period is None else f"{keys.term} with a period"
        raise refused(f"{where}.period: of gait_phase, and of no other term", found, "period: 0.8")
    params = {} if keys.period is None else {"period": keys.period}
    return Entry(keys.term, size, _sized(f"{where}.scale", keys.scale, size, keys.term), params=params)


def _with_history(entries: tuple[Entry, ...], keys: HistoryKeys | None) -> tuple[tuple[Entry, ...], Past | None]:
    """Return the terms and the history of the whole frame; in the layout ``term``, each term has it instead."""
    if keys is None:
        return entries, None
    past = history(keys)
    if keys.layout == "time":
        return entries, past
    return tuple(Entry(entry.term, entry.size, entry.scale, past=past, params=entry.params) for entry in entries), None


def history(keys: HistoryKeys) -> Past:
    """Return the ages that ``keys`` mean: ``frames`` of them, from 0, or from 1 where the present is not included."""
    first = 0 if keys.includes_current else 1
    ages = range(first, first + keys.frames)
    return Past(tuple(ages if keys.order == "newest_first" else reversed(ages)), keys.fill)


def per_joint_key(key: str, values: Numbers | None, count: int) -> tuple[float, ...]:
    """Return one number per joint. Raises ``ImportFormatError`` where there are more or fewer."""
    sized = _sized(key, 0.0 if values is None else values, count)
    return per_joint(sized, count)


def _sized(key: str, values: Numbers, size: int, what: str = "joint") -> Numbers:
    if isinstance(values, tuple) and len(values) != size:
        valid = f"one number, or {size}, in the order of {'joint_names' if what == 'joint' else 'the term'}"
        raise refused(f"{key}: one number per {what}", f"{len(values)} numbers", valid)
    return values
