"""The ground as a value: an endless floor and boxes on it. The simulator, training, courses and the viewer share it.

Boxes and not height fields: edges are upright, contacts and rays are exact, and many are cheap (one physics step of a
Go2 is 31 us on a plane and 41 us on 1,600 boxes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from robot_policies.types import Array

GROUND_GROUP = 0  # geoms of the ground
FRICTION = (0.8, 0.005, 0.0001)  # counts where the other geom has no priority, that is not for feet


@dataclass(frozen=True)
class Box:
    """A solid box; at zero roll and pitch its faces are along the axes of the world."""

    centre: tuple[float, float, float]  # [m]
    half: tuple[float, float, float]  # [m], half its edges
    roll: float = 0.0  # [rad] about the world's x axis, before the pitch
    pitch: float = 0.0  # [rad] about the world's y axis

    def rotation(self) -> Array:
        """Return the rotation of box to world, (3, 3)."""
        (sr, cr), (sp, cp) = ((np.sin(angle), np.cos(angle)) for angle in (self.roll, self.pitch))
        about_x = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
        about_y = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
        return np.asarray(about_y @ about_x)

    def top(self, xy: Array) -> Array:
        """Return the height of the box's upper side under points (..., 2) [m]; -inf beside the box."""
        rotation, half = self.rotation(), np.asarray(self.half)
        start = np.concatenate([xy - np.asarray(self.centre[:2]), np.zeros_like(xy[..., :1])], axis=-1) @ rotation
        along = rotation[2]  # the vertical, seen from the box
        with np.errstate(divide="ignore", invalid="ignore"):
            leave = np.where(along == 0.0, np.inf, (np.sign(along) * half - start) / along).min(axis=-1)
            enter = np.where(along == 0.0, -np.inf, (-np.sign(along) * half - start) / along).max(axis=-1)
        inside = (np.abs(start) <= half)[..., along == 0.0].all(axis=-1)
        return np.asarray(np.where(inside & (enter <= leave), self.centre[2] + leave, -np.inf))


@dataclass(frozen=True)
class Ground:
    """An endless floor and the boxes on it. A robot starts at the origin and looks along x."""

    boxes: tuple[Box, ...] = ()
    floor: float = 0.0  # [m], height of the endless plane

    def add_to(self, world: mujoco.MjSpec) -> None:
        """Add the floor, called ``ground``, and the boxes, ``ground/0`` and on, to a world that holds the robot."""
        _add_material(world)
        world.worldbody.add_geom(
            name="ground",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            pos=[0.0, 0.0, self.floor],
            size=[0.0, 0.0, 0.05],
            material="ground",
            friction=FRICTION,
            group=GROUND_GROUP,
        )
        for index, box in enumerate(self.boxes):
            quat_wxyz = np.zeros(4)
            mujoco.mju_mat2Quat(quat_wxyz, box.rotation().ravel())
            world.worldbody.add_geom(
                name=f"ground/{index}",
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=box.centre,
                size=box.half,
                quat=quat_wxyz,
                material="ground/box",
                friction=FRICTION,
                group=GROUND_GROUP,
            )

    def heights(self, xy: Array) -> Array:
        """Return the height of the ground under points (..., 2) [m], exactly, box by box."""
        found = np.full(xy.shape[:-1], self.floor)
        for box in self.boxes:
            found = np.maximum(found, box.top(xy))
        return found


@dataclass(frozen=True)
class HeightMap:
    """Heights of a patch of ground on a grid: one look-up for many points."""

    origin: tuple[float, float]  # [m], the grid's lowest corner
    cell: float  # [m]
    values: npt.NDArray[np.float32]  # (nx, ny) [m], at the cells' centres

    def at(self, xy: Array) -> Array:
        """Return the heights under points (..., 2) [m]: those of their cells, or of the nearest one of the patch."""
        index = ((xy - np.asarray(self.origin)) / self.cell).astype(np.int64)
        x = np.clip(index[..., 0], 0, self.values.shape[0] - 1)
        y = np.clip(index[..., 1], 0, self.values.shape[1] - 1)
        return np.asarray(self.values[x, y], dtype=float)


def height_map(ground: Ground, low: tuple[float, float], high: tuple[float, float], cell: float = 0.025) -> HeightMap:
    """Return the heights of ``ground`` between two corners (x, y) [m]."""
    count = [max(1, round((end - begin) / cell)) for begin, end in zip(low, high, strict=True)]
    axes = [begin + cell * (np.arange(cells) + 0.5) for begin, cells in zip(low, count, strict=True)]
    values = np.full(count, ground.floor)
    for box in ground.boxes:
        reach = np.abs(box.rotation()) @ np.asarray(box.half)
        rows, columns = (
            slice(*np.searchsorted(axis, (centre - far, centre + far)))
            for axis, centre, far in zip(axes, box.centre[:2], reach[:2], strict=True)
        )
        patch = np.stack(np.meshgrid(axes[0][rows], axes[1][columns], indexing="ij"), axis=-1)
        values[rows, columns] = np.maximum(values[rows, columns], box.top(patch))
    return HeightMap(low, cell, values.astype(np.float32))


def column(low: Sequence[float], high: Sequence[float], top: float, bottom: float) -> Box:
    """Return the upright box between two corners (x, y), from ``bottom`` to ``top`` [m]."""
    (x0, y0), (x1, y1) = low, high
    centre = ((x0 + x1) / 2, (y0 + y1) / 2, (bottom + top) / 2)
    return Box(centre, ((x1 - x0) / 2, (y1 - y0) / 2, (top - bottom) / 2))


def _add_material(world: mujoco.MjSpec) -> None:
    _checkered(world, "ground", (0.32, 0.35, 0.38))
    _checkered(world, "ground/box", (0.46, 0.43, 0.36))  # warmer, so that edges are told from the floor


def _checkered(world: mujoco.MjSpec, name: str, colour: tuple[float, float, float]) -> None:
    """Add a material: squares of 0.25 m in two shades of ``colour``."""
    dark = np.asarray(colour)
    world.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=dark,
        rgb2=dark + 0.06,
        markrgb=dark + 0.18,
        width=300,
        height=300,
    )
    material = world.add_material(name=name, texuniform=True, texrepeat=[2.0, 2.0])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
