"""The ground on the wire: visualization_msgs/MarkerArray, which RViz draws too.

Namespace ``floor`` is one slab whose top is the endless floor; namespace ``box`` is one cube per box.
"""

from __future__ import annotations

import math

from visualization_msgs.msg import Marker, MarkerArray

from robot_policies.exceptions import InputError, expected
from robot_policies.robots.robot import GroundBox, GroundShape

FLOOR, BOX = "floor", "box"
FLOOR_SIZE = 100.0  # [m], how much of the endless floor is drawn
THICKNESS = 0.02  # [m] of that slab
COLOUR = (0.62, 0.64, 0.67)  # RGB, a light grey


def ground_markers(ground: GroundShape, frame: str) -> MarkerArray:
    """Return the ground in ``frame``, the frame of ``ground_truth/odom``."""
    slab = GroundBox(
        (0.0, 0.0, ground.floor - THICKNESS / 2.0), (1.0, 0.0, 0.0, 0.0), (FLOOR_SIZE, FLOOR_SIZE, THICKNESS)
    )
    markers = [_marker(FLOOR, 0, slab, frame)]
    markers += [_marker(BOX, index, box, frame) for index, box in enumerate(ground.boxes)]
    return MarkerArray(markers=markers)


def ground_of_markers(message: MarkerArray) -> GroundShape:
    """Return the ground that the markers draw; markers of other namespaces and types are left out.

    Raises:
        InputError: a number is not finite, an edge not above 0, or an orientation no unit quaternion.
    """
    floor, boxes = 0.0, []
    for marker in message.markers:
        if marker.type != Marker.CUBE or marker.action != Marker.ADD or marker.ns not in (FLOOR, BOX):
            continue
        box = _box(marker)
        if marker.ns == FLOOR:
            floor = box.position[2] + box.size[2] / 2.0
        else:
            boxes.append(box)
    return GroundShape(floor, tuple(boxes))


def _marker(namespace: str, index: int, box: GroundBox, frame: str) -> Marker:
    marker = Marker(ns=namespace, id=index, type=Marker.CUBE, action=Marker.ADD, frame_locked=True)
    marker.header.frame_id = frame
    place, turn = marker.pose.position, marker.pose.orientation
    place.x, place.y, place.z = box.position
    turn.w, turn.x, turn.y, turn.z = box.quat_wxyz
    marker.scale.x, marker.scale.y, marker.scale.z = box.size
    (marker.color.r, marker.color.g, marker.color.b), marker.color.a = COLOUR, 1.0
    return marker


def _box(marker: Marker) -> GroundBox:
    place, turn, size = marker.pose.position, marker.pose.orientation, marker.scale
    box = GroundBox((place.x, place.y, place.z), (turn.w, turn.x, turn.y, turn.z), (size.x, size.y, size.z))
    numbers = (*box.position, *box.quat_wxyz, *box.size)
    unit = abs(math.hypot(*box.quat_wxyz) - 1.0) < 1e-3
    if not (all(map(math.isfinite, numbers)) and min(box.size) > 0.0 and unit):
        asked = f"ground: marker {marker.ns} {marker.id}"
        raise InputError(expected(asked, box, "finite numbers, edges above 0, a unit quaternion"))
    return box
