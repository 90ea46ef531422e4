"""The topics of a run that are known before anybody offers them, so that a recorder can listen from the first message.

As docs/topics.md has them. Others are found as they appear, ``cmd_vel`` among them, which is of either of two types.
"""

from __future__ import annotations

_LATCHED = {
    "robot_mode": "std_msgs/msg/String",
    "gain_profiles": "std_msgs/msg/String",
    "robot_description": "std_msgs/msg/String",
    "commanding_policy": "std_msgs/msg/String",
    "ground": "visualization_msgs/msg/MarkerArray",
    "lockstep_horizon": "std_msgs/msg/Header",
    "/rosout": "rcl_interfaces/msg/Log",
}
_PLAIN = {
    "imu/data": "sensor_msgs/msg/Imu",
    "foot_contacts": "sensor_msgs/msg/JointState",
    "joint_states": "sensor_msgs/msg/JointState",
    "joint_command": "sensor_msgs/msg/JointState",
    "joint_command_sent": "sensor_msgs/msg/JointState",
    "odom": "nav_msgs/msg/Odometry",
    "ground_truth/odom": "nav_msgs/msg/Odometry",
    "battery": "sensor_msgs/msg/BatteryState",
    "joy": "sensor_msgs/msg/Joy",
    "depth/image_rect": "sensor_msgs/msg/Image",
    "depth/camera_info": "sensor_msgs/msg/CameraInfo",
    "depth/due": "sensor_msgs/msg/TimeReference",
    "/clock": "rosgraph_msgs/msg/Clock",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
}
KNOWN = {
    **{topic: (kind, True, False) for topic, kind in _PLAIN.items()},
    **{topic: (kind, True, True) for topic, kind in _LATCHED.items()},
}  # name -> type, whether reliable, whether latched: as our own nodes offer it
