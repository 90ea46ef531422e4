"""Whether the SDK is there, and in the version that this driver was proven with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from robot_policies.exceptions import RobotError, expected

NEEDED = {"cyclonedds": "11.0.1", "unitree-sdk2py-dimos": "1.0.3"}
INSTALL = "pip install --no-deps " + " ".join(f"{name}=={number}" for name, number in NEEDED.items())


def check_sdk() -> None:
    """Raise ``RobotError`` where a package is missing or of another version; it says what to install."""
    for name, number in NEEDED.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "not installed"
        if found != number:
            asked = f"backend unitree: the Python package {name} {number}"
            raise RobotError(expected(asked, found, INSTALL))
