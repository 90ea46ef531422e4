"""A bring-up description as launch actions, for the files of ``launch/``. Needs ``launch_ros``: a sourced ROS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from robot_policies.bundle.load import load_bundle
from robot_policies.nodes.bringup import Process, Value, load_bringup
from robot_policies.nodes.recording_place import recording_folder
from robot_policies.robot_spec import load_robot_spec

PACKAGE = "robot_policies"
NAMESPACE = "namespace"

Description = Callable[[str], str]  # name of a robot -> URDF


def launch_description(bringup_name: str, urdf: Description | None = None) -> LaunchDescription:
    """Return a launch description that starts what ``robot-policies run`` starts for the same bring-up.

    Args:
        bringup_name: a file of ``config/bringup``; its arguments become launch arguments.
        urdf: gives the URDF of the robot; with it, robot_state_publisher runs where it is installed.
    """
    bringup = load_bringup(bringup_name)
    defaults = {**bringup.arguments, NAMESPACE: ""}
    declared = [DeclareLaunchArgument(name, default_value=_text(value)) for name, value in defaults.items()]

    def actions(context: LaunchContext) -> list[Any]:
        given = {name: LaunchConfiguration(name).perform(context) for name in defaults}
        bringup.resolve(given)
        # A wrong name is told before anything is started.
        load_bundle(given["policy"], load_robot_spec(given["robot"]))
        said: list[str] = []
        folder = recording_folder(bringup, given, said.append)
        said += [f"recording into {folder}"] if folder else []
        nodes = [LogInfo(msg=text) for text in said]
        nodes += [node_action(process) for process in bringup.resolve(given, folder)]
        return nodes if urdf is None else nodes + state_publisher(urdf(given["robot"]), given[NAMESPACE])

    return LaunchDescription([*declared, OpaqueFunction(function=actions)])


def node_action(process: Process) -> Node:
    """Return the action that starts one process; the launch ends with a required one."""
    options: dict[str, Any] = {
        "package": PACKAGE,
        "executable": process.executable,
        "name": process.name,
        "namespace": process.namespace,
        "parameters": [dict(process.parameters)],
        "remappings": list(process.remappings.items()),
        "output": "screen",
    }
    if process.required:
        options["on_exit"] = _end_of_all(process.name)
    return LifecycleNode(**options) if process.lifecycle else Node(**options)


def _end_of_all(name: str) -> Callable[[Any, LaunchContext], list[Any] | None]:
    def on_exit(event: Any, context: LaunchContext) -> list[Any] | None:
        # Shut down once: a second time, launch_ros complains about what it has closed already.
        return None if context.is_shutdown else [Shutdown(reason=f"{name} has ended")]

    return on_exit


def state_publisher(urdf: str, namespace: str) -> list[Any]:
    """Return robot_state_publisher for TF, where it is installed."""
    package = "robot_state_publisher"
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        return []
    return [
        Node(
            package=package,
            executable=package,
            namespace=namespace,
            parameters=[{"robot_description": ParameterValue(urdf, value_type=str)}],
            # The robot node publishes the same text under this name.
            remappings=[("robot_description", f"{package}/robot_description")],
            output="screen",
        )
    ]


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
