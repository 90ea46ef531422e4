"""Values of the flow to and from ROS messages. Quaternions are xyzw on messages and wxyz inside.

Messages of the fast path are built once and filled in place through numpy views of their arrays, which is several
times cheaper than building them anew (docs/topics.md says which topic carries what).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image, Imu, JointState

from robot_policies.exceptions import InputError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, DepthImage, GainProfile, JointCommand, RobotState, VelocityCommand, owned

NS = 1_000_000_000
Pinhole = tuple[float, float, float, float]  # fx, fy, cx, cy [px]


def to_ns(stamp: Time) -> int:
    """Return a message's stamp [ns]."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def set_stamp(stamp: Time, stamp_ns: int) -> None:
    """Write ``stamp_ns`` into a message's stamp."""
    stamp.sec, stamp.nanosec = divmod(stamp_ns, NS)


def wxyz(quaternion: object) -> Array:
    """Return a geometry_msgs/Quaternion as (4,) w, x, y, z."""
    return owned([quaternion.w, quaternion.x, quaternion.y, quaternion.z])  # type: ignore[attr-defined]


def joint_array(message: JointState, field: str, names: Sequence[str]) -> Array:
    """Return ``message.<field>`` in the order of ``names``.

    Raises:
        InputError: the message's names are not these, or the field's size is not theirs.
    """
    values = np.asarray(getattr(message, field), dtype=np.float64)
    if values.shape != (len(message.name),):
        raise InputError(expected(f"{field}: {len(message.name)} values", values.size, "one value per name"))
    if list(message.name) == list(names):
        return owned(values)
    if sorted(message.name) != sorted(names):
        raise InputError(expected("names", ", ".join(message.name) or "none", names))
    index = {name: i for i, name in enumerate(message.name)}
    return owned(values[[index[name] for name in names]])


class StateMessages:
    """The three parts of a robot state, built once. ``joint_states`` is published last."""

    def __init__(self, spec: RobotSpec, frame_prefix: str = "") -> None:
        self.imu = Imu()
        self.imu.header.frame_id = frame_prefix + spec.imu_frame
        self.feet = JointState(name=list(spec.feet), effort=[0.0] * len(spec.feet))
        n = len(spec.joint_names)
        self.joints = JointState(name=list(spec.joint_names), position=[0.0] * n, velocity=[0.0] * n, effort=[0.0] * n)
        self.joints.header.frame_id = frame_prefix + spec.base_frame
        self._views = tuple(np.frombuffer(a) for a in (self.joints.position, self.joints.velocity, self.joints.effort))
        self._feet = np.frombuffer(self.feet.effort) if spec.feet else np.zeros(0)

    def fill(self, state: RobotState) -> None:
        """Write ``state`` into the three messages, all with its stamp."""
        for message in (self.imu, self.feet, self.joints):
            set_stamp(message.header.stamp, state.stamp_ns)
        for view, values in zip(self._views, (state.joint_pos, state.joint_vel, state.joint_effort), strict=True):
            view[:] = values
        self._feet[:] = state.foot_force
        imu = self.imu
        o, w, a = imu.orientation, imu.angular_velocity, imu.linear_acceleration
        o.w, o.x, o.y, o.z = state.base_quat_wxyz.tolist()
        w.x, w.y, w.z = state.base_ang_vel.tolist()
        a.x, a.y, a.z = state.base_lin_acc.tolist()


def robot_state(
    spec: RobotSpec, imu: Imu, feet: JointState, joints: JointState, base_lin_vel: Array | None
) -> RobotState:
    """Join the parts of a state, which carry one stamp.

    Raises:
        InputError: names or sizes are not those of the robot file.
    """
    w, a = imu.angular_velocity, imu.linear_acceleration
    return RobotState(
        stamp_ns=to_ns(joints.header.stamp),
        joint_pos=joint_array(joints, "position", spec.joint_names),
        joint_vel=joint_array(joints, "velocity", spec.joint_names),
        joint_effort=joint_array(joints, "effort", spec.joint_names),
        base_quat_wxyz=wxyz(imu.orientation),
        base_ang_vel=owned([w.x, w.y, w.z]),
        base_lin_acc=owned([a.x, a.y, a.z]),
        foot_force=joint_array(feet, "effort", spec.feet),
        base_lin_vel=base_lin_vel,
    )


