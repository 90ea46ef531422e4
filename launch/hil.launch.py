"""A hardware driver against a firmware peer, and a policy: ``ros2 launch robot_policies hil.launch.py robot:=go2``.

Starts what config/bringup/hil.yaml says, as ``robot-policies demo --wire`` does; ``--show-args`` lists the arguments.
Nobody stands the robot up here: call ``arm`` and ``stand`` (or use a teleop), then configure and activate
``policy_node``.
"""

from launch import LaunchDescription

from robot_policies.nodes.launch_actions import launch_description
from robot_policies.nodes.processes import set_discovery_defaults


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` asks for."""
    set_discovery_defaults()
    return launch_description("hil")
