"""A small, valid bundle for any robot, and ways to bend it. Deterministic; no PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from helpers.networks import mlp

from robot_policies.bundle.hashing import sha256
from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import write_bundle
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import PolicyInputs, RobotState, VelocityCommand, owned

README = "# tiny\n\nA test network with random weights. It does not walk.\n"
HIDDEN = (16, 8)


def contract_of(spec: RobotSpec) -> dict[str, Any]:
    """Return the contract of ``make_bundle``: 45 observations for 12 joints, joints in the reverse of robot order."""
    names = list(reversed(spec.joint_names))
    index = spec.joint_index(names)
    count = len(names)
    pose = spec.poses["stand"][index].tolist()
    size = 9 + 3 * count
    return {
        "name": "tiny",
        "version": "1.0.0",
        "kind": "velocity",
        "robot": spec.name,
        "licence": "Apache-2.0",
        "provenance": {"source": "made by a test"},
        "timing": {"control_dt": 0.02, "physics_dt": 0.005, "decimation": 4},
        "joints": {
            "names": names,
            "default_joint_pos": pose,
            "stiffness": [20.0 + 0.5 * i for i in range(count)],
            "damping": [0.5 + 0.01 * i for i in range(count)],
            "torque_limit": spec.effort_limit[index].tolist(),
        },
        "observations": {
            "policy": {
                "terms": [
                    {"term": "base_ang_vel", "size": 3, "scale": 0.25},
                    {"term": "projected_gravity", "size": 3},
                    {"term": "velocity_command", "size": 3, "scale": [2.0, 2.0, 0.25]},
                    {"term": "joint_pos_rel", "size": count},
                    {"term": "joint_vel", "size": count, "scale": 0.05},
                    {"term": "last_action", "size": count},
                ],
                "clip": [-100.0, 100.0],
            }
        },
        "networks": [
            {
                "name": "actor",
                "file": "actor.onnx",
                "period": 1,
                "inputs": [{"name": "obs", "shape": [1, size], "source": [{"observation": "policy"}]}],
                "outputs": [{"name": "actions", "shape": [1, count]}],
            }
        ],
        "action": {
            "meaning": "joint_position_offset",
            "source": {"network": "actor", "output": "actions"},
            "scale": [0.1 + 0.01 * i for i in range(count)],
            "offset": pose,
            "clip": [-4.0, 4.0],
            "last_action": "raw",
        },
        "commands": {
            "velocity": {
                "lin_vel_x": {"range": [-0.5, 1.0], "dead_band": 0.05},
                "lin_vel_y": {"range": [-0.4, 0.4]},
                "ang_vel_z": {"range": [-1.0, 1.0]},
                "absent": "zero",
            }
        },
        "limits": {
            "inputs": {
                "state": {"max_age": 0.05, "lost": "landing"},
                "velocity_command": {"max_age": 0.5, "lost": "zero"},
            },
            "tilt": 1.0,
            "start": {"joint_pos": pose, "tolerance": 0.5},
        },
    }


def files_of(contract: Mapping[str, Any], hidden: tuple[int, ...] = HIDDEN, seed: int = 0) -> dict[str, bytes | str]:
    """Return the network and the README that belong to ``contract_of``."""
    network = contract["networks"][0]
    sizes = (network["inputs"][0]["shape"][1], *hidden, network["outputs"][0]["shape"][1])
    return {"actor.onnx": mlp(sizes, seed), "README.md": README}


def make_bundle(folder: Path, spec: RobotSpec, **overrides: Any) -> Bundle:
    """Write a valid bundle with a small MLP into the new ``folder`` and return it.

    Args:
        folder: must not exist.
        spec: the robot.
        **overrides: top-level keys of the contract in place of those of ``contract_of``; ``hidden`` and ``seed`` of
            the network; ``files`` in place of those of ``files_of``.
    """
    hidden, seed, files = (overrides.pop(key, None) for key in ("hidden", "seed", "files"))
    contract = {**contract_of(spec), **overrides}
    return write_bundle(folder, contract, files or files_of(contract, hidden or HIDDEN, seed or 0), spec, ticks=32)


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Apply ``change`` to the contract in ``folder``, with no check at all."""
    path = folder / "policy.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False, default_flow_style=None), encoding="utf-8")


def relist(folder: Path) -> None:
    """List every file of ``folder`` with its hash as it is now."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "policy.yaml"]
    edit(folder, lambda data: data.update(files={path.relative_to(folder).as_posix(): sha256(path) for path in found}))


def standing(spec: RobotSpec, stamp_ns: int = 0, **changes: Any) -> RobotState:
    """Return the state of a robot that stands still in its stand pose; ``changes`` replace fields."""
    count, feet = len(spec.joint_names), len(spec.feet)
    fields: dict[str, Any] = {
        "joint_pos": spec.poses["stand"],
        "joint_vel": np.zeros(count),
        "joint_effort": np.zeros(count),
        "base_quat_wxyz": (1.0, 0.0, 0.0, 0.0),
        "base_ang_vel": np.zeros(3),
        "base_lin_acc": (0.0, 0.0, 9.81),
        "foot_force": np.full(feet, 36.0),
    }
    return RobotState(stamp_ns, **{name: owned(value) for name, value in {**fields, **changes}.items()})


def inputs_at(spec: RobotSpec, tick: int, command: tuple[float, float, float] | None = (0.5, 0.0, 0.0)) -> PolicyInputs:
    """Return inputs of a standing robot at ``tick`` of a 50 Hz policy, with a command of the same stamp."""
    stamp = tick * 20_000_000
    return PolicyInputs(standing(spec, stamp), None if command is None else VelocityCommand(stamp, *command))
