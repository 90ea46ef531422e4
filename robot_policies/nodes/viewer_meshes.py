"""Triangles of primitives, merged by colour so that a robot is a few dozen meshes instead of hundreds.

Vertices are shared within a face only, so that a viewer that smooths normals keeps the edges sharp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from robot_policies.nodes.viewer_urdf import Visual
from robot_policies.types import Array

AROUND = 24  # segments around an axis
DOWN = 12  # segments from pole to pole of a sphere


class Mesh(NamedTuple):
    """Triangles, counter-clockwise from outside."""

    vertices: Array  # (v, 3) [m]
    faces: npt.NDArray[np.int64]  # (f, 3)


def merged(meshes: Iterable[Mesh]) -> Mesh:
    """Return all meshes as one."""
    parts = list(meshes)
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in parts)])[:-1]
    faces = [mesh.faces + start for mesh, start in zip(parts, starts, strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in parts]), np.concatenate(faces))


def grid(points: Array) -> Mesh:
    """Return the surface through a net of points (rows, columns, 3)."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2)
    return Mesh(points.reshape(-1, 3), faces.reshape(-1, 3))


def box(x: float, y: float, z: float) -> Mesh:
    """Return a box of these edge lengths [m] around the origin."""
    sides = []
    for axis in range(3):
        u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        for sign in (-1.0, 1.0):
            corners = np.array([[-u - v, u - v], [v - u, u + v]])
            # The far side is the near one mirrored, so its corners go round the other way.
            sides.append(grid((corners if sign > 0.0 else corners.swapaxes(0, 1)) + sign * np.eye(3)[axis]))
    mesh = merged(sides)
    return Mesh(mesh.vertices * np.array([x, y, z]) / 2.0, mesh.faces)


def cylinder(radius: float, length: float) -> Mesh:
    """Return a cylinder along z around the origin."""
    angle = np.linspace(0.0, 2.0 * np.pi, AROUND + 1)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, -length / 2.0)], -1)
    top = ring + [0.0, 0.0, length]
    middle = np.zeros_like(ring)
    low, high = middle + [0.0, 0.0, -length / 2.0], middle + [0.0, 0.0, length / 2.0]
    return merged([grid(np.stack(pair)) for pair in ((ring, top), (top, high), (low, ring))])


def sphere(radius: float) -> Mesh:
    """Return a sphere around the origin."""
    around, down = np.linspace(0.0, 2.0 * np.pi, AROUND + 1), np.linspace(np.pi, 0.0, DOWN + 1)[:, None]
    x, y = np.sin(down) * np.cos(around), np.sin(down) * np.sin(around)
    return grid(radius * np.stack([x, y, np.broadcast_to(np.cos(down), x.shape)], -1))


SHAPES: dict[str, Callable[..., Mesh]] = {"box": box, "cylinder": cylinder, "sphere": sphere}


def visual_mesh(visual: Visual) -> Mesh:
    """Return a visual's triangles in the frame of its link."""
    mesh = SHAPES[visual.shape](*visual.size)
    return Mesh(mesh.vertices @ visual.origin.rotation.T + visual.origin.position, mesh.faces)


def by_colour(visuals: Iterable[Visual]) -> dict[tuple[float, float, float, float], Mesh]:
    """Return one mesh per colour."""
    kept: dict[tuple[float, float, float, float], list[Mesh]] = {}
    for visual in visuals:
        kept.setdefault(visual.rgba, []).append(visual_mesh(visual))
    return {rgba: merged(meshes) for rgba, meshes in kept.items()}
