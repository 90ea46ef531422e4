"""The robot's URDF as text, from its robot file and its compiled model, for ``robot_description``.

Links are the model's bodies with their inertials; geometry is primitive. Frames follow REP 103 and REP 105: the root
is ``spec.base_frame`` and holds no mass (KDL asks for that), the base's body hangs from it as ``<base_frame>_inertia``;
the IMU, the feet and the cameras are links of their own, and a camera has its ``_optical_frame`` (z forward, y down).
"""

from __future__ import annotations

import math
from xml.etree import ElementTree as Xml

import mujoco
import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array

GEOM = mujoco.mjtGeom
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
# REP 103: from a camera's x forward, z up to its optical frame's z forward, y down.
OPTICAL = np.array([0.5, -0.5, 0.5, -0.5])


def robot_description(spec: RobotSpec, model: mujoco.MjModel) -> str:
    """Return the URDF of ``spec`` whose masses, joints and shapes are those of ``model``.

    Raises:
        RobotError: the model has something that a URDF cannot say, such as a joint that is not a hinge.
    """
    robot = Xml.Element("robot", name=spec.name)
    # Read by MuJoCo alone: keep the mass-less frames, and the base apart from the world.
    Xml.SubElement(Xml.SubElement(robot, "mujoco"), "compiler", fusestatic="false", discardvisual="false")
    Xml.SubElement(robot, "link", name=spec.base_frame)
    root = _root(model)
    for body in range(root, model.nbody):
        if model.body_rootid[body] == root:
            _link(robot, model, body, _link_name(spec, model, body))
            _joint(robot, spec, model, body)
    _frames(robot, spec, model)
    Xml.indent(robot)
    return Xml.tostring(robot, encoding="unicode", xml_declaration=True) + "\n"


def rpy(quat_wxyz: Array) -> tuple[float, float, float]:
    """Return the URDF's roll, pitch, yaw [rad] (about the fixed x, then y, then z) of a unit quaternion."""
    w, x, y, z = (float(part) for part in quat_wxyz)
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = math.asin(min(1.0, max(-1.0, 2.0 * (w * y - z * x))))
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return roll, pitch, yaw


def _root(model: mujoco.MjModel) -> int:
    free = [body for body in range(1, model.nbody) if model.body_parentid[body] == 0 and model.body_dofnum[body] == 6]
    if len(free) != 1:
        raise RobotError(expected("URDF: one free body, the base", f"{len(free)} of them", "exactly one"))
    return free[0]


def _link_name(spec: RobotSpec, model: mujoco.MjModel, body: int) -> str:
    return f"{spec.base_frame}_inertia" if body == _root(model) else str(model.body(body).name)


def _numbers(values: Array | tuple[float, ...]) -> str:
    return " ".join(f"{float(value):.12g}" for value in values)


def _origin(parent: Xml.Element, pos: Array, quat_wxyz: Array) -> None:
    Xml.SubElement(parent, "origin", xyz=_numbers(pos), rpy=_numbers(rpy(quat_wxyz)))


def _link(robot: Xml.Element, model: mujoco.MjModel, body: int, name: str) -> None:
    link = Xml.SubElement(robot, "link", name=name)
    inertial = Xml.SubElement(link, "inertial")
    _origin(inertial, model.body_ipos[body], model.body_iquat[body])
    Xml.SubElement(inertial, "mass", value=f"{model.body_mass[body]:.12g}")
    ixx, iyy, izz = (f"{value:.12g}" for value in model.body_inertia[body])
    Xml.SubElement(inertial, "inertia", ixx=ixx, iyy=iyy, izz=izz, ixy="0", ixz="0", iyz="0")
    geoms = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] == body]
    solid = [geom for geom in geoms if model.geom_contype[geom] or model.geom_conaffinity[geom]]
    looks = [geom for geom in geoms if geom not in solid] or solid
    for geom in looks:
        _shapes(link, "visual", model, geom)
    for geom in solid:
        _shapes(link, "collision", model, geom)


def _shapes(link: Xml.Element, tag: str, model: mujoco.MjModel, geom: int) -> None:
    """Add one geom; a capsule, which a URDF does not know, becomes a cylinder and two spheres."""
    pos, quat, size = model.geom_pos[geom], model.geom_quat[geom], model.geom_size[geom]
    kind, before = model.geom_type[geom], len(link)
    if kind == GEOM.mjGEOM_SPHERE:
        _shape(link, tag, pos, quat, "sphere", radius=float(size[0]))
    elif kind == GEOM.mjGEOM_CYLINDER:
        _shape(link, tag, pos, quat, "cylinder", radius=float(size[0]), length=2.0 * float(size[1]))
    elif kind == GEOM.mjGEOM_BOX:
        _shape(link, tag, pos, quat, "box", size=2.0 * size)
    elif kind == GEOM.mjGEOM_CAPSULE:
        _shape(link, tag, pos, quat, "cylinder", radius=float(size[0]), length=2.0 * float(size[1]))
        for end in (-size[1], size[1]):
            _shape(link, tag, pos + _rotate(quat, np.array([0.0, 0.0, end])), quat, "sphere", radius=float(size[0]))
    else:  # a mesh or an ellipsoid: the box around it, in the geom's frame
        centre, half = model.geom_aabb[geom][:3], model.geom_aabb[geom][3:]
        _shape(link, tag, pos + _rotate(quat, centre), quat, "box", size=2.0 * half)
    if tag == "visual":
        material = int(model.geom_matid[geom])
        rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
        name = str(model.mat(material).name) if material >= 0 else f"geom_{geom}"
        for element in list(link)[before:]:
            Xml.SubElement(Xml.SubElement(element, "material", name=name), "color", rgba=_numbers(rgba))


