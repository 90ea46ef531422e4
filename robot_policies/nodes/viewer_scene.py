"""What the page shows in three dimensions: a robot of primitives, the ground, and arrows of its velocity. No ROS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robot_policies.nodes.viewer_meshes import Mesh, box, by_colour, merged
from robot_policies.nodes.viewer_pose import rotation
from robot_policies.nodes.viewer_text import ASKED, MEASURED, Velocity3
from robot_policies.nodes.viewer_urdf import Urdf, quat_wxyz
from robot_policies.robots.robot import GroundBox, GroundShape
from robot_policies.types import Array, owned

# The robot stays in the middle and the ground moves under it, so that the user's view goes with the robot.
WORLD, ROBOT, GROUND, TERRAIN, ARROWS = "/world", "/world/robot", "/world/ground", "/world/terrain", "/world/arrows"
TILE = 1.0  # [m], side of a ground tile
STILL = 1e-4  # [rad] a joint has to move to be sent again
SKY = (236, 239, 242)
ARROW_SCALE = 0.6  # [m] of arrow per m/s
ABOVE = 0.28  # [m] of the arrows above the base
NOSE = 0.35  # [m] from the base to where the arrow of a turn begins: the velocity of that point, from the turn alone
SHORTEST = 0.03  # [m/s] that is drawn
OUTLINED = 1000  # boxes at most whose edges are drawn; more of them are read by their shades
SLACK = 0.25  # [m] that the robot may rise or sink before the view follows: a Go2 lies 0.25 m below where it stands
LEVELS = 8  # shades of the terrain, from its lowest to its highest box
LOW, HIGH = np.array([0.70, 0.74, 0.78]), np.array([0.42, 0.53, 0.66])  # RGB of these
UPRIGHT = owned([1.0, 0.0, 0.0, 0.0])
EDGES = [(0, 1), (0, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 7), (6, 7), (0, 4), (1, 5), (2, 6), (3, 7)]


class Scene:
    """Draws on a viser server; it sends only what has changed."""

    def __init__(self, server: Any) -> None:
        """Show an empty floor."""
        self._server, scene = server, server.scene
        self._joints: dict[str, Any] = {}
        self._shown: dict[str, float] = {}
        self._home: float | None = None  # height of the base where it was first seen [m]
        self._lift = 0.0  # [m] that the view is above where it began
        scene.set_up_direction("+z")
        scene.configure_fog(6.0, 22.0, color=SKY)
        scene.set_background_image(np.full((2, 2, 3), SKY, np.uint8))
        server.initial_camera.position = (0.95, -1.05, 0.6)
        server.initial_camera.look_at = (0.05, 0.0, 0.18)
        self._world = scene.add_frame(WORLD, show_axes=False)
        self._floor = scene.add_grid(
            GROUND,
            infinite_grid=True,
            cell_size=TILE / 4.0,
            section_size=TILE,
            cell_color=(214, 219, 224),
            section_color=(188, 195, 203),
            plane_color=(247, 248, 250),
            plane_opacity=1.0,
            shadow_opacity=0.35,
            fade_distance=18.0,
        )
        self._robot = scene.add_frame(ROBOT, show_axes=False)
        self._arrows = scene.add_frame(ARROWS, show_axes=False)
        self._arrow = {
            name: self._add_arrows(name, colour) for name, colour in (("asked", ASKED), ("measured", MEASURED))
        }

    def show_robot(self, urdf: Urdf) -> None:
        """Draw a robot, instead of the one before."""
        scene = self._server.scene
        scene.remove_by_name(ROBOT)
        self._robot = scene.add_frame(ROBOT, show_axes=False)
        self._joints, self._shown = {}, {}
        names = {urdf.root: ROBOT}
        self._draw(urdf, urdf.root, ROBOT)
        for joint in urdf.joints:
            names[joint.child] = name = f"{names[joint.parent]}/{joint.child}"
            frame = scene.add_frame(name, show_axes=False)
            frame.wxyz, frame.position = quat_wxyz(joint.origin.rotation), joint.origin.position
            if joint.axis is not None:
                self._joints[joint.name] = (joint, frame)
            self._draw(urdf, joint.child, name)

    def show_ground(self, ground: GroundShape) -> None:
        """Draw what the robot stands on, instead of the ground before."""
        scene = self._server.scene
        self._floor.position = (0.0, 0.0, ground.floor)
        scene.remove_by_name(TERRAIN)
        if not ground.boxes:
            return
        scene.add_frame(TERRAIN, show_axes=False)
        for index, (colour, mesh) in enumerate(shaded(ground.boxes)):
            scene.add_mesh_simple(f"{TERRAIN}/{index}", mesh.vertices, mesh.faces, color=colour, flat_shading=True)
        if len(ground.boxes) > OUTLINED:
            return
        lines = np.concatenate([edges(item) for item in ground.boxes])
        scene.add_line_segments(f"{TERRAIN}/edges", lines, colors=(96, 110, 126), line_width=1.0)

    def pose(self, joint_pos: Mapping[str, float], position: Array, quat: Array, follow: bool) -> None:
        """Move the robot: joints [rad] by name, base position [m] and quat_wxyz in the world."""
        for name, (joint, frame) in self._joints.items():
            value = joint_pos.get(name, 0.0)
            if abs(value - self._shown.get(name, np.inf)) > STILL:
                self._shown[name] = value
                moved = joint.transform(value)
                if joint.slides:
                    frame.position = moved.position
                else:
                    frame.wxyz = quat_wxyz(moved.rotation)
        self._robot.wxyz, self._robot.position = quat, position
        height = float(position[2])
        self._home = height if self._home is None else self._home
        self._lift = lifted(self._lift, height - self._home)
        self._world.position = (-position[0], -position[1], -self._lift) if follow else (0.0, 0.0, 0.0)
        w, x, y, z = quat
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        self._arrows.position = position + (0.0, 0.0, ABOVE)
        self._arrows.wxyz = (math.cos(yaw / 2.0), 0.0, 0.0, math.sin(yaw / 2.0))

    def velocities(self, asked: Velocity3 | None, measured: Velocity3 | None) -> None:
        """Point the arrows; None, and what hardly moves, has none."""
        for level, (name, velocity) in enumerate((("asked", asked), ("measured", measured))):
            points = arrow_points(velocity or (0.0, 0.0, 0.0), 0.05 * level)
            for handle, line in zip(self._arrow[name], points, strict=True):
                visible = line is not None
                if handle.visible != visible:
                    handle.visible = visible
                if line is not None:
                    handle.points = line[None].astype(np.float32)

    def _add_arrows(self, name: str, colour: str) -> list[Any]:
        rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        start = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]], np.float32)
        sizes = {"shaft_radius": 0.011, "head_radius": 0.028, "head_length": 0.07}
        return [
            self._server.scene.add_arrows(f"{ARROWS}/{name}_{part}", start, rgb, visible=False, **sizes)
            for part in ("move", "turn")
        ]

    def _draw(self, urdf: Urdf, link: str, name: str) -> None:
        for index, ((r, g, b, opacity), mesh) in enumerate(by_colour(urdf.visuals[link]).items()):
            self._server.scene.add_mesh_simple(
                f"{name}/visual_{index}", mesh.vertices, mesh.faces, color=(r, g, b), opacity=opacity
            )


def lifted(lift: float, height: float) -> float:
    """Return the height [m] of a view that follows a robot at ``height`` up and down, but not each of its steps."""
    return min(max(lift, height - SLACK), height + SLACK)


def arrow_points(velocity: Velocity3, height: float) -> tuple[Array | None, Array | None]:
    """Return start and end (2, 3) [m] of the arrow of the motion and of that of the turn, seen from the base."""
    x, y, turn = velocity
    move = nose = None
    if math.hypot(x, y) >= SHORTEST:
        move = np.array([[0.0, 0.0, height], [ARROW_SCALE * x, ARROW_SCALE * y, height]])
    if abs(turn) * NOSE >= SHORTEST:
        nose = np.array([[NOSE, 0.0, height], [NOSE, ARROW_SCALE * turn * NOSE * 2.0, height]])
    return move, nose


def shaded(boxes: Sequence[GroundBox]) -> list[tuple[tuple[float, float, float], Mesh]]:
    """Return the boxes as one mesh per shade; the higher a box, the darker."""
    tops = np.array([corners(item)[:, 2].max() for item in boxes])
    span = float(np.ptp(tops)) or 1.0
    levels = ((tops - tops.min()) / span * (LEVELS - 1)).round().astype(int)
    found = []
    for level in sorted(set(levels.tolist())):
        parts = [solid(item) for item, of in zip(boxes, levels, strict=True) if of == level]
        r, g, b = (LOW + (HIGH - LOW) * level / (LEVELS - 1)).tolist()
        found.append(((r, g, b), merged(parts)))
    return found


def solid(item: GroundBox) -> Mesh:
    """Return one box as triangles in the world."""
    mesh = box(*item.size)
    turned: Array = mesh.vertices @ rotation(owned(item.quat_wxyz)).T + np.asarray(item.position)
    return Mesh(turned, mesh.faces)


def corners(item: GroundBox) -> Array:
    """Return the corners (8, 3) of a box in the world [m], the last axis changing fastest."""
    signs = np.stack(np.meshgrid(*3 * [[-0.5, 0.5]], indexing="ij"), -1).reshape(8, 3)
    placed: Array = (signs * item.size) @ rotation(owned(item.quat_wxyz)).T + np.asarray(item.position)
    return placed


def edges(item: GroundBox) -> Array:
    """Return the edges (12, 2, 3) of a box in the world [m]."""
    lines: Array = corners(item)[EDGES]
    return lines
