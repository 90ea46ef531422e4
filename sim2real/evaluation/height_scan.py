"""True heights around the robot, for a bundle that reads ``height_scan``: exact ground, no sensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robot_policies.contract import Contract, Term
from robot_policies.types import Array, HeightScan, RobotState, owned
from sim2real.mujoco.ground import Ground, height_map
from sim2real.mujoco.robot import GroundTruth

Scans = Callable[[RobotState], HeightScan]
_EDGE = 1e-6  # [m], within which a corner is on an edge: courses have edges at whole cells
_MARGIN = 3  # cells of floor around what is built, for points beside it


def height_scans(contract: Contract, truth: Callable[[], GroundTruth], ground: Ground) -> Scans | None:
    """Return what gives the scan of a state; None where the bundle reads none.

    Args:
        contract: of the bundle.
        truth: gives where the robot is.
        ground: what it stands on.
    """
    terms = [term for group in contract.observations.values() for term in group.terms if term.term == "height_scan"]
    if not terms:
        return None
    points, at = scan_points(terms[0]), corner_heights(ground, float(terms[0].params["cell"]))

    def scan(state: RobotState) -> HeightScan:
        now = truth()
        w, x, y, z = now.quat_wxyz.tolist()
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        forward, left = np.array([math.cos(yaw), math.sin(yaw)]), np.array([-math.sin(yaw), math.cos(yaw)])
        places = now.position[:2] + points[:, :1] * forward + points[:, 1:] * left
        return HeightScan(state.stamp_ns, float(now.position[2]), owned(at(places)))

    return scan


def scan_points(term: Term) -> Array:
    """Return the points (n, 2) [m] of a term ``height_scan``: all y for the first x, and so on."""
    x, y = np.meshgrid(term.params["x"], term.params["y"], indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=-1).astype(float)


def corner_heights(ground: Ground, cell: float) -> Callable[[Array], Array]:
    """Return what gives the heights (n,) under points (n, 2) [m] as a height field of ``cell`` [m] has them.

    Its corners lie at whole cells of the world; a point has the lowest of its cell's low corner, and of the next ones
    along x and y (Extreme Parkour's ``_get_heights``).
    """
    reach = [np.abs(box.rotation()) @ np.asarray(box.half) for box in ground.boxes] or [np.zeros(3)]
    centres = [np.asarray(box.centre) for box in ground.boxes] or [np.zeros(3)]
    low = np.min([centre - far for centre, far in zip(centres, reach, strict=True)], axis=0)[:2]
    high = np.max([centre + far for centre, far in zip(centres, reach, strict=True)], axis=0)[:2]
    first = np.floor(low / cell).astype(int) - _MARGIN
    last = np.ceil(high / cell).astype(int) + _MARGIN
    # Cells of the map are around the corners, so that their centres are the corners. A corner on an edge is on top.
    fields = []
    for shift in ((_EDGE, _EDGE), (_EDGE, -_EDGE), (-_EDGE, _EDGE), (-_EDGE, -_EDGE)):
        begin, end = (first - 0.5) * cell + shift, (last + 0.5) * cell + shift
        fields.append(height_map(ground, (float(begin[0]), float(begin[1])), (float(end[0]), float(end[1])), cell))
    field = replace(fields[0], values=np.maximum.reduce([each.values for each in fields]))

    def heights(places: Array) -> Array:
        corner = np.floor(places / cell) * cell
        along_x, along_y = corner + (cell, 0.0), corner + (0.0, cell)
        return np.minimum(np.minimum(field.at(corner), field.at(along_x)), field.at(along_y))

    return heights
