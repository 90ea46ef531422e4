"""The part of a URDF that a viewer needs: links with primitive shapes, joints, and where each link is. No ROS here.

A parser of our own: the one library that does this (yourdfpy) brings 24 packages, scipy and three mesh kernels among
them, for boxes, cylinders and spheres.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

import numpy as np

from robot_policies.exceptions import InputError, expected
from robot_policies.types import Array

SIZES = {"box": ("size",), "cylinder": ("radius", "length"), "sphere": ("radius",)}
MOVING = ("revolute", "continuous", "prismatic")
Rgba = tuple[float, float, float, float]  # 0 to 1
GREY = (0.7, 0.7, 0.7, 1.0)


@dataclass(frozen=True)
class Transform:
    """A frame in its parent."""

    position: Array  # (3,) [m]
    rotation: Array  # (3, 3)

    def __matmul__(self, child: Transform) -> Transform:
        return Transform(self.position + self.rotation @ child.position, self.rotation @ child.rotation)


@dataclass(frozen=True)
class Visual:
    """One primitive in the frame of its link."""

    origin: Transform
    shape: str  # a key of SIZES
    size: tuple[float, ...]  # box: x, y, z; cylinder: radius, length; sphere: radius [m]
    rgba: Rgba


@dataclass(frozen=True)
class Joint:
    """What carries a link, and how it moves."""

    name: str
    parent: str
    child: str
    origin: Transform
    axis: Array | None  # (3,), None where it does not move
    slides: bool = False

    def transform(self, position: float) -> Transform:
        """Return the child's frame in the parent's at a joint position [rad], or [m] where it slides."""
        if self.axis is None:
            return self.origin
        if self.slides:
            return self.origin @ Transform(position * self.axis, np.eye(3))
        return self.origin @ Transform(np.zeros(3), axis_rotation(self.axis, position))


@dataclass(frozen=True)
class Urdf:
    """A robot; ``joints`` come after the joint that carries their parent."""

    name: str
    root: str
    visuals: Mapping[str, tuple[Visual, ...]]  # by link
    joints: tuple[Joint, ...]

    def poses(self, joint_pos: Mapping[str, float]) -> dict[str, Transform]:
        """Return every link's frame in the root's; joints that are not named stand at 0."""
        poses = {self.root: Transform(np.zeros(3), np.eye(3))}
        for joint in self.joints:
            poses[joint.child] = poses[joint.parent] @ joint.transform(joint_pos.get(joint.name, 0.0))
        return poses


def axis_rotation(axis: Array, angle: float) -> Array:
    """Return (3, 3) of a turn by ``angle`` [rad] about the unit ``axis`` (3,)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: Array = np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * cross @ cross
    return turn


def quat_wxyz(rotation: Array) -> Array:
    """Return the unit quaternion (4,) of a rotation (3, 3); the form with the largest divisor."""
    r, trace = rotation, float(np.trace(rotation))
    squares = [trace, *(2.0 * float(r[i, i]) - trace for i in range(3))]
    largest = int(np.argmax(squares))
    skew = [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]
    quat = np.array([1.0 + trace, *skew])
    if largest > 0:
        i = largest - 1
        quat = np.array([skew[i], *(r[i, j] + r[j, i] for j in range(3))])
        quat[1 + i] = 1.0 + squares[largest]
    unit: Array = quat / np.linalg.norm(quat)
    return unit


def parse_urdf(text: str) -> Urdf:
    """Read a URDF. Shapes that are no primitives are left out.

    Raises:
        InputError: no URDF, or one whose joints do not make a tree.
    """
    try:
        robot = Xml.fromstring(text)
        colours = {m.get("name"): _colour(m, {}) for m in robot.findall("material")}
        links = {link.attrib["name"]: _visuals(link, colours) for link in robot.findall("link")}
        joints = [_joint(element) for element in robot.findall("joint")]
    except (Xml.ParseError, KeyError, ValueError) as error:
        raise InputError(
            expected("robot_description: a URDF", f"{type(error).__name__} {error}", "URDF XML")
        ) from error
    children = [joint.child for joint in joints]
    roots = [link for link in links if link not in children]
    ordered = _ordered(joints, roots)
    if len(roots) != 1 or len(ordered) != len(joints) or len(set(children)) != len(children):
        found = f"{len(roots)} roots, {len(ordered)} of {len(joints)} joints reached"
        raise InputError(expected("robot_description: one tree of links", found, "one root, each link carried once"))
    return Urdf(robot.get("name", "robot"), roots[0], links, ordered)


def _ordered(joints: list[Joint], roots: list[str]) -> tuple[Joint, ...]:
    reached, ordered = set(roots[:1]), []
    while found := [joint for joint in joints if joint.parent in reached and joint.child not in reached]:
        ordered += found
        reached |= {joint.child for joint in found}
    return tuple(ordered)


def _joint(element: Xml.Element) -> Joint:
    kind = element.attrib["type"]
    axis = element.find("axis")
    direction = _numbers(axis.attrib["xyz"], 3) if axis is not None else np.array([1.0, 0.0, 0.0])
    if kind in MOVING and not np.linalg.norm(direction) > 0.0:
        raise ValueError(f"joint {element.attrib['name']}: axis of no length")
    return Joint(
        element.attrib["name"],
        _child(element, "parent").attrib["link"],
        _child(element, "child").attrib["link"],
        _origin(element),
        direction / np.linalg.norm(direction) if kind in MOVING else None,
        kind == "prismatic",
    )


def _visuals(link: Xml.Element, colours: Mapping[str | None, Rgba]) -> tuple[Visual, ...]:
    visuals = []
    for element in link.findall("visual"):
        for shape in _child(element, "geometry"):
            if shape.tag in SIZES:
                size = np.concatenate([_numbers(shape.attrib[key]) for key in SIZES[shape.tag]])
                rgba = _colour(element.find("material"), colours)
                visuals.append(Visual(_origin(element), shape.tag, tuple(size.tolist()), rgba))
    return tuple(visuals)


def _colour(material: Xml.Element | None, named: Mapping[str | None, Rgba]) -> Rgba:
    """Return the material's own colour, else that of the robot's material of its name."""
    colour = None if material is None else material.find("color")
    if material is None or colour is None:
        return GREY if material is None else named.get(material.get("name"), GREY)
    r, g, b, a = _numbers(colour.attrib["rgba"], 4).tolist()
    return r, g, b, a


def _origin(element: Xml.Element) -> Transform:
    origin = element.find("origin")
    if origin is None:
        return Transform(np.zeros(3), np.eye(3))
    roll, pitch, yaw = _numbers(origin.get("rpy", "0 0 0"), 3)
    turns = (axis_rotation(axis, angle) for axis, angle in zip(np.eye(3)[::-1], (yaw, pitch, roll), strict=True))
    return Transform(_numbers(origin.get("xyz", "0 0 0"), 3), np.linalg.multi_dot(list(turns)))


def _child(element: Xml.Element, tag: str) -> Xml.Element:
    child = element.find(tag)
    if child is None:
        raise KeyError(f"<{tag}> of {element.get('name', element.tag)}")
    return child


def _numbers(text: str, count: int | None = None) -> Array:
    values = np.array([float(part) for part in text.split()])
    if not np.isfinite(values).all() or (count is not None and len(values) != count):
        raise ValueError(f"{count or 'finite'} numbers in {text!r}")
    return values
