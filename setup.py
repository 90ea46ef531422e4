"""The distribution robot_policies: an ament_python package that pip and colcon build alike."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "robot_policies"

# Where `ros2 run` and `ros2 launch` look for executables is lib/robot_policies. pip puts console scripts into bin only,
# so the files of scripts/ go there as data; colcon puts both there, and they do the same.
NODES = {
    "robot_node": "robot_policies.nodes.robot_node:main",
    "policy_node": "robot_policies.nodes.policy_node:main",
    "teleop_node": "robot_policies.nodes.teleop_node:main",
    "waypoint_node": "robot_policies.nodes.waypoint_node:main",
    "viewer_node": "robot_policies.nodes.viewer_node:main",
    "depth_camera_node": "sim2real.bridges.depth_camera_node:main",
    "camera_node": "robot_policies.nodes.camera_node:main",
    "recorder_node": "robot_policies.nodes.recorder_node:main",
    "firmware_node": "sim2real.bridges.firmware_node:main",
}
ENTRY_POINTS = {
    "console_scripts": [
        "robot-policies = robot_policies.cli.main:main",
        *(f"{name} = {target}" for name, target in NODES.items()),
    ],
    # Verbs: modules with HELP, add_arguments(parser) and main(args) -> exit code.
    "robot_policies.commands": [
        "run = robot_policies.cli.run",
        "demo = robot_policies.cli.demo",
        "list = robot_policies.cli.list",
        "check = robot_policies.cli.check",
        "import = robot_policies.cli.import_",
        "replay = robot_policies.cli.replay",
        "report = robot_policies.cli.report",
        "export = robot_policies.cli.export",
        "view = robot_policies.cli.view",
        "doctor = robot_policies.cli.doctor",
        "bench = sim2real.benchmark.command",
        "eval = sim2real.evaluation.command",
        "faults = sim2real.faults.command",
        "firmware = sim2real.firmware.command",
        "golden = sim2real.evaluation.golden_command",
        "train = sim2real.training.command",
    ],
    "robot_policies.robots": [
        "mock = robot_policies.robots.mock:create",
        "mujoco = sim2real.mujoco.robot:create",
        "mujoco_faults = sim2real.faults.robot:create",
        "unitree = robot_policies.robots.unitree:create",
        "unitree_legged = robot_policies.robots.unitree_legged:create",
    ],
    "robot_policies.cameras": [
        "mujoco = sim2real.mujoco.depth_camera:create",
        "realsense = robot_policies.cameras.realsense:create",
    ],
    "robot_policies.films": [
        "mujoco = sim2real.mujoco.film:pictures",
    ],
    "robot_policies.policies": [
        "velocity = robot_policies.policies.velocity:VelocityPolicy",
        "parkour = robot_policies.policies.parkour:ParkourPolicy",
    ],
}
ROS = [  # ROS 2 Jazzy from wheels, for where no ROS is sourced
    "ros-jazzy-rclpy==7.1.6",
    "ros-jazzy-rmw-fastrtps-cpp==8.4.3",
    "ros-jazzy-common-interfaces==5.3.6",
    "ros-jazzy-lifecycle-msgs==2.0.3",
]


def data_files() -> list[tuple[str, list[str]]]:
    """Return what goes below the prefix: the ament index marker, share/ and lib/."""
    share = Path("share") / NAME
    shipped = ["package.xml"] + [
        path.as_posix()
        for folder in ("config", "launch", "bundles")
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    folders: dict[str, list[str]] = {}
    for path in shipped:
        folders.setdefault((share / path).parent.as_posix(), []).append(path)
    return [
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        *folders.items(),
        (f"lib/{NAME}", [f"scripts/{name}" for name in ("robot-policies", *NODES)]),
    ]


setup(
    name=NAME,
    version="0.1.0",
    description="Runs learned policies on robots: bundles that carry their contract, ROS 2 nodes, safety, simulators",
    long_description="See README.md in the repository.",
    license="Apache-2.0",
    maintainer="robot_policies maintainers",
    maintainer_email="maintainers@robot-policies.example",
    packages=find_packages(include=["robot_policies", "robot_policies.*", "sim2real", "sim2real.*"]),
    package_data={"robot_policies": ["py.typed"], "sim2real": ["py.typed", "**/*.xml", "**/*.yaml"]},
    data_files=data_files(),
    entry_points=ENTRY_POINTS,
    python_requires=">=3.10",
    install_requires=[
        "PySDL2>=0.9.17",
        "PyYAML>=6.0",
        "mcap>=1.6,<2",
        "mujoco>=3.17,<4",
        "numpy>=1.26",
        "onnx>=1.17",
        "onnxruntime>=1.20",
        "pydantic>=2.10,<3",
        "pysdl2-dll>=2.32",
        "rich>=11.2",
        "typing_extensions>=4.12",
        "viser>=1.1,<2",
        "zstandard>=0.22",
    ],
    extras_require={
        "ros": ROS,
        "unitree": ["cyclonedds==11.0.1", "unitree-sdk2py-dimos==1.0.3"],  # the second asks for OpenCV, and needs none
        "train": ["torch==2.13.0", "rsl-rl-lib==5.5.1", "tensorboard", "matplotlib>=3.10"],
        "realsense": ["pyrealsense2==2.59.1.11053"],  # needs libusb-1.0-0 of the system
        "gpu": ["mujoco-warp==3.17.0", "warp-lang==1.19.0"],  # of the same number as mujoco
        "test": ["pytest>=7.4,<8.4", "hypothesis"],  # launch_testing and launch_pytest break at pytest 8.4
    },
    zip_safe=False,
)
