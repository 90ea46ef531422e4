"""The viewer's reading of URDFs, its meshes and its guess of the base's height."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_policies.exceptions import InputError
from robot_policies.nodes.viewer_meshes import Mesh, box, by_colour, cylinder, merged, sphere
from robot_policies.nodes.viewer_pose import StandingHeight, rotation
from robot_policies.nodes.viewer_urdf import GREY, axis_rotation, parse_urdf, quat_wxyz
from robot_policies.robot_spec import load_robot_spec

LINK = '<link name="{0}"><visual><geometry>{1}</geometry></visual></link>'
ARM = f"""<robot name="arm">
  <material name="blue"><color rgba="0 0 1 0.5"/></material>
  {LINK.format("tip", '<sphere radius="0.1"/>')}
  <link name="slider"/>
  <link name="base"><visual><origin xyz="0 0 0.5" rpy="0 0 1.5707963267948966"/>
    <geometry><box size="2 1 1"/></geometry><material name="blue"/></visual>
    <visual><geometry><mesh filename="package://x/y.dae"/></geometry></visual></link>
  <joint name="tip_joint" type="fixed"><parent link="slider"/><child link="tip"/><origin xyz="0 0 0.2"/></joint>
  <joint name="slide" type="prismatic"><parent link="turn"/><child link="slider"/><axis xyz="2 0 0"/></joint>
  <joint name="turn_joint" type="continuous"><parent link="base"/><child link="turn"/>
    <origin xyz="0 0 1" rpy="0 0 0"/><axis xyz="0 0 1"/></joint>
  <link name="turn"/>
</robot>"""


def test_links_follow_their_joints_whatever_the_order_of_the_file() -> None:
    urdf = parse_urdf(ARM)
    assert (urdf.name, urdf.root) == ("arm", "base")
    assert [joint.name for joint in urdf.joints] == ["turn_joint", "slide", "tip_joint"]
    poses = urdf.poses({"turn_joint": math.pi / 2, "slide": 0.5})
    assert poses["tip"].position == pytest.approx([0.0, 0.5, 1.2])
    assert urdf.poses({})["tip"].position == pytest.approx([0.0, 0.0, 1.2]), "joints that are not named stand at 0"


def test_shapes_sizes_colours_and_what_is_no_primitive() -> None:
    urdf = parse_urdf(ARM)
    (visual,) = urdf.visuals["base"]
    assert (visual.shape, visual.size, visual.rgba) == ("box", (2.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5))
    assert visual.origin.rotation @ [1.0, 0.0, 0.0] == pytest.approx([0.0, 1.0, 0.0])
    assert urdf.visuals["tip"][0].rgba == GREY
    assert urdf.visuals["slider"] == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "<robot",
        "<robot/>",
        "<robot><link name='a'/><link name='b'/></robot>",
        "<robot><link/></robot>",
        ARM.replace('<axis xyz="2 0 0"/>', '<axis xyz="0 0 0"/>'),
        ARM.replace('radius="0.1"', 'radius="nan"'),
        ARM.replace('radius="0.1"', ""),
        ARM.replace('<parent link="base"/>', '<parent link="tip"/>'),
        ARM.replace('<parent link="base"/>', ""),
        ARM.replace('type="fixed"', ""),
        ARM.replace('xyz="0 0 0.2"', 'xyz="0 0"'),
        ARM.replace('<child link="tip"/>', '<child link="turn"/>'),
        ARM.replace(
            "</robot>", '<joint name="j" type="fixed"><parent link="base"/><child link="turn"/></joint></robot>'
        ),
    ],
)
def test_what_is_no_tree_of_links_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match="robot_description"):
        parse_urdf(wrong)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_quaternions_and_rotations_are_each_others_inverse(values: list[float]) -> None:
    quat = np.array(values) / np.linalg.norm(values)
    back = quat_wxyz(rotation(quat))
    assert min(np.abs(back - quat).max(), np.abs(back + quat).max()) < 1e-9


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_have_a_quaternion_too(axis: np.ndarray) -> None:
    quat = quat_wxyz(axis_rotation(axis, math.pi))
    assert np.abs(quat) == pytest.approx([0.0, *axis], abs=1e-9)


def test_rpy_turns_about_fixed_axes_x_then_y_then_z() -> None:
    text = ARM.replace('rpy="0 0 0"', 'rpy="0.3 -0.4 1.1"')
    turn = parse_urdf(text).joints[0].origin.rotation
    x, y, z = np.eye(3)
    expected = axis_rotation(z, 1.1) @ axis_rotation(y, -0.4) @ axis_rotation(x, 0.3)
    assert turn == pytest.approx(expected)


def volume(mesh: Mesh) -> float:
    """Signed volume: right only if the surface is closed and every triangle faces outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def test_meshes_are_closed_and_face_outwards() -> None:
    assert volume(box(1.0, 2.0, 3.0)) == pytest.approx(6.0)
    assert volume(cylinder(0.5, 2.0)) == pytest.approx(math.pi * 0.5, rel=0.02)
    assert volume(sphere(0.5)) == pytest.approx(math.pi / 6.0, rel=0.04)
    assert volume(merged([box(1.0, 1.0, 1.0), sphere(0.5)])) == pytest.approx(1.0 + volume(sphere(0.5)))


