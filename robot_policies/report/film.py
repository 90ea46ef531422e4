"""The film strip: which moments, how the robot stood then, and who can draw it.

A simulator draws it: any entry point of the group ``robot_policies.films``, a function as ``Film`` says.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot_policies import resources
from robot_policies.control.recording.history import History
from robot_policies.control.recording.robot_history import Stamps
from robot_policies.exceptions import RobotPoliciesError
from robot_policies.report.charts import Clock
from robot_policies.report.pictures import depth_picture, depth_range, embedded, png_file
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, Mode

AFTER_NS = 2_000_000_000  # [ns] of its last mode that are shown: nothing is seen of a robot that lies still
NEAR_S = 0.1  # [s] from a state to the odometry that may still say where it was


@dataclass(frozen=True)
class Poses:
    """How the robot stood, (k,) moments; ``n`` joints in robot order."""

    position: Array  # (k, 3) [m] of the base in the world; NaN where nobody knows: it then stands on the ground
    quat_wxyz: Array  # (k, 4) rotates base to world
    joint_pos: Array  # (k, n) [rad]


class Film(Protocol):
    """Draws a robot."""

    def __call__(self, spec: RobotSpec, terrain: str | None, poses: Poses) -> list[bytes]:
        """Return one PNG file for each moment.

        Args:
            spec: the robot.
            terrain: name of the ground it stood on; None where nobody knows.
            poses: how it stood.

        Raises:
            RobotPoliciesError: it cannot be drawn here; one line.
        """
        ...


def film_strip(history: History, clock: Clock, count: int, missing: list[str]) -> str:
    """Return the pictures as HTML; "" where there are none, and why is added to ``missing``."""
    films = resources.plugins("films")
    rows = moments(history, count)
    if history.spec is None or not films or not rows:
        if count > 0:
            why = "no simulator is installed" if not films else "no state or no robot file is recorded"
            missing.append(f"film strip: {why}")
        return ""
    terrain = history.arguments.get("terrain")
    poses, reasons = poses_at(history, rows), []
    for name in films:
        try:
            film: Film = resources.plugin("films", name)
            pictures = film(history.spec, terrain if isinstance(terrain, str) and terrain else None, poses)
        except RobotPoliciesError as error:
            reasons.append(" ".join(str(error).split()))
            continue
        return _strip(history, clock, rows, pictures)
    missing.append("film strip: " + "; ".join(reasons))
    return ""


def moments(history: History, count: int) -> list[int]:
    """Return which robot cycles to show: evenly while it was not disarmed, and that of the first trip."""
    robot = history.robot
    awake = [i for i, mode in enumerate(robot.modes) if mode is not Mode.DISARMED] or list(range(len(robot.modes)))
    if not awake or count <= 0:
        return []
    awake = [
        row for row in awake if robot.stamp_ns[row] <= robot.stamp_ns[_last_change(robot.modes)] + AFTER_NS
    ] or awake
    rows = np.array(awake)[np.linspace(0, len(awake) - 1, min(count, len(awake))).astype(int)].tolist()
    trip = next((event for event in robot.events if event.trip), None)
    if trip is not None:
        at = int(np.abs(robot.stamp_ns - trip.stamp_ns).argmin())
        rows[int(np.abs(np.array(rows) - at).argmin())] = at
    return sorted(set(rows))


def _last_change(modes: Sequence[Mode]) -> int:
    return max((i for i in range(1, len(modes)) if modes[i] is not modes[i - 1]), default=len(modes) - 1)


def poses_at(history: History, rows: Sequence[int]) -> Poses:
    """Return how the robot stood in these cycles: where from odometry, and else from the state alone."""
    robot, base = history.robot, history.wire.base
    joint_pos, quat = robot.joint_pos[rows], robot.base_quat_wxyz[rows].copy()
    position = np.full((len(rows), 3), np.nan)
    if base is not None:
        for place, row in enumerate(rows):
            near = _nearest(base.stamp_ns, int(robot.stamp_ns[row]))
            if near is not None:
                position[place], quat[place] = base.position[near], base.quat_wxyz[near]
    return Poses(position, quat, joint_pos)


def depth_strip(history: History, clock: Clock, count: int) -> str:
    """Return what the policy saw, evenly over the run, as HTML; "" where it saw nothing."""
    near, far = depth_range(history.policy.depth)
    parts = []
    for name, seen in history.policy.depth.items():
        with_image = np.flatnonzero(seen.index >= 0)
        if not with_image.size:
            continue
        ticks = with_image[np.linspace(0, with_image.size - 1, min(count, with_image.size)).astype(int)]
        cells = "".join(
            _cell(png_file(depth_picture(seen.images[seen.index[tick]].depth, near, far)), text, "depth")
            for tick in dict.fromkeys(ticks.tolist())
            for text in [f"{clock.second(int(history.policy.stamp_ns[tick])):.2f} s"]
        )
        told = f"depth image {html.escape(name)}: {near:.2f} m bright to {far:.2f} m dark, blue: no return"
        parts.append(f'<p class="note">{told}; {len(seen.images)} images</p><div class="strip">{cells}</div>')
    return "".join(parts)


def _strip(history: History, clock: Clock, rows: Sequence[int], pictures: Sequence[bytes]) -> str:
    trips = [event.stamp_ns for event in history.robot.events if event.trip]
    cells = []
    for row, picture in zip(rows, pictures, strict=True):
        mode, stamp_ns = history.robot.modes[row].value, int(history.robot.stamp_ns[row])
        tripped = " &middot; trip" if any(abs(stamp_ns - trip) < 2e7 for trip in trips) else ""
        cells.append(_cell(picture, f"{clock.second(stamp_ns):.2f} s &middot; {mode}{tripped}", mode))
    return f'<div class="strip">{"".join(cells)}</div>'


def _cell(picture: bytes, text: str, kind: str) -> str:
    return (
        f'<figure class="cell {kind}"><img alt="" src="{embedded(picture)}"/><figcaption>{text}</figcaption></figure>'
    )


def _nearest(stamps: Stamps, stamp_ns: int) -> int | None:
    place = int(np.searchsorted(stamps, stamp_ns))
    near = min((i for i in (place - 1, place) if 0 <= i < stamps.size), key=lambda i: abs(int(stamps[i]) - stamp_ns))
    return near if abs(int(stamps[near]) - stamp_ns) <= NEAR_S * 1e9 else None
