"""The ground of a compiled world, as a robot tells it: what the simulator really has, whatever added it."""

from __future__ import annotations

import mujoco

from robot_policies.robots.robot import GroundBox, GroundShape

WORLD_BODY = 0  # body of everything that does not move


def ground_shape(model: mujoco.MjModel) -> GroundShape:
    """Return the floor and the boxes that belong to the world; other shapes are left out.

    The floor is the highest level plane; without one it is at 0.
    """
    floors, boxes = [], []
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] != WORLD_BODY:
            continue
        kind, size = model.geom_type[geom], model.geom_size[geom]
        if kind == mujoco.mjtGeom.mjGEOM_PLANE:
            floors.append(float(model.geom_pos[geom][2]))
        elif kind == mujoco.mjtGeom.mjGEOM_BOX:
            x, y, z = model.geom_pos[geom].tolist()
            w, i, j, k = model.geom_quat[geom].tolist()
            a, b, c = (2.0 * size).tolist()
            boxes.append(GroundBox((x, y, z), (w, i, j, k), (a, b, c)))
    return GroundShape(max(floors, default=0.0), tuple(boxes))