class CommandMessage:
    """A ``joint_command`` or ``joint_command_sent``, built once."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        n = len(joint_names)
        self.message = JointState(name=list(joint_names), position=[0.0] * n, velocity=[0.0] * n, effort=[0.0] * n)
        self._views = tuple(
            np.frombuffer(a) for a in (self.message.position, self.message.velocity, self.message.effort)
        )

    def fill(self, command: JointCommand) -> JointState:
        """Write ``command`` into the message and return it."""
        set_stamp(self.message.header.stamp, command.stamp_ns)
        self.message.header.frame_id = command.gain_profile
        values = (command.joint_pos, command.joint_vel, command.joint_effort)
        for view, value in zip(self._views, values, strict=True):
            view[:] = value
        return self.message


def joint_command(spec: RobotSpec, message: JointState, profile: GainProfile) -> JointCommand:
    """Return a received command in robot order, with the gains that its profile stands for.

    Raises:
        InputError: joint names or sizes are not those of the robot file.
    """
    return JointCommand(
        stamp_ns=to_ns(message.header.stamp),
        joint_pos=joint_array(message, "position", spec.joint_names),
        joint_vel=joint_array(message, "velocity", spec.joint_names),
        joint_effort=joint_array(message, "effort", spec.joint_names),
        stiffness=profile.stiffness,
        damping=profile.damping,
        gain_profile=message.header.frame_id,
    )


def velocity_command(message: Twist | TwistStamped, received_ns: int) -> VelocityCommand:
    """Return a velocity command; an unstamped one (Twist, or a zero stamp) counts as stamped at ``received_ns``."""
    twist, stamp_ns = message, 0
    if isinstance(message, TwistStamped):
        twist, stamp_ns = message.twist, to_ns(message.header.stamp)
    return VelocityCommand(stamp_ns or received_ns, twist.linear.x, twist.linear.y, twist.angular.z)


def depth_image(message: Image, pinhole: Pinhole | None = None) -> DepthImage:
    """Return a depth image in metres. ``pinhole`` is that of the camera (fx, fy, cx, cy) [px], where it has said so.

    Raises:
        InputError: the encoding is neither 32FC1 (m) nor 16UC1 (mm), or the data's size is not the image's.
    """
    name = {"32FC1": "f4", "16UC1": "u2"}.get(message.encoding)
    if name is None:
        raise InputError(expected("depth encoding", message.encoding or "none", ("32FC1", "16UC1")))
    dtype: np.dtype[np.generic] = np.dtype(name)
    shape = (message.height, message.width)
    size = message.height * message.width * dtype.itemsize
    if message.step != message.width * dtype.itemsize or len(message.data) != size:
        found = f"step {message.step}, {len(message.data)} bytes"
        raise InputError(
            expected(f"depth image {shape}", found, f"step {message.width * dtype.itemsize}, {size} bytes")
        )
    raw = np.frombuffer(message.data, dtype.newbyteorder(">" if message.is_bigendian else "<")).reshape(shape)
    scale = 1.0 if message.encoding == "32FC1" else 1e-3
    return DepthImage(to_ns(message.header.stamp), owned(raw * np.float32(scale), np.float32), pinhole)


def odometry(message: Odometry, stamp_ns: int, pose: tuple[Array, Array], twist: tuple[Array, Array]) -> None:
    """Write a pose (position in the world [m], quat_wxyz) and a body-frame twist (linear, angular) into ``message``."""
    set_stamp(message.header.stamp, stamp_ns)
    position, orientation = message.pose.pose.position, message.pose.pose.orientation
    position.x, position.y, position.z = pose[0].tolist()
    orientation.w, orientation.x, orientation.y, orientation.z = pose[1].tolist()
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    linear.x, linear.y, linear.z = twist[0].tolist()
    angular.x, angular.y, angular.z = twist[1].tolist()
