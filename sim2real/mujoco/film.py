"""Draws a robot that was recorded: an entry point of ``robot_policies.films``."""

from __future__ import annotations

import mujoco
import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.report.film import Poses
from robot_policies.report.pictures import png_file
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array
from sim2real.mujoco.filmstrip import render
from sim2real.mujoco.world import build_model, map_model


def pictures(spec: RobotSpec, terrain: str | None, poses: Poses) -> list[bytes]:
    """Return one PNG file for each pose, as ``robot_policies.report.film.Film`` asks for.

    Raises:
        RobotError: the robot has no model, the terrain or GL is not there, or a pose is none of this robot.
        ResourceError: the model's file is not there.
    """
    model = build_model(spec, terrain)
    images = render(model, configurations(spec, model, poses), "film strip of a recording")
    return [png_file(image) for image in images]


def configurations(spec: RobotSpec, model: mujoco.MjModel, poses: Poses) -> Array:
    """Return the model's configurations, (k, nq); a base whose place is unknown stands at the start on its lowest foot.

    Raises:
        RobotError: the poses are not finite, or of another robot.
    """
    joints = map_model(spec, model).qpos
    if poses.joint_pos.shape[1:] != (joints.size,) or poses.quat_wxyz.shape[1:] != (4,):
        found = f"{poses.joint_pos.shape[1]} joints"
        raise RobotError(expected(f"film strip: poses of the robot {spec.name}", found, f"{joints.size} joints"))
    free = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)
    data = mujoco.MjData(model)
    feet = [mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, foot) for foot in spec.feet]
    qpos = np.tile(model.qpos0, (len(poses.joint_pos), 1))
    qpos[:, joints] = poses.joint_pos
    for row, (position, quat) in enumerate(zip(poses.position, poses.quat_wxyz, strict=True)):
        if not free.size:
            continue
        at = int(model.jnt_qposadr[free[0]])
        qpos[row, at + 3 : at + 7] = quat
        qpos[row, at : at + 3] = position if np.isfinite(position).all() else 0.0
        if not np.isfinite(position).all() and feet and np.isfinite(qpos[row]).all():
            data.qpos[:] = qpos[row]
            mujoco.mj_kinematics(model, data)
            qpos[row, at + 2] = -min(float(data.site_xpos[foot][2] - model.site_size[foot][0]) for foot in feet)
    if not np.isfinite(qpos).all():
        raise RobotError(expected("film strip: poses", "some that are not finite", "numbers"))
    return qpos
