"""Values to ROS messages and back: order of joints and quaternions, stamps, sizes, and messages that are built once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import Quaternion, Twist, TwistStamped
from helpers.bundles import standing
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, Imu, JointState

from robot_policies.exceptions import InputError
from robot_policies.nodes import conversions as cv
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import GainProfile, JointCommand, RobotState, owned

SPEC = load_robot_spec("go2")
N = len(SPEC.joint_names)
PROFILE = GainProfile("tiny/0123456789ab", owned(np.arange(N) + 20.0), owned(np.arange(N) * 0.1 + 0.5))
stamps = st.integers(0, 2**31 * cv.NS - 1)


def random_state(seed: int, stamp_ns: int) -> RobotState:
    rng = np.random.default_rng(seed)
    sizes = {"joint_pos": N, "joint_vel": N, "joint_effort": N, "base_ang_vel": 3, "base_lin_acc": 3, "foot_force": 4}
    quaternion = rng.normal(size=4)
    values: dict[str, Any] = {name: rng.normal(size=size) for name, size in sizes.items()}
    return standing(SPEC, stamp_ns, base_quat_wxyz=quaternion / np.linalg.norm(quaternion), **values)


def random_command(seed: int, stamp_ns: int = 7) -> JointCommand:
    pos, vel, effort = np.random.default_rng(seed).normal(size=(3, N))
    return JointCommand(stamp_ns, owned(pos), owned(vel), owned(effort), PROFILE.stiffness, PROFILE.damping, "p/1")


def over_the_wire(message: Any) -> Any:
    return deserialize_message(serialize_message(message), type(message))


@given(stamps)
def test_a_stamp_comes_back_to_the_nanosecond(stamp_ns: int) -> None:
    message = JointState()
    cv.set_stamp(message.header.stamp, stamp_ns)
    assert 0 <= message.header.stamp.nanosec < cv.NS
    assert cv.to_ns(message.header.stamp) == stamp_ns
    assert type(cv.to_ns(message.header.stamp)) is int


def test_a_quaternion_of_a_message_is_xyzw_and_inside_wxyz() -> None:
    np.testing.assert_array_equal(cv.wxyz(Quaternion(x=0.1, y=0.2, z=0.3, w=0.9)), [0.9, 0.1, 0.2, 0.3])
    messages = cv.StateMessages(SPEC)
    messages.fill(standing(SPEC, base_quat_wxyz=(0.5, 0.1, 0.2, 0.3)))
    o = messages.imu.orientation
    assert (o.x, o.y, o.z, o.w) == (0.1, 0.2, 0.3, 0.5)


@given(st.integers(0, 1000), stamps)
def test_a_state_comes_back_from_its_parts(seed: int, stamp_ns: int) -> None:
    state, messages = random_state(seed, stamp_ns), cv.StateMessages(SPEC)
    messages.fill(state)
    imu, feet, joints = (over_the_wire(m) for m in (messages.imu, messages.feet, messages.joints))
    assert {cv.to_ns(m.header.stamp) for m in (imu, feet, joints)} == {stamp_ns}
    back = cv.robot_state(SPEC, imu, feet, joints, None)
    assert back.stamp_ns == stamp_ns and back.base_lin_vel is None
    for field in ("joint_pos", "joint_vel", "joint_effort", "base_quat_wxyz", "base_ang_vel", "base_lin_acc"):
        np.testing.assert_array_equal(getattr(back, field), getattr(state, field), err_msg=field)
        assert not getattr(back, field).flags.writeable
    np.testing.assert_array_equal(back.foot_force, state.foot_force)


def test_messages_that_are_filled_again_and_again_are_those_of_the_newest_value() -> None:
    messages, command = cv.StateMessages(SPEC), cv.CommandMessage(SPEC.joint_names)
    first = command.fill(random_command(0))
    for seed in range(300):
        state = random_state(seed, seed * cv.NS + seed)
        messages.fill(state)
        filled = command.fill(random_command(seed, seed))
        assert filled is first  # built once
    anew, fresh = cv.StateMessages(SPEC), cv.CommandMessage(SPEC.joint_names)
    anew.fill(state)
    assert (messages.imu, messages.feet, messages.joints) == (anew.imu, anew.feet, anew.joints)
    assert over_the_wire(first) == fresh.fill(random_command(299, 299))
    np.testing.assert_array_equal(first.position, random_command(299).joint_pos)
    assert first.header.frame_id == "p/1"


def test_frames_carry_the_prefix_and_a_robot_may_have_no_feet() -> None:
    messages = cv.StateMessages(SPEC, "left/")
    assert messages.imu.header.frame_id == f"left/{SPEC.imu_frame}"
    assert messages.joints.header.frame_id == f"left/{SPEC.base_frame}"

    class Footless:
        feet = ()
        imu_frame, base_frame, joint_names = SPEC.imu_frame, SPEC.base_frame, SPEC.joint_names

    footless: Any = Footless()
    messages = cv.StateMessages(footless)
    messages.fill(standing(SPEC, foot_force=()))
    back = cv.robot_state(footless, messages.imu, messages.feet, messages.joints, None)
    assert back.foot_force.shape == (0,)


@given(st.permutations(range(N)))
def test_joints_are_found_by_name_in_any_order(order: list[int]) -> None:
    values = np.arange(N) * 1.5
    message = JointState(name=[SPEC.joint_names[i] for i in order], position=values[order].tolist())
    array = cv.joint_array(message, "position", SPEC.joint_names)
    np.testing.assert_array_equal(array, values)
    assert not array.flags.writeable and not np.shares_memory(array, np.asarray(message.position))


NAMES = list(SPEC.joint_names)


@pytest.mark.parametrize(
    ("names", "count", "words"),
    [
        (NAMES[:-1], N - 1, NAMES[-1]),
        ([*NAMES, "tail_joint"], N + 1, "tail_joint"),
        ([*NAMES[:-1], NAMES[0]], N, NAMES[-1]),  # one twice
        ([*NAMES[:-1], "RL_calf"], N, "RL_calf"),
        ([], 0, "none"),
        (NAMES, N - 1, "11"),
        (NAMES, 0, "0"),  # a simulator that leaves velocity empty
        (NAMES, N + 1, "13"),
    ],
)
def test_other_names_or_sizes_are_refused(names: list[str], count: int, words: str) -> None:
    message = JointState(name=names, position=[0.0] * count)
    with pytest.raises(InputError, match=words):
        cv.joint_array(message, "position", SPEC.joint_names)


@pytest.mark.parametrize("field", ["position", "velocity", "effort"])
def test_every_part_of_a_state_or_command_must_be_whole(field: str) -> None:
    messages = cv.StateMessages(SPEC)
    messages.fill(standing(SPEC))
    joints = over_the_wire(messages.joints)
    setattr(joints, field, [0.0] * (N - 1))
    with pytest.raises(InputError, match=field):
        cv.robot_state(SPEC, messages.imu, messages.feet, joints, None)
    with pytest.raises(InputError, match=field):
        cv.joint_command(SPEC, joints, PROFILE)
    feet = over_the_wire(messages.feet)
    feet.name = [*SPEC.feet[:-1], "tail"]
    with pytest.raises(InputError, match="tail"):
        cv.robot_state(SPEC, messages.imu, feet, messages.joints, None)


@given(st.integers(0, 1000), st.permutations(range(N)))
def test_a_command_comes_back_in_robot_order_with_the_gains_of_its_profile(seed: int, order: list[int]) -> None:
    command = random_command(seed, seed + 1)
    message = over_the_wire(cv.CommandMessage(SPEC.joint_names).fill(command))
    for field in ("position", "velocity", "effort"):
        setattr(message, field, np.array(getattr(message, field))[order].tolist())
    message.name = [SPEC.joint_names[i] for i in order]
    back = cv.joint_command(SPEC, message, PROFILE)
    for field in ("joint_pos", "joint_vel", "joint_effort"):
        np.testing.assert_array_equal(getattr(back, field), getattr(command, field))
    assert (back.stamp_ns, back.gain_profile) == (seed + 1, "p/1")
    assert back.stiffness is PROFILE.stiffness and back.damping is PROFILE.damping


def test_an_unstamped_velocity_counts_from_its_receipt() -> None:
    twist = Twist()
    twist.linear.x, twist.linear.y, twist.linear.z, twist.angular.z = 0.5, -0.25, 9.0, 1.5
    stamped = TwistStamped(twist=twist)
    for message in (twist, stamped):
        value = cv.velocity_command(message, 123)
        assert (value.stamp_ns, value.lin_vel_x, value.lin_vel_y, value.ang_vel_z) == (123, 0.5, -0.25, 1.5)
    cv.set_stamp(stamped.header.stamp, 45)
    assert cv.velocity_command(stamped, 123).stamp_ns == 45


def image(encoding: str, pixels: np.ndarray, big: bool = False, **changes: Any) -> Image:
    data = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    height, width = pixels.shape
    step = width * pixels.itemsize
    fields = {"height": height, "width": width, "step": step, "data": data, "is_bigendian": int(big)}
    return Image(encoding=encoding, **{**fields, **changes})


@pytest.mark.parametrize("big", [False, True])
def test_depth_is_in_metres_whatever_the_encoding(big: bool) -> None:
    metres = np.array([[0.25, 1.0, 2.0], [np.nan, 0.0, 3.5]], np.float32)
    message = image("32FC1", metres, big)
    cv.set_stamp(message.header.stamp, 99)
    depth = cv.depth_image(message)
    assert depth.stamp_ns == 99 and depth.depth.dtype == np.float32 and not depth.depth.flags.writeable
    np.testing.assert_array_equal(depth.depth, metres)
    millimetres = np.array([[0, 1000, 65535]], np.uint16)
    depth = cv.depth_image(image("16UC1", millimetres, big))
    assert depth.depth.dtype == np.float32
    np.testing.assert_allclose(depth.depth, [[0.0, 1.0, 65.535]], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": "rgb8"}, "32FC1, 16UC1"),
        ({"encoding": ""}, "none"),
        ({"step": 16}, "step 16"),
        ({"step": 0}, "step 12"),
        ({"height": 3}, "36 bytes"),
        ({"width": 4}, "step 16"),
        ({"data": b""}, "0 bytes"),
        ({"encoding": "16UC1"}, "step 6"),
    ],
)
def test_a_malformed_image_is_refused(change: dict[str, Any], words: str) -> None:
    message = image("32FC1", np.ones((2, 3), np.float32))
    for field, value in change.items():
        setattr(message, field, value)
    with pytest.raises(InputError, match=words):
        cv.depth_image(message)


def test_an_odometry_message_holds_pose_and_body_twist() -> None:
    message = Odometry()
    pose = (owned([1, 2, 3]), owned([0.5, 0.1, 0.2, 0.3]))
    cv.odometry(message, 5, pose, (owned([4, 5, 6]), owned([7, 8, 9])))
    p, o, twist = message.pose.pose.position, message.pose.pose.orientation, message.twist.twist
    assert cv.to_ns(message.header.stamp) == 5
    assert (p.x, p.y, p.z, o.w, o.x, o.y, o.z) == (1, 2, 3, 0.5, 0.1, 0.2, 0.3)
    assert (twist.linear.x, twist.linear.y, twist.linear.z) == (4, 5, 6)
    assert (twist.angular.x, twist.angular.y, twist.angular.z) == (7, 8, 9)


def test_not_finite_passes_for_the_checks_behind_to_judge() -> None:
    messages = cv.StateMessages(SPEC)
    messages.fill(standing(SPEC, joint_pos=np.full(N, np.nan)))
    state = cv.robot_state(SPEC, Imu(), messages.feet, messages.joints, owned([0, 0, 0]))
    assert np.isnan(state.joint_pos).all() and state.base_lin_vel is not None