def _shape(link: Xml.Element, tag: str, pos: Array, quat: Array, form: str, **sizes: float | Array) -> None:
    element = Xml.SubElement(link, tag)
    _origin(element, pos, quat)
    attributes = {key: _numbers(np.atleast_1d(value)) for key, value in sizes.items()}
    Xml.SubElement(Xml.SubElement(element, "geometry"), form, attributes)


def _rotate(quat_wxyz: Array, vector: Array) -> Array:
    result = np.zeros(3)
    mujoco.mju_rotVecQuat(result, vector, quat_wxyz)
    return result


def _joint(robot: Xml.Element, spec: RobotSpec, model: mujoco.MjModel, body: int) -> None:
    name = _link_name(spec, model, body)
    if body == _root(model):
        _fixed(robot, spec.base_frame, name, np.zeros(3), IDENTITY)
        return
    parent = _link_name(spec, model, int(model.body_parentid[body]))
    if model.body_jntnum[body] == 0:
        _fixed(robot, parent, name, model.body_pos[body], model.body_quat[body])
        return
    number = int(model.body_jntadr[body])
    label = str(model.joint(number).name)
    hinge = model.jnt_type[number] == mujoco.mjtJoint.mjJNT_HINGE
    if model.body_jntnum[body] != 1 or not hinge or np.any(model.jnt_pos[number]):
        raise RobotError(expected(f"URDF: body {name}", f"joint {label}", "one hinge at the origin of its body"))
    joint = _connect(robot, "revolute", label, parent, name)
    _origin(joint, model.body_pos[body], model.body_quat[body])
    Xml.SubElement(joint, "axis", xyz=_numbers(model.jnt_axis[number]))
    index = int(spec.joint_index((label,))[0])
    limits = {
        "lower": spec.joint_lower,
        "upper": spec.joint_upper,
        "effort": spec.effort_limit,
        "velocity": spec.joint_vel_limit,
    }
    Xml.SubElement(joint, "limit", {key: f"{limit[index]:.12g}" for key, limit in limits.items()})
    dof = int(model.jnt_dofadr[number])
    damping, friction = model.dof_damping[dof], model.dof_frictionloss[dof]
    Xml.SubElement(joint, "dynamics", damping=f"{damping:.12g}", friction=f"{friction:.12g}")


def _connect(robot: Xml.Element, kind: str, name: str, parent: str, child: str) -> Xml.Element:
    joint = Xml.SubElement(robot, "joint", name=name, type=kind)
    Xml.SubElement(joint, "parent", link=parent)
    Xml.SubElement(joint, "child", link=child)
    return joint


def _fixed(robot: Xml.Element, parent: str, child: str, pos: Array, quat: Array) -> None:
    _origin(_connect(robot, "fixed", f"{child}_joint", parent, child), pos, quat)


def _frames(robot: Xml.Element, spec: RobotSpec, model: mujoco.MjModel) -> None:
    """Add the IMU, the feet and the cameras: links without mass."""
    _frame(robot, spec.base_frame, spec.imu_frame, np.array(spec.sensors.imu.position), IDENTITY)
    for foot in spec.feet:
        site = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, foot)
        if site < 0:
            raise RobotError(expected(f"URDF: foot {foot}", "no site of that name in the model", "a site per foot"))
        parent = _link_name(spec, model, int(model.site_bodyid[site]))
        _frame(robot, parent, foot, model.site_pos[site], model.site_quat[site])
    for mount in spec.sensors.depth.values():
        camera = mount.frame.replace("_optical_frame", "_frame")
        if camera == mount.frame:
            raise RobotError(expected("URDF: frame of a depth camera", mount.frame, "a name ending in _optical_frame"))
        down = np.array([math.cos(mount.pitch / 2.0), 0.0, math.sin(mount.pitch / 2.0), 0.0])
        _frame(robot, spec.base_frame, camera, np.array(mount.position), down)
        _frame(robot, camera, mount.frame, np.zeros(3), OPTICAL)


def _frame(robot: Xml.Element, parent: str, name: str, pos: Array, quat: Array) -> None:
    Xml.SubElement(robot, "link", name=name)
    _fixed(robot, parent, name, pos, quat)