def test_meshes_have_the_extent_of_their_shape() -> None:
    for mesh, half in ((box(1, 2, 3), (0.5, 1, 1.5)), (cylinder(0.5, 2), (0.5, 0.5, 1)), (sphere(0.5), (0.5,) * 3)):
        assert mesh.vertices.max(axis=0) == pytest.approx(half, rel=1e-2)
        assert mesh.vertices.min(axis=0) == pytest.approx([-h for h in half], rel=1e-2)


def test_a_link_is_one_mesh_per_colour_in_the_frame_of_the_link() -> None:
    (visual,) = parse_urdf(ARM).visuals["base"]
    meshes = by_colour([visual, visual])
    assert list(meshes) == [visual.rgba]
    mesh = meshes[visual.rgba]
    assert volume(mesh) == pytest.approx(4.0)
    assert mesh.vertices.max(axis=0) == pytest.approx([0.5, 1.0, 1.0]), "turned and lifted by its origin"


def test_the_base_stands_as_high_as_the_lowest_part_needs() -> None:
    height = StandingHeight(parse_urdf(ARM.replace('xyz="0 0 1"', 'xyz="0 0 -1"').replace("0.2", "-0.2")))
    assert height({}, np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(1.3)
    upside_down = np.array([0.0, 1.0, 0.0, 0.0])
    assert height({}, upside_down) == pytest.approx(1.0), "on the box that was the top"


def test_the_go2_is_read_as_the_model_that_its_urdf_comes_from() -> None:
    mujoco = pytest.importorskip("mujoco")
    from sim2real.mujoco.urdf import robot_description
    from sim2real.mujoco.world import build_model

    spec = load_robot_spec("go2")
    model = build_model(spec)
    urdf = parse_urdf(robot_description(spec, model))
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    joint_pos = dict(zip(spec.joint_names, rng.uniform(-1.0, 1.0, 12).tolist(), strict=True))
    for name, value in joint_pos.items():
        data.joint(name).qpos = value
    data.qpos[:7] = [0, 0, 0, 1, 0, 0, 0]
    mujoco.mj_forward(model, data)
    poses = urdf.poses(joint_pos)
    for body in ("FL_calf", "RR_calf", "FR_thigh", "RL_hip"):
        assert poses[body].position == pytest.approx(data.body(body).xpos, abs=1e-9)
        assert poses[body].rotation.ravel() == pytest.approx(data.body(body).xmat, abs=1e-9)
    colours = {visual.rgba for visuals in urdf.visuals.values() for visual in visuals}
    assert len(colours) >= 4
    height = StandingHeight(urdf)(dict(zip(spec.joint_names, spec.poses["stand"], strict=True)), np.eye(4)[0])
    assert 0.25 < height < 0.35
