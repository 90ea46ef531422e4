"""``extreme_parkour``: the public export of Extreme Parkour, a folder with the base trace and, maybe, the vision part.

The files hold networks only. What they are given, and what their output means, is the training's own and is written
here: chengxuxin/extreme-parkour at d2ffe27, and for the Go2's camera change-every/Extreme-Parkour-Onboard at 6f13627.
"""

from __future__ import annotations

import math
from pathlib import Path

from robot_policies.bundle.importers.describe import Description
from robot_policies.bundle.importers.policy import ActionPart, Entry, ForeignPolicy, NetworkSource
from robot_policies.bundle.importers.refusal import refused
from robot_policies.robot_spec import RobotSpec

ACCEPTS = ("robot", "licence", "source")
BASE, VISION = "base_jit.pt", "vision_weight.pt"

LEGS = ("FR", "FL", "RR", "RL")  # the policy's order, after the training's re-indexing; that of Unitree's motors
JOINTS = tuple(f"{leg}_{part}_joint" for leg in LEGS for part in ("hip", "thigh", "calf"))
FEET = tuple(f"{leg}_foot" for leg in LEGS)
# [rad], hip, thigh, calf of each leg
DEFAULT = (-0.1, 0.8, -1.5, 0.1, 0.8, -1.5, -0.1, 1.0, -1.5, 0.1, 1.0, -1.5)
STIFFNESS, DAMPING = 40.0, 1.0  # [N m/rad], [N m s/rad]
TORQUE = (23.7, 23.7, 45.43) * 4  # [N m], of the Go2; the training's are those of the A1
ACTION_SCALE = 0.25  # [rad]
ACTION_CLIP = 4.8  # of the raw output: 1.2 rad
CLIP = 100.0  # of every observation
PHYSICS_DT, DECIMATION = 0.005, 4  # [s]

PERIOD = 5  # ticks between two images, scans or yaw errors
FRAMES, MASK = 10, (6, 7)  # of the history, and what it does not hold: the two yaw errors
CONTACT = 2.0  # [N]
HEADING_LIMIT = 0.6  # [rad], up to which training let the network's own direction stand for the waypoint's
COMMAND = {"lin_vel_x": (0.3, 0.8), "lin_vel_y": (0.0, 0.0), "ang_vel_z": (-1.0, 1.0)}  # [m/s], [m/s], [rad/s]
DEAD_BAND = 0.2  # [m/s], below which training made the command 0
YAW_SCALE = 1.5  # [rad] of the two directions that the depth network predicts

# [m], in the base's upright frame
SCAN_X = tuple(round(-0.45 + 0.15 * i, 2) for i in range(12))
SCAN_Y = tuple(round(-0.75 + 0.15 * i, 2) for i in range(11))
SCAN_CELL = 0.05  # [m], of the training's height field
SCAN_OFFSET, SCAN_CLIP = -0.3, 1.0  # [m]

IMAGE = (58, 87)  # height, width of the network's image
CAMERA = (106, 60)  # [px], width and height of the camera's
HFOV = math.radians(87.0)
CROP = (0, 2, 4, 4)  # rows off the top, bottom, columns off the left, right
FAR = 2.0  # [m]


def read_policy(source: Path, spec: RobotSpec, describe: Description) -> ForeignPolicy:
    """Return the policy whose files lie in the folder ``source``; its networks are read later.

    Raises:
        ImportFormatError: the folder lacks the trace, or a file is there twice.
    """
    base, vision = _file(source, BASE), _file(source, VISION)
    if base is None:
        raise refused(f"{source}: an export of Extreme Parkour", f"no {BASE} in it", f"a folder with {BASE}")
    return ForeignPolicy(
        joint_names=JOINTS,
        default_joint_pos=DEFAULT,
        stiffness=(STIFFNESS,) * len(JOINTS),
        damping=(DAMPING,) * len(JOINTS),
        torque_limit=TORQUE,
        control_dt=PHYSICS_DT * DECIMATION,
        physics_dt=PHYSICS_DT,
        decimation=DECIMATION,
        entries=proprioception(sees=vision is not None),
        clip=(-CLIP, CLIP),
        action=ActionPart(ACTION_SCALE, DEFAULT, (-ACTION_CLIP, ACTION_CLIP), "raw"),
        network=NetworkSource(base),
        command={**COMMAND, "ang_vel_z": (0.0, 0.0)} if vision is not None else COMMAND,
        licence=describe.licence,
        source=describe.source or f"Extreme Parkour export {source.resolve().name}",
        files=(base,) if vision is None else (base, vision),
        notes=_SEES if vision is not None else _BLIND,
    )


def proprioception(sees: bool) -> tuple[Entry, ...]:
    """Return the 53 entries in order; where the policy ``sees``, its own prediction takes the place of 6 and 7."""
    count = len(JOINTS)
    heading = Entry("heading_error", 1, params={"limit": HEADING_LIMIT, "period": PERIOD})
    return (
        Entry("base_ang_vel", 3, 0.25),  # 0-2
        Entry("base_roll_pitch", 2),  # 3, 4
        _constant(0.0),  # 5
        *((_constant(0.0, 0.0),) if sees else (heading, heading)),  # 6, 7: to this waypoint, and to the next
        _constant(0.0, 0.0),  # 8, 9
        Entry("forward_command", 1),  # 10
        _constant(1.0, 0.0),  # 11, 12: parkour, not flat walking
        Entry("joint_pos_rel", count),  # 13-24
        Entry("joint_vel", count, 0.05),  # 25-36
        Entry("last_action", count),  # 37-48
        Entry("foot_contact_held", len(FEET), offset=-0.5, params={"threshold": CONTACT, "feet": list(FEET)}),  # 49-52
    )


def _constant(*values: float) -> Entry:
    return Entry("constant", len(values), params={"value": list(values)})


def _file(source: Path, name: str) -> Path | None:
    """Return the file of ``source`` that ends in ``name``, as exporters put the name of the run before it."""
    found = sorted(path for path in source.glob(f"*{name}") if path.is_file()) if source.is_dir() else []
    if len(found) > 1:
        raise refused(f"{source}: one {name}", ", ".join(path.name for path in found), "a folder with one export")
    return found[0] if found else None


_SEES = (
    "the export states no camera: the place and pitch are those that the training of the Go2 port drew from, on "
    "other robots those of the original; see policy.yaml, depth.depth.pose",
    "the network steers by what it sees; a commanded yaw rate is not used",
    "pixels without return count as far; training had none",
    "the image before the newest one is used, 0.1 s older, as in training",
)
_BLIND = (
    f"there is no {VISION}, so the bundle reads true heights (height_scan): robot-policies eval runs it, no robot can",
    "the operator's yaw rate, summed up from the heading at activation, stands for the waypoints",
)
