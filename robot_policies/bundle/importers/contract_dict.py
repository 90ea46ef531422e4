"""From a foreign policy to the contract of a bundle, as plain data, and what of it was a default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from robot_policies.bundle.importers import defaults
from robot_policies.bundle.importers.onnx_graph import Graph, State
from robot_policies.bundle.importers.policy import VELOCITY_AXES, Entry, ForeignPolicy, Past
from robot_policies.bundle.importers.refusal import refused
from robot_policies.robot_spec import RobotSpec

FILE = "policy.onnx"
NETWORK = "policy"
GROUP = "policy"
NAME = re.compile(r"^[a-z][a-z0-9_]*$")


def bundle_name(asked: str | None, proposed: str) -> str:
    """Return the bundle's name: the one asked for, or one made from ``proposed``.

    Raises:
        ImportFormatError: the name asked for cannot be one.
    """
    if asked is None:
        made = re.sub(r"[^a-z0-9]+", "_", proposed.lower()).strip("_")
        return made if NAME.match(made) else f"policy_{made}".rstrip("_")
    if not NAME.match(asked):
        raise refused("--name", asked, "small letters, digits and _, a letter first")
    return asked


def within_robot(policy: ForeignPolicy, spec: RobotSpec) -> ForeignPolicy:
    """Return the policy with torque limits that the robot has: its own where none, or larger ones, are stated."""
    index = spec.joint_index(policy.joint_names)
    own = tuple(float(value) for value in spec.effort_limit[index])
    if policy.torque_limit is None:
        return replace(policy, torque_limit=own)
    limits = tuple(min(stated, robot) for stated, robot in zip(policy.torque_limit, own, strict=True))
    if limits == policy.torque_limit:
        return policy
    larger = [name for name, a, b in zip(policy.joint_names, policy.torque_limit, own, strict=True) if a > b]
    note = f"torque limits above the robot's were lowered to the robot's: {', '.join(larger)}"
    return replace(policy, torque_limit=limits, notes=(*policy.notes, note))


def contract_dict(
    policy: ForeignPolicy, graph: Graph, spec: RobotSpec, name: str, licence: str | None, provenance: Mapping[str, str]
) -> dict[str, Any]:
    """Return everything of policy.yaml but ``format`` and ``files``, for a policy of one network.

    Args:
        policy: with torque limits.
        graph: its network in the bundle.
        spec: the robot.
        name: of the bundle.
        licence: the user's; None takes the policy's.
        provenance: where it came from and what was compared.
    """
    data = base_dict(policy, spec, name, licence, provenance)
    data |= {"observations": {GROUP: _group(policy)}, "networks": [_network(graph)]}
    data["action"]["source"] = {"network": NETWORK, "output": graph.output}
    return data


def base_dict(
    policy: ForeignPolicy, spec: RobotSpec, name: str, licence: str | None, provenance: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a contract says beside observations and networks; the action's source is still to come."""
    return {
        "name": name,
        "version": defaults.VERSION,
        "kind": "velocity",
        "robot": spec.name,
        "licence": licence or policy.licence or defaults.LICENCE,
        "provenance": dict(provenance),
        "timing": _given(control_dt=policy.control_dt, physics_dt=policy.physics_dt, decimation=policy.decimation),
        "joints": {
            "names": policy.joint_names,
            "default_joint_pos": policy.default_joint_pos,
            "stiffness": policy.stiffness,
            "damping": policy.damping,
            "torque_limit": policy.torque_limit,
        },
        "observations": {},
        "networks": [],
        "action": {
            "meaning": "joint_position_offset",
            "source": {},
            "scale": policy.action.scale,
            "offset": policy.action.offset,
            "clip": policy.action.clip,
            # Without a clip the two are the same thing.
            "last_action": policy.action.last_action if policy.action.clip is not None else "raw",
        },
        "commands": {"velocity": _commands(policy)},
        "limits": _limits(policy),
    }


def defaults_taken(policy: ForeignPolicy, licence: str | None) -> list[str]:
    """Return the project's defaults in the bundle of ``policy``, in words."""
    taken = [
        f"state at most {defaults.STATE_MAX_AGE:g} s old, then landing",
        f"command at most {defaults.COMMAND_MAX_AGE:g} s old; an absent or older one means {defaults.ABSENT}",
        f"tilt at most {defaults.TILT:g} rad",
        f"start pose: the default positions, every joint within {defaults.START_TOLERANCE:g} rad",
    ]
    if policy.command is None:
        ranges = ", ".join(f"{axis} {low:g} to {high:g}" for axis, (low, high) in defaults.COMMAND.items())
        taken.append(f"command ranges: {ranges}")
    if licence is None and policy.licence is None:
        taken.append(f"licence: {defaults.LICENCE}")
    return taken


def _group(policy: ForeignPolicy) -> dict[str, Any]:
    terms = [term_dict(entry) for entry in policy.entries]
    return {"terms": terms, **_given(history=_history(policy.past), clip=policy.clip)}


def term_dict(entry: Entry) -> dict[str, Any]:
    """Return one term of the contract."""
    term: dict[str, Any] = {"term": entry.term, "size": entry.size, "scale": entry.scale}
    optional = _given(clip=entry.clip, history=_history(entry.past), params=dict(entry.params) or None)
    return {**term, **({"offset": entry.offset} if entry.offset != 0.0 else {}), **optional}


def _history(past: Past | None) -> dict[str, Any] | None:
    return None if past is None else {"ages": past.ages, "fill": past.fill}


def _network(graph: Graph) -> dict[str, Any]:
    return {
        "name": NETWORK,
        "file": FILE,
        "period": 1,
        "inputs": [{"name": graph.input, "shape": graph.input_shape, "source": [{"observation": GROUP}]}],
        "outputs": [{"name": graph.output, "shape": graph.output_shape}],
        "states": [_state(state) for state in graph.states],
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "input": state.input,
        "output": state.output,
        "shape": state.shape,
        "dtype": state.dtype,
        "initial": state.initial,
        "reset": "activation",
    }


def _commands(policy: ForeignPolicy) -> dict[str, Any]:
    ranges = defaults.COMMAND if policy.command is None else policy.command
    for axis in VELOCITY_AXES:
        if ranges[axis][0] > ranges[axis][1]:
            raise refused(f"command: {axis}: low, high", list(ranges[axis]), "low at most high")
    return {**{axis: {"range": ranges[axis]} for axis in VELOCITY_AXES}, "absent": defaults.ABSENT}


def _limits(policy: ForeignPolicy) -> dict[str, Any]:
    return {
        "inputs": {
            "state": {"max_age": defaults.STATE_MAX_AGE, "lost": "landing"},
            "velocity_command": {"max_age": defaults.COMMAND_MAX_AGE, "lost": defaults.ABSENT},
        },
        "tilt": defaults.TILT,
        "start": {"joint_pos": policy.default_joint_pos, "tolerance": defaults.START_TOLERANCE},
    }


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
