"""Bundles whose numbers are not for this robot, or contradict each other.

Each is refused whole, with what was asked, what was found, and what would be valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.broken import DEPTH, Broken, both, camera, put
from helpers.bundles import edit

X = "commands/velocity/lin_vel_x"
JOINTS = [f"{leg}_{part}_joint" for leg in ("RL", "RR", "FL", "FR") for part in ("calf", "thigh", "hip")]

BROKEN: Broken = {
    "another robot": (put("robot", "g1"), "robot: go2, the robot asked for; found g1; valid: a bundle for go2"),
    "unknown kind": (
        put("kind", "acrobatics"),
        "kind: a kind of policy that is installed; found acrobatics; valid: .*velocity",
    ),
    "unknown joint": (
        put("joints/names/0", "FR_hip"),
        "every joint of the robot, once; found unknown FR_hip; missing RL_calf_joint; valid: FR_hip_joint, ",
    ),
    "a joint twice": (
        put("joints/names/0", JOINTS[1]),
        f"joints.names: each name once; found {JOINTS[1]} twice; valid: unique names",
    ),
    "default pose outside": (
        put("joints/default_joint_pos/0", 0.0),
        "joints.default_joint_pos: RL_calf_joint within the robot's limits; found 0 rad; valid: -2.7227 to ",
    ),
    "start pose outside": (
        put("limits/start/joint_pos/2", 1.2),
        "limits.start.joint_pos: RL_hip_joint within the robot's limits; found 1.2 rad; valid: -1.0472 to 1.0472 rad",
    ),
    "torque above the robot's": (
        put("joints/torque_limit/1", 30.0),
        "joints.torque_limit: RL_thigh_joint within the robot's; found 30 N m; valid: at most 23.7 N m",
    ),
    "too fast for the robot": (
        put("timing", {"control_dt": 0.004}),
        "timing.control_dt: at least one period of the states of go2; found 0.004 s; valid: 0.005 s or more",
    ),
    "control_dt that is no product": (
        put("timing/decimation", 5),
        r"timing.control_dt: physics_dt \* decimation; found 0.02 against 0.005 \* 5 = 0.025; valid: 0.025",
    ),
    "too few gains": (
        put("joints/stiffness", [20.0]),
        "joints.stiffness: one number per joint; found 1 numbers; valid: 12 numbers",
    ),
    "too many start positions": (
        put("limits/start/joint_pos", [0.0] * 13),
        "limits.start.joint_pos: one number per joint; found 13 numbers; valid: 12",
    ),
    "action scale of another size": (
        put("action/scale", [0.25] * 11),
        "action.scale: one number, or one per entry; found 11 numbers; valid: 1 or 12 numbers",
    ),
    "action clip of another size": (
        put("action/clip", [[-1.0] * 12, [1.0] * 3]),
        "action.clip: one number, or one per entry; found 3 numbers; valid: 1 or 12",
    ),
    "action clip reversed": (
        put("action/clip", [1.0, -1.0]),
        r"action.clip: low, then high; found \[1.0, -1.0\]; valid: low at most high",
    ),
    "last action of no filter": (
        put("action/last_action", "filtered"),
        "action.last_action: filtered; found no action.filter; valid: raw, clipped, or a filter",
    ),
    "last action of no clip": (
        both(put("action/clip", None), put("action/last_action", "clipped")),
        "action.last_action: clipped; found action.clip null; valid: raw, or a clip",
    ),
    "range reversed": (
        put(f"{X}/range", [1.0, -0.5]),
        r"lin_vel_x.range: low, then high; found \[1.0, -0.5\]; valid: low at most high",
    ),
    "dead band over the range": (
        put(f"{X}/dead_band", 1.5),
        "lin_vel_x.dead_band: within the range; found 1.5; valid: at most 1",
    ),
    "delay reversed": (put("delays", {"state": [0.02, 0.01]}), "delays.state: low, then high; found"),
    "no command": (
        put("commands", {}),
        "commands.velocity, for a term velocity_command; found none; valid: ranges of lin_vel_x",
    ),
    "no limit of the state": (
        put("limits/inputs/state", ...),
        "limits.inputs.state: the oldest that this input may be; found none; valid: max_age and lost",
    ),
    "a state that may be lost": (
        put("limits/inputs/state/lost", "zero"),
        "limits.inputs.state.lost; found zero; valid: landing",
    ),
    "two words for an absent command": (
        put("commands/velocity/absent", "landing"),
        "the same as commands.velocity.absent; found zero against landing; valid: one word for both",
    ),
    "a limit of no camera": (
        put("limits/inputs/depth", {"max_age": 0.2, "lost": "landing"}),
        "limits.inputs.depth; found a limit, but no such input",
    ),
    "a camera that the robot has not": (
        camera(sensor="kinect"),
        "depth.front.sensor: a camera of go2; found kinect; valid: d435",
    ),
    "an image without end": (
        camera(size=[4, 5000]),
        "depth.front: sides of images; found 5000 px; valid: at most 4096 px",
    ),
    "near beyond far": (camera(near=2.0), "depth.front.near: below far; found 2 and 2; valid: near < far"),
    "a crop of three numbers": (
        camera(crop=[0, 0, 1]),
        "depth.front.crop: top, bottom, left, right; found 3 numbers; valid: 4 numbers",
    ),
    "a crop larger than the image": (
        camera(crop=[2, 2, 0, 0]),
        "depth.front.crop: rows that are left; found 4 off 4; valid: at most 3 off",
    ),
    "a crop wider than the image": (
        camera(crop=[0, 0, 4, 3]),
        "depth.front.crop: columns that are left; found 7 off 6; valid: at most 5 off",
    ),
    "a camera named as a group": (
        both(camera(), lambda f: edit(f, lambda data: data.update(depth={"policy": DEPTH}))),
        "depth: names that no observation has; found policy; valid: other names",
    ),
    "a camera without a limit": (
        put("depth", {"front": DEPTH}),
        "limits.inputs.depth: the oldest that this input may be; found none",
    ),
    "a camera delay reversed": (camera(delay=[0.2, 0.1]), "depth.front.delay: low, then high; found"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_refused_with_what_was_asked_found_and_valid(what: str, folder: Path, refused: Callable[[Path], str]) -> None:
    breaker, message = BROKEN[what]
    breaker(folder)
    said = refused(folder)
    assert re.search(message, said), said
    assert all("tiny" in line.split(": ")[0] for line in said.splitlines()), said
