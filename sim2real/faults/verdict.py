"""Whether a run was safe, by what the witness of the body wrote; it knows nothing of what the nodes say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Sample = Mapping[str, Any]
SAMPLE_S = 0.02  # [s] that a sample covers
REST = 0.5  # [rad/s] under which a joint counts as at rest; estimate, ten times what a robot that lies still shows
# [s] after which the joints must be at rest. Measured in the simulator: a robot in damping sinks for 1.1 s from the
# stand and for 1.7 s from a walk. The way to the sit pose takes up to 1.7 s at 1.5 rad/s (config/safety) before that.
SETTLED = {"damping": 2.5, "sit": 4.0, "hold": 1.0, "firmware": 2.5}
RESTED = 0.5  # [s] at rest after which a landing in damping counts as over
GAIN_TIME = 0.1  # [s] after detection, by when no stiffness is left
SUSTAINED = {"tilt": 5, "rival": 1, "nobody": 1}  # samples; a lean counts after 0.1 s (config/safety)
FALLEN = 0.2  # [m], height of the base of a robot that is not up any more; it stands at 0.3


@dataclass(frozen=True)
class Observed:
    """What a run came to.

    Attributes:
        mode: in which the fault came.
        fault_at: when it did (monotonic [s]).
        landed_at: when the landing was heard, None for no landing.
        landing: how.
        end_at: when the run was over.
    """

    mode: str
    fault_at: float
    landed_at: float | None
    landing: str
    end_at: float


def read_samples(path: Path, offset: int = 0) -> list[dict[str, Any]]:
    """Return the samples of a judge's file from byte ``offset`` on, oldest first; first and last line may be torn."""
    samples = []
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").splitlines()
    for text in lines:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(line, dict) and line.get("kind") == "sample":
            samples.append(line)
    return samples


def time_of(sample: Sample) -> float:
    """Return when a sample was written (monotonic [s])."""
    return float(sample["monotonic_ns"]) * 1e-9


def rests(samples: Sequence[Sample], after: float, now: float) -> bool:
    """Return whether every joint has been at rest for ``RESTED`` until ``now``, all of it later than ``after``."""
    shown = [sample["joint_vel_max"] for sample in samples if time_of(sample) > now - RESTED]
    return now - RESTED > after and bool(shown) and max(shown) < REST


def first(samples: Sequence[Sample], after: float, what: str) -> float | None:
    """Return when ``what`` (``tilt``, ``rival``, ``nobody``) began, by the earliest moment of its first sample.

    A robot that is thrown about leans for a moment, and again: only a lean that lasts is one.
    """
    least = SUSTAINED[what]
    shown = [(time_of(sample), _shows(sample, what)) for sample in samples if time_of(sample) > after]
    for number, (at, _) in enumerate(shown):
        part = shown[number : number + least]
        if len(part) == least and all(shows for _, shows in part):
            return at - SAMPLE_S
    return None


def unsafe(samples: Sequence[Sample], seen: Observed, allows: Sequence[str] = ()) -> str:
    """Return what was not safe in a run, "" for nothing."""
    after = [sample for sample in samples if seen.fault_at < time_of(sample) <= seen.end_at]
    if not after:
        return "the witness saw nothing"
    broken = {limit for sample in after for limit in sample["limits"] if limit.partition(" ")[0] not in allows}
    if broken:
        return f"limits broken: {', '.join(sorted(broken))}"
    return _not_landed(after, seen) if seen.landing else _not_up(after, seen.mode)


def _not_landed(after: Sequence[Sample], seen: Observed) -> str:
    begun = seen.fault_at if seen.landed_at is None else seen.landed_at
    if seen.landing == "damping" and any(
        _asked(sample) > 0.0 for sample in after if time_of(sample) > begun + GAIN_TIME + SAMPLE_S
    ):
        return "stiff while it should be damping"
    settled = SETTLED[seen.landing]
    if _rival(after[-1]):  # whose motion it is then
        return ""
    late = [sample["joint_vel_max"] for sample in after if time_of(sample) > begun + settled]
    if late:
        return f"joints at {max(late):.2f} rad/s after {settled:g} s" if max(late) > REST else ""
    if seen.landing in ("damping", "firmware") and rests(after, begun, time_of(after[-1])):
        return ""
    return f"neither at rest nor watched until {settled:g} s after the landing began"


def _rival(sample: Sample) -> bool:
    """Return whether somebody else moves the motors, too or alone."""
    return sample.get("driven_by") in ("both", "built_in")


def _asked(sample: Sample) -> float:
    """Return the stiffness in force; where a rival moves the motors, that of our own newest command."""
    return float(sample["asked_stiffness_max" if _rival(sample) else "stiffness_max"])


def _not_up(after: Sequence[Sample], mode: str) -> str:
    if mode == "damping":
        return "stiff in damping" if any(sample["stiffness_max"] > 0.0 for sample in after) else ""
    if any(sample["stiffness_max"] == 0.0 for sample in after):
        return "limp"
    height = after[-1]["position"][2]
    return f"down: its base is at {height:.2f} m" if height < FALLEN else ""


def _shows(sample: Sample, what: str) -> bool:
    driver = sample.get("driven_by")
    return {"tilt": "tilt" in sample["limits"], "rival": driver == "both", "nobody": driver == "nobody"}[what]
