"""From a checkpoint's actor to a bundle: the task in the words of the contract, the network, the README."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_policies.bundle.folder_check import CONTRACT
from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.bundle.write import Content, write_bundle
from robot_policies.exceptions import BundleError, expected
from robot_policies.robot_spec import RobotSpec
from sim2real.training.network_file import INPUT, OUTPUT, actor_layers, onnx_bytes
from sim2real.training.task import Task

FILE = "actor.onnx"
MARK = "trained_by: robot-policies train"  # in policy.yaml: a bundle that training may replace
LICENCE = "Apache-2.0"
COMMAND_AGE = 0.5  # [s], after which the robot stands: a publisher at 10 Hz may miss four
STATE_AGE = 0.1  # [s], as the safety file
START_TOLERANCE = 0.3  # [rad], twice the start pose's half width in training


def contract_of(task: Task, spec: RobotSpec, provenance: Mapping[str, str], version: str) -> dict[str, Any]:
    """Return everything of policy.yaml but ``format`` and ``files``."""
    legs = len(spec.joint_names) // 3
    default = [float(value) for value in spec.poses["stand"]]
    size = sum(term.size for term in task.terms) * len(task.history)
    return {
        "name": task.name,
        "version": version,
        "kind": "velocity",
        "robot": task.robot,
        "licence": LICENCE,
        "provenance": {"trained_by": "robot-policies train", **provenance},
        "timing": {
            "control_dt": task.control_dt,
            "physics_dt": task.physics_dt,
            "decimation": task.cycles * task.substeps,
        },
        "joints": {
            "names": list(spec.joint_names),
            "default_joint_pos": default,
            "stiffness": list(task.stiffness) * legs,
            "damping": list(task.damping) * legs,
            "torque_limit": [float(value) for value in spec.effort_limit],
        },
        "observations": {"policy": {"terms": [_term(term) for term in task.terms], **_history(task)}},
        "networks": [
            {
                "name": "actor",
                "file": FILE,
                "period": 1,
                "inputs": [{"name": INPUT, "shape": [1, size], "source": [{"observation": "policy"}]}],
                "outputs": [{"name": OUTPUT, "shape": [1, len(default)]}],
            }
        ],
        "action": {
            "meaning": "joint_position_offset",
            "source": {"network": "actor", "output": OUTPUT},
            "scale": task.action_scale,
            "offset": default,
            "clip": [-task.action_clip, task.action_clip],
            "last_action": "clipped",
        },
        "commands": {"velocity": _commands(task)},
        "limits": {
            "inputs": {
                "state": {"max_age": STATE_AGE, "lost": "landing"},
                "velocity_command": {"max_age": COMMAND_AGE, "lost": "zero"},
            },
            "tilt": task.fall_tilt,
            "start": {"joint_pos": default, "tolerance": START_TOLERANCE},
        },
        "delays": {"action": [round(cycles * task.cycle_dt, 6) for cycles in task.randomization.delay_cycles]},
    }


def _grounds(task: Task) -> str:
    return ", ".join(f"{kind.kind} of up to {kind.highest:g} m" if kind.highest else kind.kind for kind in task.grounds)


def _term(term: Any) -> dict[str, Any]:
    return {"term": term.term, "size": term.size, "scale": term.scale, "noise": term.noise}


def _history(task: Task) -> dict[str, Any]:
    past = task.history != (0,)
    return {"history": {"ages": list(task.history), "fill": "first_frame"}} if past else {}


def _commands(task: Task) -> dict[str, Any]:
    ranges = task.commands
    axes = {"lin_vel_x": ranges.lin_vel_x, "lin_vel_y": ranges.lin_vel_y, "ang_vel_z": ranges.ang_vel_z}
    stated = {name: {"range": list(limits), "dead_band": ranges.dead_band} for name, limits in axes.items()}
    return {**stated, "absent": "zero"}


def export(
    folder: Path, task: Task, spec: RobotSpec, actor: Mapping[str, Any], provenance: Mapping[str, str], version: str
) -> Bundle:
    """Write the bundle of a walking task, replacing one that training has written there before.

    Args:
        folder: the bundle's folder.
        task: what was trained.
        spec: the robot.
        actor: state dict of rsl-rl's actor.
        provenance: how it was trained, in a few words each.
        version: of the bundle.

    Raises:
        BundleError: the folder holds something else, or the actor is not one for this task.
    """
    files: dict[str, Content] = {FILE: onnx_bytes(actor_layers(actor)), "README.md": readme(task, provenance)}
    return replace_bundle(folder, contract_of(task, spec, provenance, version), files, spec)


def replace_bundle(folder: Path, contract: Mapping[str, Any], files: Mapping[str, Content], spec: RobotSpec) -> Bundle:
    """Write a bundle in the place of one that training has written before; the new one is complete and checked first.

    Raises:
        BundleError: the folder holds something else, or what was given is no bundle.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    check_target(folder)
    with tempfile.TemporaryDirectory(prefix=".train_", dir=folder.parent) as scratch:
        fresh = Path(scratch) / folder.name
        write_bundle(fresh, contract, files, spec)
        if folder.exists():
            shutil.rmtree(folder)
        shutil.move(str(fresh), str(folder))
    return load_bundle(folder, spec)


def check_target(folder: Path) -> None:
    """Refuse, before hours of training, a folder that ``export`` could not write.

    Raises:
        BundleError: the folder holds something else than a bundle that training has written.
    """
    if folder.exists() and not _replaceable(folder) and (not folder.is_dir() or any(folder.iterdir())):
        found = "something else is there"
        raise BundleError(expected(f"{folder}: a new folder, or a bundle that training wrote", found, "another --out"))


def _replaceable(folder: Path) -> bool:
    contract = folder / CONTRACT
    return contract.is_file() and MARK in contract.read_text(encoding="utf-8")


def readme(task: Task, provenance: Mapping[str, str]) -> str:
    """Return the README of the bundle: what it is, how it was trained, what it takes."""
    ranges = task.commands
    facts = "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in provenance.items())
    return f"""# {task.name}

A blind velocity policy for the robot `{task.robot}`: body velocities in, joint position targets out,
{1 / task.control_dt:.0f} times a second. Licence: {LICENCE}.

| | |
|---|---|
{facts}

Commands trained for:

- forward {ranges.lin_vel_x[0]:g} to {ranges.lin_vel_x[1]:g} m/s
- left {ranges.lin_vel_y[0]:g} to {ranges.lin_vel_y[1]:g} m/s
- yaw {ranges.ang_vel_z[0]:g} to {ranges.ang_vel_z[1]:g} rad/s

Below {ranges.dead_band:g} an axis is zero, and all zero means standing. Grounds trained on: {_grounds(task)}.

Trained in MuJoCo with PPO (rsl-rl) under random friction, mass, centre of mass, gains, motor strength, delay, pushes
and sensor noise; `docs/training/{task.name}.md` tells how, and what was learnt.
"""
