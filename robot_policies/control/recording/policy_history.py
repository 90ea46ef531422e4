"""The policy half over time: targets, commands, images, and how old and how long everything was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot_policies.control.recording.columns import Columns, flat, stamp
from robot_policies.control.recording.journal import BEGIN
from robot_policies.control.recording.robot_history import Event, Stamps
from robot_policies.control.recording.steps import Call
from robot_policies.types import Array, Array32, DepthImage, PolicyRecord, RobotState

STAGES = ("observation", "inference", "decoding")
_TABLES = ("target", "velocity", "durations", "joint_pos", "joint_vel", "base", "foot_force")


@dataclass(frozen=True)
class Images:
    """What a policy saw of one depth input."""

    index: Stamps  # (k,) which image each tick was given; -1 for none
    newest: Stamps  # (k,) the last one that it had been given by then; -1 before the first
    age: Array  # (k,) [s], state's stamp - image's
    images: tuple[DepthImage, ...]  # each once, in the order of their use


@dataclass(frozen=True)
class PolicyHistory:
    """Rows are ticks, ``n`` joints in robot order; NaN where a tick has no such value."""

    robot: str  # name of the robot file
    bundles: tuple[str, ...]
    control_dt: float  # [s]; 0 where it is not known
    stamp_ns: Stamps  # (k,), of the state
    tick: Stamps  # (k,), 0 at each activation
    target: Array  # (k, n) [rad]
    velocity: Array  # (k, 3) velocity command [m/s, m/s, rad/s]
    durations: Array  # (k, 3) [s] of STAGES
    state_age: Array  # (k,) [s], robot's clock at the tick - stamp; NaN where time stood still
    velocity_age: Array  # (k,) [s], state's stamp - velocity command's
    depth: dict[str, Images]  # by name of the depth input
    joint_pos: Array  # (k, n) [rad], as the policy read it
    joint_vel: Array  # (k, n) [rad/s]
    base: Array  # (k, 10) quat_wxyz, angular velocity [rad/s], proper acceleration [m/s^2], in the base frame
    foot_force: Array  # (k, feet) [N]
    groups: tuple[dict[str, Array32], ...]  # (k,) observations as the networks read them
    events: tuple[Event, ...] = ()  # ticks that were refused, switches


@dataclass
class _Sight:
    index: list[int] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    images: list[DepthImage] = field(default_factory=list)

    def note(self, row: int, image: DepthImage, stamp_ns: int) -> None:
        """Take the image of tick ``row``."""
        self.fill(row)
        if not self.images or self.images[-1].stamp_ns != image.stamp_ns:
            self.images.append(image)
        self.index.append(len(self.images) - 1)
        self.ages.append((stamp_ns - image.stamp_ns) / 1e9)

    def fill(self, rows: int) -> None:
        """Say that the ticks up to here had none."""
        lacking = rows - len(self.index)
        self.index.extend([-1] * lacking)
        self.ages.extend([float("nan")] * lacking)


class PolicyReader:
    """Takes the calls of the policy half."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._facts: dict[str, Any] = {}
        self._rows = Columns()
        self._stamps: list[int] = []
        self._ticks: list[int] = []
        self._sights: dict[str, _Sight] = {}
        self._groups: list[dict[str, Array32]] = []
        self._events: list[Event] = []

    def take(self, call: Call) -> None:
        """Add what ``call`` shows."""
        if call.name == BEGIN:
            self._facts = dict(call.named)
        elif call.name == "__call__":
            self._tick(call)
        elif call.name == "switch" and self._stamps:
            self._events.append(Event(self._stamps[-1], f"switch to {call.args[0]}", call.error or ""))

    def _tick(self, call: Call) -> None:
        record = call.result
        if not isinstance(record, PolicyRecord):
            state = call.args[0].state
            self._events.append(Event(stamp(state.stamp_ns), "tick refused", call.error or "", refused=True))
            return
        inputs, state = record.inputs, record.inputs.state
        if not isinstance(state, RobotState):
            raise TypeError("a tick without a state")
        stamp_ns, tick = stamp(state.stamp_ns), stamp(record.tick)
        now_ns = call.args[1] if len(call.args) > 1 else call.named.get("now_ns")
        velocity = inputs.velocity_command
        depth = {name: _checked(image) for name, image in inputs.depth.items()}
        groups = {name: np.asarray(value, np.float32) for name, value in record.observation.groups.items()}
        self._rows.add(
            target=record.command.joint_pos,
            velocity=None if velocity is None else (velocity.lin_vel_x, velocity.lin_vel_y, velocity.ang_vel_z),
            durations=[value / 1e9 for value in record.durations_ns],
            state_age=None if now_ns is None else (stamp(now_ns) - stamp_ns) / 1e9,
            velocity_age=None if velocity is None else (stamp_ns - stamp(velocity.stamp_ns)) / 1e9,
            joint_pos=state.joint_pos,
            joint_vel=state.joint_vel,
            base=np.concatenate([state.base_quat_wxyz, state.base_ang_vel, state.base_lin_acc]),
            foot_force=state.foot_force,
        )
        row = len(self._stamps)
        for name, image in depth.items():
            self._sights.setdefault(name, _Sight()).note(row, image, stamp_ns)
        self._stamps.append(stamp_ns)
        self._ticks.append(tick)
        self._groups.append(groups)

    def history(self) -> PolicyHistory:
        """Return everything so far."""
        table, facts = self._rows.array, self._facts
        bundles, dt_ns = facts.get("bundles", ()), facts.get("control_dt_ns", 0)
        for sight in self._sights.values():
            sight.fill(len(self._stamps))
        return PolicyHistory(
            robot=str(facts.get("robot", "")),
            bundles=tuple(str(name) for name in bundles) if isinstance(bundles, (tuple, list)) else (),
            control_dt=dt_ns / 1e9 if isinstance(dt_ns, int) and dt_ns > 0 else 0.0,
            stamp_ns=np.array(self._stamps, dtype=np.int64),
            tick=np.array(self._ticks, dtype=np.int64),
            **{name: table(name) for name in _TABLES},
            **{name: flat(table(name)) for name in ("state_age", "velocity_age")},
            depth={name: _images(sight) for name, sight in self._sights.items()},
            groups=tuple(self._groups),
            events=tuple(self._events),
        )


def _images(sight: _Sight) -> Images:
    index = np.array(sight.index, dtype=np.int64)
    return Images(index, np.maximum.accumulate(index), np.array(sight.ages), tuple(sight.images))


def _checked(image: Any) -> DepthImage:
    if not isinstance(image, DepthImage) or image.depth.ndim != 2 or not image.depth.size or stamp(image.stamp_ns) < 0:
        raise TypeError("a depth image that is none")
    return image
