"""What a policy saw and did, as episodes for learning: one from each activation to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.control.recording.history import History, read_history
from robot_policies.control.recording.policy_history import Images
from robot_policies.exceptions import RecordingError, expected

Value = npt.NDArray[Any]
Frame = dict[str, Value]
BASE = ("quat_w", "quat_x", "quat_y", "quat_z", *(f"ang_vel_{a}" for a in "xyz"), *(f"lin_acc_{a}" for a in "xyz"))
DEPTH, NETWORK = "observation.depth.", "observation.network."
VELOCITY = ("lin_vel_x", "lin_vel_y", "ang_vel_z")


@dataclass(frozen=True)
class Feature:
    """One value of every frame."""

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class Episodes:
    """The episodes of one recording.

    Attributes:
        robot: its name.
        fps: ticks per second.
        features: of every frame, by name.
        rows: of ``history.policy``, one tuple for each episode.
        notes: what differs from what a reader would expect, one line each.
    """

    history: History
    robot: str
    fps: int
    features: dict[str, Feature]
    rows: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...]

    def frames(self, episode: int) -> Iterator[Frame]:
        """Return the frames of an episode."""
        start_ns = int(self.history.policy.stamp_ns[self.rows[episode][0]])
        return (_frame(self.history, row, self.features, start_ns) for row in self.rows[episode])


def read_episodes(run: Path) -> Episodes:
    """Return the episodes of a recording.

    Raises:
        RecordingError: no policy step can be read, or the recording does not say its control_dt.
    """
    history = read_history(run)
    policy = history.policy
    if not policy.stamp_ns.size or policy.control_dt <= 0.0:
        found = "; ".join([line for line in history.missing if "policy" in line][:2]) or "none"
        raise RecordingError(expected(f"{run.name}: policy steps with their control_dt", found, "a run with a policy"))
    fps = round(1.0 / policy.control_dt)
    features, notes = _features(history), list(history.missing)
    if abs(fps * policy.control_dt - 1.0) > 1e-6:
        notes.append(f"control_dt {policy.control_dt:g} s is no whole number of frames a second: {fps} is used")
    rows = _episodes(history, features)
    lost = int(policy.stamp_ns.size) - sum(len(episode) for episode in rows)
    if lost:
        notes.append(f"ticks left out: {lost}, which lack a value that the others have")
    late = _late(history, rows)
    if late:
        notes.append(f"steps longer than control_dt: {late}; frames are even, observation.robot_time has the true time")
    if not rows:
        raise RecordingError(f"{run.name}: nothing to export: {'; '.join(notes[:3])}")
    robot = str(history.facts.get("robot") or policy.robot or "unknown")
    return Episodes(history, robot, fps, features, tuple(rows), tuple(notes))


def same_features(runs: Sequence[Episodes]) -> None:
    """Check that several recordings fit into one data set.

    Raises:
        RecordingError: they differ in robot, rate or features; names which.
    """
    first = runs[0]
    for other in runs[1:]:
        for what, one, two in (("robot", first.robot, other.robot), ("rate", first.fps, other.fps)):
            if one != two:
                raise RecordingError(expected(f"{other.history.run.name}: the same {what}", two, str(one)))
        if first.features != other.features:
            names = sorted(
                name
                for name in first.features.keys() | other.features.keys()
                if first.features.get(name) != other.features.get(name)
            )
            raise RecordingError(
                expected(
                    f"{other.history.run.name}: the same features", f"others: {', '.join(names)}", "runs of one kind"
                )
            )


def _features(history: History) -> dict[str, Feature]:
    policy, joints = history.policy, history.joint_names()
    positions, speeds = tuple(f"{name}.pos" for name in joints), tuple(f"{name}.vel" for name in joints)
    feet = policy.foot_force.shape[1]
    features = {
        "action": Feature("float32", (len(joints),), positions),
        "observation.state": Feature("float32", (2 * len(joints),), (*positions, *speeds)),
        "observation.base": Feature("float32", (len(BASE),), BASE),
        "observation.velocity_command": Feature("float32", (3,), VELOCITY),
        "observation.robot_time": Feature("float32", (1,), ("s",)),
    }
    if feet:
        names = history.spec.feet if history.spec and len(history.spec.feet) == feet else None
        features["observation.foot_force"] = Feature("float32", (feet,), names)
    if not policy.velocity.shape[1]:
        del features["observation.velocity_command"]
    for name, value in policy.groups[0].items():
        # A group that is not of every tick, such as what an encoder reads at times, is no feature of a frame.
        if all(name in groups and groups[name].shape == value.shape for groups in policy.groups):
            features[NETWORK + name] = Feature("float32", value.shape, None)
    for name, seen in policy.depth.items():
        features[DEPTH + name] = Feature("float32", seen.images[0].depth.shape, None)
    return features


def _episodes(history: History, features: dict[str, Feature]) -> list[tuple[int, ...]]:
    """Return the ticks of each activation, without those that lack a value."""
    episodes: list[list[int]] = []
    policy = history.policy
    for row in range(policy.stamp_ns.size):
        # A tick 0, or one that does not follow the one before (lost, of another policy), begins another episode.
        if row == 0 or policy.tick[row] != policy.tick[row - 1] + 1 or not episodes:
            episodes.append([])
        if _whole(history, row, features):
            episodes[-1].append(row)
    return [tuple(episode) for episode in episodes if episode]


def _whole(history: History, row: int, features: dict[str, Feature]) -> bool:
    policy = history.policy
    if any(_newest(seen, row) < 0 for seen in policy.depth.values()):
        return False
    frame = _frame(history, row, features, 0)
    return all(
        name in frame
        and frame[name].shape == feature.shape
        # an image has NaN where it saw nothing
        and (name.startswith(DEPTH) or bool(np.isfinite(frame[name]).all()))
        for name, feature in features.items()
    )


def _frame(history: History, row: int, features: dict[str, Feature], start_ns: int) -> Frame:
    policy = history.policy
    frame: Frame = {
        "action": policy.target[row].astype(np.float32),
        "observation.state": np.concatenate([policy.joint_pos[row], policy.joint_vel[row]]).astype(np.float32),
        "observation.base": policy.base[row].astype(np.float32),
        "observation.foot_force": policy.foot_force[row].astype(np.float32),
        "observation.velocity_command": np.nan_to_num(policy.velocity[row]).astype(np.float32),
        "observation.robot_time": np.array([(int(policy.stamp_ns[row]) - start_ns) / 1e9], np.float32),
        **{NETWORK + name: value for name, value in policy.groups[row].items()},
    }
    for name, seen in policy.depth.items():
        frame[DEPTH + name] = seen.images[_newest(seen, row)].depth.astype(np.float32)
    return {name: value for name, value in frame.items() if name in features}


def _newest(seen: Images, row: int) -> int:
    """Return which image was the newest at a tick; -1 before the first."""
    return int(seen.newest[row])


def _late(history: History, rows: Sequence[Sequence[int]]) -> int:
    policy = history.policy
    return sum(int((np.diff(policy.stamp_ns[list(each)]) > 1.5e9 * policy.control_dt).sum()) for each in rows)
