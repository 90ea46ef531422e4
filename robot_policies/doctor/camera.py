"""The depth camera: its SDK, the libusb that it needs, devices, and how fast their port is."""

from __future__ import annotations

import json
import sys

from robot_policies.cameras.realsense import devices
from robot_policies.doctor.finding import Finding, child
from robot_policies.exceptions import RobotPoliciesError

LIMIT = 10.0  # [s]; the SDK asks every USB device
MODULE = "robot_policies.doctor.camera"


def camera(wanted: bool) -> Finding:
    """Which RealSense devices there are, asked in a process of its own; none is well only where none is wanted."""
    try:
        found = child(MODULE, limit=LIMIT)["devices"]
    except RobotPoliciesError as error:
        text, _, todo = str(error).partition("; valid: ")
        return Finding("camera", "WARN", text, todo or "unplug it, then again")
    if not found:
        todo = "plug it into a USB 3 port; udev rules of librealsense, if it is"
        return Finding("camera", "WARN" if wanted else "OK", "no RealSense device", todo if wanted else "")
    text = ", ".join(f"{name} {serial} on USB {usb or 'unknown'}" for name, serial, usb in found)
    if any(usb.startswith("2") for _, _, usb in found):
        return Finding("camera", "WARN", text, "a USB 3 port and cable: USB 2 has no 848x480 at 30 Hz")
    return Finding("camera", "OK", text)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps({"devices": devices()}) + "\n")
    except RobotPoliciesError as error:
        sys.exit(str(error))
