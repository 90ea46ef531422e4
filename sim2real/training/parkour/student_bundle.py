"""From a student's checkpoint to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_policies.bundle.load import Bundle
from robot_policies.bundle.write import Content
from robot_policies.robot_spec import RobotSpec
from sim2real.training.export import LICENCE, replace_bundle
from sim2real.training.parkour.student_contract import student_contract
from sim2real.training.parkour.student_onnx import onnx_files
from sim2real.training.parkour.views import frame_size
from sim2real.training.task import Task


def export_student(
    folder: Path, task: Task, spec: RobotSpec, student: Mapping[str, Any], provenance: Mapping[str, str]
) -> Bundle:
    """Write the bundle, replacing one that training has written there before.

    Args:
        folder: the bundle's folder.
        task: what was trained.
        spec: the robot.
        student: state dict of ``Student``.
        provenance: how it was trained, in a few words each.

    Raises:
        BundleError: the folder holds something else.
        ImportFormatError: the networks are not those of this task.
    """
    frame = frame_size(task.terms, len(spec.feet))
    files: dict[str, Content] = dict(onnx_files(student, frame, len(spec.joint_names), task.network.hidden))
    files["README.md"] = readme(task, provenance)
    return replace_bundle(folder, student_contract(task, spec, provenance, task.version), files, spec)


def readme(task: Task, provenance: Mapping[str, str]) -> str:
    """Return the README of the bundle: what it is, how it was trained, what it takes."""
    low, high = task.commands.lin_vel_x
    last = "\nThen the actor goes on by what comes of its own actions (PPO)." if task.kind == "refined" else ""
    facts = "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in provenance.items())
    return f"""# {task.name}

Parkour for the robot `{task.robot}` from one depth camera, after Extreme Parkour (Cheng et al., ICRA 2024): depth
images, proprioception, a forward speed and a heading in, joint position targets out, {1 / task.control_dt:.0f} times a
second. Licence: {LICENCE}.

| | |
|---|---|
{facts}

| network | steps | from | to |
|---|---|---|---|
| depth encoder | 10 Hz, with memory | image, frame, asked heading | latent of the ground, way to go |
| estimator | 50 Hz | five frames | velocity of the base |
| history encoder | 50 Hz | ten past frames | latent of the body |
| actor | 50 Hz | all of these | joint position targets |

Commands trained for: forward {low:g} to {high:g} m/s, or none (stand). The heading that is asked for is the one at
activation plus the integral of the commanded yaw rate.

Trained in MuJoCo: a teacher that knows the ground (PPO with regularised online adaptation), a student that imitates it
from its own camera (DAgger).{last}
`docs/parkour.md` tells how well it does, `docs/training/go2_parkour.md` how it was trained.
"""
