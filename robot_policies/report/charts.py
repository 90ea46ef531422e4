"""The charts over time: velocities, attitude, joints."""

from __future__ import annotations

import numpy as np

from robot_policies.control.recording.history import History
from robot_policies.control.recording.robot_history import Stamps
from robot_policies.report.svg import Line, chart
from robot_policies.types import Array

ASKED, MEASURED, SENT, TRUE = "#1c7ed6", "#2f9e44", "#f08c00", "#adb5bd"  # the first two as in the viewer
WIDE, TALL = 1140, 130  # [px]
JOINT_WIDE, JOINT_TALL = 372, 116  # [px], three in a row
DRAWN_MARGIN = 1e-4  # [rad]: closer than this, the sent target is the asked one, and is not drawn over it

Span = tuple[float, float]


class Clock:
    """The page's time axis: seconds since the first state."""

    def __init__(self, history: History) -> None:
        """Take the first and the last stamp of a recording."""
        self._start_ns = history.start_ns
        ends = [int(part.stamp_ns.max()) for part in (history.robot, history.policy) if part.stamp_ns.size]
        self.span: Span = (0.0, max((max(ends) - self._start_ns) / 1e9, 0.01))

    def seconds(self, stamps: Stamps) -> Array:
        """Return stamps as seconds."""
        return np.asarray((stamps - self._start_ns) / 1e9, dtype=np.float64)

    def second(self, stamp_ns: int) -> float:
        """Return one stamp as seconds."""
        return (stamp_ns - self._start_ns) / 1e9


def velocities(history: History, clock: Clock) -> str:
    """Return the three charts of velocities: asked, measured, and the simulator's word where it has one."""
    robot, policy, truth = history.robot, history.policy, history.wire.truth
    asked_at, measured_at = clock.seconds(policy.stamp_ns), clock.seconds(robot.stamp_ns)
    parts = []
    for axis, (title, unit) in enumerate((("forward (x)", "m/s"), ("left (y)", "m/s"), ("turn (about z)", "rad/s"))):
        lines = []
        if truth is not None:
            true = truth.ang_vel[:, 2] if axis == 2 else truth.lin_vel[:, axis]
            lines.append(Line("true (simulator)", clock.seconds(truth.stamp_ns), true, TRUE, 2.4))
        measured = robot.base_ang_vel[:, 2:3] if axis == 2 else robot.base_lin_vel[:, axis : axis + 1]
        if measured.shape[1]:
            lines.append(Line("measured", measured_at, measured[:, 0], MEASURED))
        if policy.velocity.shape[1]:
            lines.append(Line("asked", asked_at, policy.velocity[:, axis], ASKED, 1.8))
        parts.append(chart(title, unit, lines, clock.span, (WIDE, TALL)))
    return "".join(parts)


def attitude(history: History, clock: Clock) -> str:
    """Return the chart of roll and pitch [deg], and that of the base's height where it is known."""
    robot, base = history.robot, history.wire.base
    text = ""
    if robot.base_quat_wxyz.shape[1] == 4:
        roll, pitch = np.degrees(roll_pitch(robot.base_quat_wxyz))
        at = clock.seconds(robot.stamp_ns)
        lines = [Line("roll", at, roll, "#9c36b5"), Line("pitch", at, pitch, "#0c8599")]
        text += chart("roll and pitch", "deg", lines, clock.span, (WIDE, TALL))
    if base is not None:
        height = [Line(base.source.strip("/"), clock.seconds(base.stamp_ns), base.position[:, 2], MEASURED)]
        text += chart("height of the base", "m", height, clock.span, (WIDE, TALL))
    return text


def joints(history: History, clock: Clock) -> str:
    """Return one chart for each joint: target of the policy, what was sent instead where it differs, position."""
    robot, policy, spec = history.robot, history.policy, history.spec
    robot_at, policy_at = clock.seconds(robot.stamp_ns), clock.seconds(policy.stamp_ns)
    parts = []
    for index, name in enumerate(history.joint_names()):
        lines = []
        if robot.sent.shape[1] > index:
            lines.append(Line("sent", robot_at, _where_changed(robot.asked, robot.sent, index), SENT, 1.6))
        if policy.target.shape[1] > index:
            lines.append(Line("target", policy_at, policy.target[:, index], ASKED, 1.0))
        if robot.joint_pos.shape[1] > index:
            lines.append(Line("position", robot_at, robot.joint_pos[:, index], MEASURED, 1.2))
        known = spec is not None and len(spec.joint_names) > index
        limits = (float(spec.joint_lower[index]), float(spec.joint_upper[index])) if spec and known else ()
        parts.append(chart(name, "rad", lines, clock.span, (JOINT_WIDE, JOINT_TALL), limits))
    return "".join(parts)


def roll_pitch(quat_wxyz: Array) -> tuple[Array, Array]:
    """Return roll and pitch (k,) [rad] of orientations (k, 4), as of REP 103: about x, then about y."""
    w, x, y, z = quat_wxyz.T
    roll = np.arctan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    return roll, np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0))


def _where_changed(asked: Array, sent: Array, index: int) -> Array:
    """Return what was sent where it is not what the policy asked for: in a stand, a landing, or clamped."""
    if asked.shape[1] <= index:
        return sent[:, index]
    same = np.abs(asked[:, index] - sent[:, index]) < DRAWN_MARGIN
    return np.where(same, np.nan, sent[:, index])
