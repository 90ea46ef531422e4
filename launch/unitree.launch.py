"""A Unitree robot and a policy: ``ros2 launch robot_policies unitree.launch.py robot:=go2 interface:=eth0``.

Starts what config/bringup/unitree.yaml says; ``--show-args`` lists the arguments. It is a dry run without
``armed:=true``. Nobody stands the robot up here: call ``arm`` and ``stand`` (or use the remote or a teleop), then
configure and activate ``policy_node``.
"""

from launch import LaunchDescription

from robot_policies.nodes.launch_actions import launch_description
from robot_policies.nodes.processes import set_discovery_defaults


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` asks for."""
    set_discovery_defaults()
    return launch_description("unitree")
