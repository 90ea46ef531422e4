"""The URDF of the robot: MuJoCo loads it back with the same masses, joints and places as the model it came from."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as Xml

import mujoco
import numpy as np
import pytest

from robot_policies.exceptions import RobotError
from robot_policies.resources import find
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from sim2real.mujoco.urdf import robot_description, rpy


@pytest.fixture(scope="module")
def spec() -> RobotSpec:
    """The robot of the tests."""
    return load_robot_spec("go2")


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    """Its model."""
    return mujoco.MjModel.from_xml_path(str(find("models", "go2")))


@pytest.fixture(scope="module")
def text(spec: RobotSpec, model: mujoco.MjModel) -> str:
    """Its URDF."""
    return robot_description(spec, model)


@pytest.fixture(scope="module")
def back(text: str) -> mujoco.MjModel:
    """The URDF, compiled by MuJoCo."""
    return mujoco.MjModel.from_xml_string(text)


def test_mass_and_joint_order_survive(model: mujoco.MjModel, back: mujoco.MjModel, spec: RobotSpec) -> None:
    """Total mass and the joints, in the robot's motor order, are equal."""
    assert back.body_mass.sum() == pytest.approx(model.body_mass.sum(), rel=1e-9)
    assert tuple(back.joint(i).name for i in range(back.njnt)) == spec.joint_names


def test_limits_are_those_of_the_robot_file(text: str, spec: RobotSpec) -> None:
    """Every joint states the robot's own limits: position, effort and velocity."""
    joints = {joint.get("name"): joint.find("limit") for joint in Xml.fromstring(text).iter("joint")}
    for index, name in enumerate(spec.joint_names):
        limit = joints[name]
        assert limit is not None
        found = [float(limit.get(key, "nan")) for key in ("lower", "upper", "effort", "velocity")]
        arrays = (spec.joint_lower, spec.joint_upper, spec.effort_limit, spec.joint_vel_limit)
        assert found == pytest.approx([array[index] for array in arrays])


def test_feet_masses_and_inertias_are_where_they_were(
    model: mujoco.MjModel, back: mujoco.MjModel, spec: RobotSpec
) -> None:
    """At random joint positions feet, centre of mass and the inertia about the joints agree."""
    one, two = mujoco.MjData(model), mujoco.MjData(back)
    generator = np.random.default_rng(3)
    for _ in range(5):
        joints = generator.uniform(spec.joint_lower, spec.joint_upper)
        one.qpos[:7], one.qpos[7:], two.qpos[:] = (0, 0, 0, 1, 0, 0, 0), joints, joints
        mujoco.mj_forward(model, one)
        mujoco.mj_forward(back, two)
        for foot in spec.feet:
            np.testing.assert_allclose(two.body(foot).xpos, one.site(foot).xpos, atol=1e-9)
        np.testing.assert_allclose(two.subtree_com[1], one.subtree_com[1], atol=1e-9)
        inertia, other = np.zeros((model.nv, model.nv)), np.zeros((back.nv, back.nv))
        mujoco.mj_fullM(model, one, inertia)
        mujoco.mj_fullM(back, two, other)
        legs = inertia[6:, 6:] - np.diag(model.dof_armature[6:])  # a URDF has no armature
        np.testing.assert_allclose(other, legs, atol=1e-9)


def test_camera_and_imu_frames(model: mujoco.MjModel, back: mujoco.MjModel, spec: RobotSpec) -> None:
    """The optical frame looks where the model's camera looks, z forward and y down; the IMU is at its site."""
    one, two = mujoco.MjData(model), mujoco.MjData(back)
    one.qpos[:7] = (0, 0, 0, 1, 0, 0, 0)
    mujoco.mj_forward(model, one)
    mujoco.mj_forward(back, two)
    optical = two.body(spec.sensors.depth["depth"].frame)
    camera = one.cam("depth").xmat.reshape(3, 3)
    np.testing.assert_allclose(optical.xpos, one.cam("depth").xpos, atol=1e-6)
    np.testing.assert_allclose(optical.xmat.reshape(3, 3), camera * [1.0, -1.0, -1.0], atol=1e-4)
    np.testing.assert_allclose(two.body(spec.imu_frame).xpos, one.site("imu").xpos, atol=1e-9)


def test_the_root_is_the_base_frame_without_mass(text: str, spec: RobotSpec) -> None:
    """REP 105: one root, the base frame; KDL: it holds no mass."""
    robot = Xml.fromstring(text)
    children = {child.get("link") for child in robot.iter("child")}
    roots = [link for link in robot.iter("link") if link.get("name") not in children]
    assert [link.get("name") for link in roots] == [spec.base_frame]
    assert roots[0].find("inertial") is None


def test_solid_and_seen_shapes(text: str, model: mujoco.MjModel) -> None:
    """The base shows its look and collides with its hull; only standard URDF primitives are used."""
    robot = Xml.fromstring(text)
    base = next(link for link in robot.iter("link") if str(link.get("name")).endswith("_inertia"))
    body = model.body("base").id
    solid = [g for g in range(model.ngeom) if model.geom_bodyid[g] == body and model.geom_contype[g]]
    assert len(base.findall("collision")) == len(solid) > 0
    assert len(base.findall("visual")) > len(solid)
    assert {shape.tag for geometry in robot.iter("geometry") for shape in geometry} <= {"box", "cylinder", "sphere"}


def test_rotations_round_trip() -> None:
    """Roll, pitch and yaw about the fixed axes give the quaternion back, also at a pitch of 90 degrees."""
    generator = np.random.default_rng(1)
    quaternions = [q / np.linalg.norm(q) for q in generator.normal(size=(50, 4))]
    for quat in [*quaternions, np.array([np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0])]:
        result = np.zeros(4)
        mujoco.mju_euler2Quat(result, np.array(rpy(quat)), "XYZ")
        assert abs(result @ quat) == pytest.approx(1.0, abs=1e-9)


SLIDER = """<mujoco><worldbody><body name="b"><freejoint/><geom size="0.1"/><body name="c">
<joint name="j" type="{kind}" pos="{pos}"/><geom size="0.1"/></body></body></worldbody></mujoco>"""


@pytest.mark.parametrize(("kind", "pos"), [("slide", "0 0 0"), ("hinge", "0 0 0.1")])
def test_what_a_urdf_cannot_say_is_an_error(spec: RobotSpec, kind: str, pos: str) -> None:
    """A slide, or a hinge beside its body's origin, is refused by name."""
    odd = mujoco.MjModel.from_xml_string(SLIDER.format(kind=kind, pos=pos))
    with pytest.raises(RobotError, match="joint j"):
        robot_description(spec, odd)


def test_a_foot_without_site_is_an_error(spec: RobotSpec, model: mujoco.MjModel) -> None:
    """A foot of the robot file that the model does not have is named."""
    with pytest.raises(RobotError, match="left_flipper"):
        robot_description(dataclasses.replace(spec, feet=("left_flipper",)), model)
