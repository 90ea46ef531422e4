"""The observations and actions of a Unitree ``deploy.yaml``, as Isaac Lab's managers define them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from robot_policies.bundle.importers.keys import Keys, is_number, shown
from robot_policies.bundle.importers.policy import ActionPart, Entry, Past, shortened, term_size
from robot_policies.bundle.importers.refusal import refused

TERMS = {
    "base_lin_vel": "base_lin_vel",
    "base_ang_vel": "base_ang_vel",
    "projected_gravity": "projected_gravity",
    "velocity_commands": "velocity_command",
    "joint_pos": "joint_pos",  # unitree_rl_mjlab's: the measured position itself
    "joint_pos_rel": "joint_pos_rel",
    "joint_vel_rel": "joint_vel",  # minus the default velocity, which is 0
    "last_action": "last_action",
    "gait_phase": "gait_phase",
}
TERM_KEYS = ("scale", "clip", "history_length", "params")
INERT = ("noise", "flatten_history_dim", "history_ordering")  # of training, or stating what holds anyway
SWITCHES = ("scale_first", "use_gym_history")  # of unitree_rl_mjlab, among the terms
ACTION = "JointPositionAction"
ACTION_KEYS = ("scale", "offset", "clip", "joint_names", "joint_ids")
LONGEST_PATTERN = 200  # characters of a regular expression of joint names; real ones have under 60


def observation(keys: Keys, count: int) -> tuple[tuple[Entry, ...], Past | None]:
    """Return the terms in order, and the history of the whole frame where ``use_gym_history`` says so.

    Args:
        keys: those under ``observations``.
        count: joints.

    Raises:
        ImportFormatError: an unknown term, a missing or wrong key; the message names it.
    """
    keys = _only_group(keys)
    scale_first, by_frame = (_switch(keys, name) for name in SWITCHES)
    names = [name for name in keys.names() if name not in SWITCHES]
    if not names:
        raise keys.fault("(terms)", "none", ", ".join(TERMS))
    terms = [_term(keys, name, count, scale_first) for name in names]
    lengths = {length for _, length in terms}
    if not by_frame:
        return tuple(_with_past(entry, length) for entry, length in terms), None
    if len(lengths) != 1:
        raise keys.fault("use_gym_history", f"history_length {sorted(lengths)}", "one history_length for all terms")
    length = lengths.pop()
    return tuple(entry for entry, _ in terms), _past(length) if length > 1 else None


def _only_group(keys: Keys) -> Keys:
    """Return the terms; they lie one level deeper where the file names groups."""
    names = [name for name in keys.names() if name not in SWITCHES]
    groups = [name for name in names if name not in TERMS and _holds_terms(keys.get(name))]
    if not groups:
        return keys
    if len(names) > 1:
        raise keys.fault("(groups)", ", ".join(names), "one group of terms (one network input)")
    return keys.below(names[0])


def _holds_terms(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(value.get(name), Mapping) for name in TERMS)


def _switch(keys: Keys, name: str) -> bool:
    value = keys.get(name)
    if value not in (None, True, False):
        raise keys.fault(name, value, "true, false")
    return bool(value)


def _past(length: int) -> Past:
    return Past(tuple(reversed(range(length))), "first_frame")


def _with_past(entry: Entry, length: int) -> Entry:
    past = _past(length) if length > 1 else None
    return Entry(entry.term, entry.size, entry.scale, entry.offset, entry.clip, past, entry.params)


def _term(keys: Keys, name: str, count: int, scale_first: bool) -> tuple[Entry, int]:
    """Return one term without its history, and the length of that."""
    if name not in TERMS:
        raise keys.fault("(terms)", name, ", ".join(TERMS))
    own = keys.below(name)
    for key in own.unread((*TERM_KEYS, *INERT)):
        if own.get(key) not in (None, [], {}):
            raise own.fault(key, own.get(key), f"only {', '.join(TERM_KEYS)}")
    term = TERMS[name]
    size = term_size(term, count)
    scale = _entries(own, "scale", size, 1.0)
    clip = _clip(own, scale, scale_first)
    # 0 is Isaac Lab's way to say that there is no history.
    length = max(1, own.integer("history_length", 0)) if "history_length" in own else 1
    return Entry(term, size, shortened(scale), clip=clip, params=_params(own, term)), length


def _clip(keys: Keys, scale: tuple[float, ...], scale_first: bool) -> Any:
    """Return the clip after the scale, per entry: clip(x, a, b) * s = clip(s x, s a, s b), or (s b, s a) for s < 0."""
    if "clip" not in keys:
        return None
    low, high = keys.numbers("clip", 2, "bound")
    if low > high:
        raise keys.fault("clip", [low, high], "lower, upper")
    if scale_first:
        return low, high
    bounds = [sorted((low * value, high * value)) for value in scale]
    return shortened([bound[0] for bound in bounds]), shortened([bound[1] for bound in bounds])


def _params(keys: Keys, term: str) -> dict[str, Any]:
    given = keys.below("params") if keys.get("params") is not None else Keys({}, f"{keys.where}: params")
    if term == "gait_phase":
        return {"period": given.number("period", over=0.0)}
    asset = given.get("asset_cfg")
    joints = asset.get("joint_ids") if isinstance(asset, Mapping) else None
    names = asset.get("joint_names") if isinstance(asset, Mapping) else None
    if joints is not None or names not in (None, ".*", [".*"]):
        raise given.fault("asset_cfg", asset, "all joints (joint_ids null): a term of some joints cannot be expressed")
    return {}


def action_part(keys: Keys, names: tuple[str, ...]) -> ActionPart:
    """Return what the output means; ``last_action`` is the output itself.

    Args:
        keys: those under ``actions``.
        names: (joints,) the policy's joints, in its order.

    Raises:
        ImportFormatError: another action, some joints only, a missing or wrong key; the message names it.
    """
    if keys.names() != [ACTION]:
        raise keys.fault("(terms)", ", ".join(keys.names()) or "none", ACTION)
    own = keys.below(ACTION)
    for key in own.unread(ACTION_KEYS):
        if own.get(key) not in (None, [], {}):
            raise own.fault(key, own.get(key), f"only {', '.join(ACTION_KEYS)}")
    _all_joints(own, names)
    scale = _per_joint(own, "scale", names, 1.0)
    offset = _per_joint(own, "offset", names, 0.0)
    return ActionPart(shortened(scale), shortened(offset), _raw_clip(own, names, scale, offset), last_action="raw")


def _all_joints(keys: Keys, names: tuple[str, ...]) -> None:
    """Check that the action drives every joint, in the policy's order."""
    patterns = keys.get("joint_names")
    patterns = (
        [".*"] if patterns is None else [patterns] if isinstance(patterns, str) else list(keys.strings("joint_names"))
    )
    matched = {name for pattern in patterns for name in _matches(keys, "joint_names", pattern, names)}
    if matched != set(names):
        missing = ", ".join(name for name in names if name not in matched)
        raise keys.fault("joint_names", f"no action for {missing}", "patterns that match every joint of joint_ids_map")
    ids = keys.get("joint_ids")
    if ids is not None and (not isinstance(ids, list) or ids != list(range(len(names)))):
        raise keys.fault("joint_ids", ids, "null (all joints, in the policy's order)")


