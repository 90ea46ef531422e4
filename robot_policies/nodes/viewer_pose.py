"""Where to draw the robot's base, from the best that is known. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_policies.nodes.viewer_meshes import visual_mesh
from robot_policies.nodes.viewer_urdf import Transform, Urdf
from robot_policies.types import Array


class StandingHeight:
    """Height of the base at which the robot's lowest part touches the ground, for robots that nobody locates."""

    def __init__(self, urdf: Urdf) -> None:
        """Keep the corners of the box around each link's shapes."""
        self._urdf = urdf
        self._corners: dict[str, Array] = {}
        for link, visuals in urdf.visuals.items():
            if visuals:
                points = np.concatenate([visual_mesh(visual).vertices for visual in visuals])
                span = np.stack([points.min(axis=0), points.max(axis=0)])
                self._corners[link] = np.stack(np.meshgrid(*span.T), -1).reshape(-1, 3)

    def __call__(self, joint_pos: Mapping[str, float], base_quat_wxyz: Array) -> float:
        """Return the height [m] for joints [rad] by name and the base's orientation."""
        poses = self._urdf.poses(joint_pos)
        base = Transform(np.zeros(3), rotation(base_quat_wxyz))
        heights = [0.0]
        for link, corners in self._corners.items():
            pose = base @ poses[link]
            heights.append(float((corners @ pose.rotation.T + pose.position)[:, 2].min()))
        return -min(heights)


def rotation(quat_wxyz: Array) -> Array:
    """Return (3, 3) of a unit quaternion (4,)."""
    w, x, y, z = quat_wxyz
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: Array = np.eye(3) + 2.0 * w * cross + 2.0 * cross @ cross
    return turn
