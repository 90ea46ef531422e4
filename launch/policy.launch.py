"""A policy for a robot node that runs already: ``ros2 launch robot_policies policy.launch.py policy:=go2_walk``.

Starts what config/bringup/policy.yaml says; ``--show-args`` lists the arguments. The robot must stand before
``policy_node`` is activated.
"""

from launch import LaunchDescription

from robot_policies.nodes.launch_actions import launch_description
from robot_policies.nodes.processes import set_discovery_defaults


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` asks for."""
    set_discovery_defaults()
    return launch_description("policy")