def _matches(keys: Keys, key: str, pattern: str, names: tuple[str, ...]) -> list[str]:
    """Return the joints that ``pattern`` matches whole. Raises ``ImportFormatError`` for none, or no pattern."""
    try:
        found = [name for name in names if len(pattern) <= LONGEST_PATTERN and re.fullmatch(pattern, name)]
    except re.error as error:
        raise keys.fault(key, f"{pattern} ({error})", "regular expressions of joint names") from error
    if not found:
        raise keys.fault(key, pattern, f"a pattern that matches one of {', '.join(names)}")
    return found


def _entries(keys: Keys, key: str, size: int, none: float) -> tuple[float, ...]:
    """Return a number per entry: from one number, from a list, or ``none`` each where the key is null."""
    return keys.numbers(key, size, "entry", scalar=True) if key in keys else (none,) * size


def _per_joint(keys: Keys, key: str, names: tuple[str, ...], none: float) -> tuple[float, ...]:
    if not isinstance(keys.get(key), Mapping):
        return _entries(keys, key, len(names), none)
    return tuple(
        _by_name(keys, key, names, lambda value: float(value) if is_number(value) else None, "a finite number")
    )


def _by_name(keys: Keys, key: str, names: tuple[str, ...], take: Callable[[Any], Any], valid: str) -> list[Any]:
    """Return one value per joint from a mapping of patterns; every joint must be matched by exactly one."""
    own = keys.below(key)
    found: dict[str, Any] = {}
    for pattern in own.names():
        value = take(own.get(pattern))
        if value is None:
            raise own.fault(pattern, own.get(pattern), valid)
        for name in _matches(own, pattern, pattern, names):
            if name in found:
                raise own.fault(pattern, f"{name}, which another pattern matches too", "each joint matched once")
            found[name] = value
    missing = [name for name in names if name not in found]
    if missing:
        raise keys.fault(key, f"nothing for {', '.join(missing)}", "a pattern for every joint")
    return [found[name] for name in names]


def _raw_clip(keys: Keys, names: tuple[str, ...], scale: tuple[float, ...], offset: tuple[float, ...]) -> Any:
    """Return the clip of the output, from that of the target: low <= scale * raw + offset <= high, solved for raw."""
    value = keys.get("clip")
    if value is None:
        return None
    pairs = _pairs(keys, value, names)
    lower, upper = [], []
    for name, (low, high), factor, shift in zip(names, pairs, scale, offset, strict=True):
        if factor == 0.0 or low > high:
            raise keys.fault(
                "clip", f"[{low:g}, {high:g}] with scale {factor:g} for {name}", "lower, upper; scale not 0"
            )
        bounds = sorted(((low - shift) / factor, (high - shift) / factor))
        lower.append(bounds[0])
        upper.append(bounds[1])
    return shortened(lower), shortened(upper)


def _pairs(keys: Keys, value: Any, names: tuple[str, ...]) -> list[tuple[float, float]]:
    """Return a pair per joint: from one pair, from a list of pairs, or from a mapping of patterns to pairs."""
    if isinstance(value, Mapping):
        return _by_name(keys, "clip", names, _pair, "[lower, upper]")
    one = _pair(value)
    if one is not None:
        return [one] * len(names)
    pairs = [_pair(entry) for entry in value] if isinstance(value, list) else []
    if len(pairs) != len(names) or None in pairs:
        raise refused(f"{keys.where}: clip", shown(value), f"null, a pair, or {len(names)} pairs")
    return [pair for pair in pairs if pair is not None]


def _pair(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2 or not all(is_number(entry) for entry in value):
        return None
    return float(value[0]), float(value[1])
