"""What foreign projects would compute: their deployment loops, written from their descriptions, for tests alone.

Nothing of this package is used here but the values that it is given.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from helpers.foreign import GO2, Network, Signals

Targets = list[dict[str, float]]
Call = Callable[[np.ndarray], np.ndarray]  # an observation to the network's output, both flat


def rl_sar_loop(source: Path, ticks: Sequence[Signals], network: Call | None = None) -> Targets:
    """Return the targets of rl_sar's loop, written from its description: every list in the policy's order."""
    read = {path: yaml.safe_load((source / path).read_text()) for path in ("../base.yaml", "config.yaml")}
    keys: dict[str, Any] = {**read["../base.yaml"]["go2"], **next(iter(read["config.yaml"].values()))}
    names = [keys["joint_names"][i] for i in keys["joint_mapping"]]
    default, network = np.array(keys["default_dof_pos"]), network or Network(source / "policy.onnx")
    ages, last = keys["observations_history"], np.zeros(12)
    buffer: deque[list[np.ndarray]] = deque(maxlen=max(ages, default=0) + 1)
    targets = []
    for signals in ticks:
        terms = [_rl_sar_term(name, keys, signals, names, default, last) for name in keys["observations"]]
        terms = [np.clip(term, -keys["clip_obs"], keys["clip_obs"]) for term in terms]
        buffer.extendleft([terms] * (buffer.maxlen or 1) if not buffer else [terms])
        if not ages:
            vector = np.concatenate(terms)
        elif keys["observations_history_priority"] == "time":
            vector = np.concatenate([part for age in ages for part in buffer[age]])
        else:
            vector = np.concatenate([buffer[age][place] for place in range(len(terms)) for age in ages])
        last = network(vector)
        if keys.get("clip_actions_lower"):
            last = np.clip(last, keys["clip_actions_lower"], keys["clip_actions_upper"])
        targets.append(dict(zip(names, default + np.array(keys["action_scale"]) * last, strict=True)))
    return targets


def _rl_sar_term(
    name: str, keys: Mapping[str, Any], signals: Signals, names: list[str], default: np.ndarray, last: np.ndarray
) -> np.ndarray:
    pos, vel = signals.joints(names)
    return {
        "ang_vel": signals.ang_vel * keys["ang_vel_scale"],
        "lin_vel": signals.lin_vel * keys["lin_vel_scale"],
        "gravity_vec": signals.gravity,
        "commands": signals.command * np.array(keys["commands_scale"]),
        "dof_pos": (pos - default) * keys["dof_pos_scale"],
        "dof_vel": vel * keys["dof_vel_scale"],
        "actions": last,
    }[name]


def unitree_loop(source: Path, ticks: Sequence[Signals], motors: Sequence[str] = GO2.joint_names) -> Targets:
    """Return the targets of Unitree's loop, from its description."""
    keys = yaml.safe_load((source / "params" / "deploy.yaml").read_text())
    names = [motors[i] for i in keys["joint_ids_map"]]
    action, default = keys["actions"]["JointPositionAction"], np.array(keys["default_joint_pos"])
    network, last = Network(source / "exported" / "policy.onnx"), np.zeros(len(names))
    terms = {name: term for name, term in keys["observations"].items() if isinstance(term, dict)}
    scale_first = keys["observations"].get("scale_first", False)
    buffers: dict[str, deque[np.ndarray]] = {}
    targets = []
    for tick, signals in enumerate(ticks):
        for name, term in terms.items():
            value = _unitree_term(name, term, signals, names, default, last, tick * keys["step_dt"])
            scale = 1.0 if term["scale"] is None else np.array(term["scale"])
            value = value * scale if scale_first else value
            value = np.clip(value, *term["clip"]) if term["clip"] is not None else value
            value = value if scale_first else value * scale
            length = max(1, term["history_length"])
            buffers.setdefault(name, deque([value] * length, maxlen=length)).append(value)
        frames = list(buffers.values())
        if keys["observations"].get("use_gym_history"):
            vector = np.concatenate([part for parts in zip(*frames, strict=True) for part in parts])
        else:
            vector = np.concatenate([part for parts in frames for part in parts])
        last = network(vector)
        target = last * _numbers(action["scale"], names, 1.0) + _numbers(action["offset"], names, 0.0)
        if action["clip"] is not None:
            low, high = np.array(_pairs(action["clip"], names)).T
            target = np.clip(target, low, high)
        targets.append(dict(zip(names, target.tolist(), strict=True)))
    return targets


def _unitree_term(
    name: str,
    term: dict[str, Any],
    signals: Signals,
    names: Sequence[str],
    default: np.ndarray,
    last: np.ndarray,
    time: float,
) -> np.ndarray:
    pos, vel = signals.joints(names)
    phase = 2.0 * math.pi * time / term["params"]["period"] if name == "gait_phase" else 0.0
    return {
        "base_lin_vel": signals.lin_vel,
        "base_ang_vel": signals.ang_vel,
        "projected_gravity": signals.gravity,
        "velocity_commands": signals.command,
        "joint_pos": pos,
        "joint_pos_rel": pos - default,
        "joint_vel_rel": vel,
        "last_action": last,
        "gait_phase": np.array([math.sin(phase), math.cos(phase)]),
    }[name]


