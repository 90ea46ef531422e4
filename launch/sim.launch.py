"""A simulated robot and a policy: ``ros2 launch robot_policies sim.launch.py robot:=go2 policy:=go2_walk``.

Starts what config/bringup/sim.yaml says, as ``robot-policies run`` does; ``--show-args`` lists the arguments. Nobody
stands the robot up here: call ``arm`` and ``stand`` (or use a teleop), then configure and activate ``policy_node``.
"""

from launch import LaunchDescription

from robot_policies.nodes.launch_actions import launch_description
from robot_policies.nodes.processes import set_discovery_defaults
from robot_policies.robot_spec import load_robot_spec


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` asks for."""
    set_discovery_defaults()
    return launch_description("sim", urdf)


def urdf(robot: str) -> str:
    """Return the URDF of the robot's model."""
    from sim2real.mujoco.urdf import robot_description
    from sim2real.mujoco.world import build_model

    spec = load_robot_spec(robot)
    return robot_description(spec, build_model(spec))
