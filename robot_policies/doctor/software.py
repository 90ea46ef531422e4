"""Versions, bundles, and the files of the robot."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from robot_policies import resources
from robot_policies.bundle.load import load_bundle, read_contract
from robot_policies.doctor.finding import Finding
from robot_policies.exceptions import RobotPoliciesError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety

PYTHONS = ((3, 10), (3, 13))  # oldest and newest that the project runs on
NEEDED = ("numpy", "onnxruntime", "pydantic", "PyYAML")
OPTIONAL = ("mujoco", "viser", "cyclonedds", "unitree-sdk2py-dimos", "pyrealsense2")
PROVEN = {"cyclonedds": "11.0.1", "unitree-sdk2py-dimos": "1.0.3", "pyrealsense2": "2.59.1.11053"}  # setup.py's extras


def versions() -> Finding:
    """Python and what the package needs; SDKs in the version that the drivers were proven with."""
    told = {name: _version(name) for name in (*NEEDED, *OPTIONAL)}
    python = sys.version_info[:2]
    found = ", ".join(
        [f"Python {python[0]}.{python[1]}", *(f"{name} {number}" for name, number in told.items() if number)]
    )
    if not PYTHONS[0] <= python <= PYTHONS[1]:
        return Finding("versions", "FAIL", found, "a Python from 3.10 to 3.13")
    missing = [name for name in NEEDED if not told[name]]
    if missing:
        return Finding("versions", "FAIL", f"{found}; not {', '.join(missing)}", f"pip install {' '.join(missing)}")
    other = [f"{name}=={number}" for name, number in PROVEN.items() if told[name] not in ("", number)]
    if other:
        return Finding(
            "versions", "WARN", found, f"pip install --no-deps {' '.join(other)}: the versions that were tried"
        )
    return Finding("versions", "OK", found)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def robot_files(name: str) -> Finding:
    """Whether the robot's own file and its safety file can be read. Raises ``RobotPoliciesError`` where not."""
    spec = load_robot_spec(name)
    load_safety(name, spec)
    found = f"{name}: {len(spec.joint_names)} joints at {spec.state_rate:g} Hz, and its safety file"
    return Finding("robot files", "OK", found)


def bundles(robot: str | None) -> Finding:
    """Whether every bundle that is found loads, for the robot that it names; of ``robot`` only, where one is given."""
    good, bad = [], []
    for name, folder in resources.listing("bundles"):
        try:
            for_robot = read_contract(folder).robot
            if robot in (None, for_robot):
                load_bundle(folder, load_robot_spec(for_robot))
                good.append(name)
        except RobotPoliciesError as error:
            bad.append(f"{name}: {str(error).splitlines()[0]}")
    if bad:
        return Finding("bundles", "FAIL", "; ".join(bad), "robot-policies check NAME says all")
    if not good:
        return Finding("bundles", "WARN", f"none for {robot or 'any robot'}", "robot-policies list bundles")
    return Finding("bundles", "OK", f"{', '.join(good)} can be loaded")