def _numbers(value: Any, names: Sequence[str], none: float) -> np.ndarray:
    if isinstance(value, dict):
        part = {name: value[f".*_{name.split('_')[1]}_joint"] for name in names}
        return np.array([part[name] for name in names])
    return np.broadcast_to(np.array(none if value is None else value, dtype=float), (len(names),))


def _pairs(value: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(value, dict):
        return [value[f".*_{name.split('_')[1]}_joint"] for name in names]
    return value if isinstance(value[0], list) else [value] * len(names)


def described_loop(data: Mapping[str, Any], network: Call, ticks: Sequence[Signals]) -> Targets:
    """Return the targets of a loop that does what the description says, word by word."""
    names, default, action = data["joint_names"], np.array(data["default_joint_pos"]), data["action"]
    past: list[list[np.ndarray]] = []  # frames as lists of terms, newest last
    last, targets = np.zeros(12), []
    for tick, signals in enumerate(ticks):
        frame = [
            _described_term(item, signals, names, default, last, tick * data["control_dt"])
            for item in data["observation"]
        ]
        past.append(frame)
        vector = np.concatenate(_arranged(data.get("history"), past))
        if "clip_observation" in data:
            vector = np.clip(vector, -data["clip_observation"], data["clip_observation"])
        raw = network(vector)
        clipped = np.clip(raw, *action["clip"]) if action.get("clip") else raw
        last = clipped if action.get("last_action") == "clipped" else raw
        targets.append(dict(zip(names, (default + np.array(action["scale"]) * clipped).tolist(), strict=True)))
    return targets


def _described_term(
    item: Mapping[str, Any], signals: Signals, names: list[str], default: np.ndarray, last: np.ndarray, time: float
) -> np.ndarray:
    pos, vel = signals.joints(names)
    phase = 2.0 * math.pi * time / item.get("period", 1.0)
    value = {
        "base_lin_vel": signals.lin_vel,
        "base_ang_vel": signals.ang_vel,
        "projected_gravity": signals.gravity,
        "joint_pos_rel": pos - default,
        "joint_vel": vel,
        "last_action": last,
        "velocity_command": signals.command,
        "gait_phase": np.array([math.sin(phase), math.cos(phase)]),
    }[item["term"]]
    return np.array(value * np.array(item.get("scale", 1.0)))


def _arranged(keys: Mapping[str, Any] | None, past: list[list[np.ndarray]]) -> list[np.ndarray]:
    if keys is None:
        return past[-1]
    ages = [age + (0 if keys["includes_current"] else 1) for age in range(keys["frames"])]
    ages = ages if keys["order"] == "newest_first" else ages[::-1]
    frames = [_aged(past, age, keys["fill"]) for age in ages]
    if keys["layout"] == "time":
        return [part for frame in frames for part in frame]
    return [frame[place] for place in range(len(past[0])) for frame in frames]


def _aged(past: list[list[np.ndarray]], age: int, fill: str) -> list[np.ndarray]:
    if age < len(past):
        return past[-1 - age]
    empty = fill == "zeros" or (fill == "zeros_then_first_frame" and len(past) == 1)
    return [np.zeros_like(part) for part in past[0]] if empty else past[0]


def metadata_loop(path: Path, ticks: Sequence[Signals], scale: Any, history: int = 1) -> Targets:
    """Return the targets of a loop over terms with scale 1, each with its own history, oldest first."""
    texts = Network(path).metadata
    names, default = texts["joint_names"].split(","), np.array(texts["default_joint_pos"].split(","), dtype=float)
    network, last = Network(path), np.zeros(12)
    buffers: dict[str, list[np.ndarray]] = {}
    targets = []
    for signals in ticks:
        pos, vel = signals.joints(names)
        known = {
            "base_lin_vel": signals.lin_vel,
            "base_ang_vel": signals.ang_vel,
            "projected_gravity": signals.gravity,
            **dict.fromkeys(("joint_pos", "joint_pos_rel"), pos - default),
            **dict.fromkeys(("joint_vel", "joint_vel_rel"), vel),
            **dict.fromkeys(("actions", "last_action"), last),
            **dict.fromkeys(("command", "velocity_commands"), signals.command),
        }
        for name in texts["observation_names"].split(","):
            past = buffers.setdefault(name, [known[name]] * history)
            past[:] = [*past[1:], known[name]]
        last = network(np.concatenate([part for past in buffers.values() for part in past]))
        targets.append(dict(zip(names, (default + np.array(scale) * last).tolist(), strict=True)))
    return targets
