"""What the robot node counts: modes with their times, latency, lateness, falls; and how it says so on /diagnostics."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from robot_policies.control.robot_step import RobotStep
from robot_policies.control.timing import Percentiles
from robot_policies.nodes.diagnostics import ERROR, OK, WARN
from robot_policies.robots.robot import GroundTruth
from robot_policies.types import Mode, RobotRecord, Trip

FALL_TILT = 1.0  # [rad], the project's definition of a fall
KEPT = 64  # newest mode changes and trips that are told


class RobotMonitor:
    """Watches the cycles of one robot; changes nothing."""

    def __init__(self, step: RobotStep, hardware: Callable[[], Mapping[str, Any]] = dict) -> None:
        """Watch ``step``; ``hardware`` returns what the robot reports of itself."""
        self._step, self._hardware = step, hardware
        self.mode_text = ""
        self._modes: deque[tuple[str, int]] = deque(maxlen=KEPT)
        self._trips: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._latched: tuple[Trip, ...] = ()
        self._published: deque[tuple[int, int]] = deque(maxlen=256)  # stamp, monotonic time of that stamp [ns]
        self._latency, self._lateness, self._busy = Percentiles(), Percentiles(), Percentiles()
        self._cycles = 0
        self._ready = False  # stands, and may be activated
        self.fell = False
        self._max_tilt = 0.0

    def published(self, stamp_ns: int, now_ns: int) -> None:
        """Note that the state of ``stamp_ns`` is going out at ``now_ns`` of the robot's clock."""
        late_ns = max(now_ns - stamp_ns, 0)
        self._lateness.add(late_ns)
        self._published.append((stamp_ns, time.monotonic_ns() - late_ns))

    def taken(self, stamp_ns: int) -> None:
        """Note that a command for the state of ``stamp_ns`` was taken: from stamp to here is its latency."""
        for stamp, monotonic_ns in reversed(self._published):
            if stamp == stamp_ns:
                self._latency.add(time.monotonic_ns() - monotonic_ns)
                return

    def cycle(self, record: RobotRecord, truth: GroundTruth | None, busy_ns: int) -> bool:
        """Note one cycle, which took ``busy_ns``; return whether the mode or the trips have changed."""
        self._cycles += 1
        self._busy.add(busy_ns)
        self._fall(record, truth)
        return self.note(record.state.stamp_ns)

    def note(self, stamp_ns: int) -> bool:
        """Note mode and trips, also where there is no state; return whether they have changed."""
        mode, trips, landing = self._step.mode, self._step.trips, self._step.landing
        text = mode.value if landing is None else f"{mode.value}:{landing}"
        ready = self._step.ramp_done
        changed = text != self.mode_text or trips != self._latched or ready != self._ready
        self._ready = ready
        if text != self.mode_text:
            self.mode_text = text
            self._modes.append((text, stamp_ns))
        for trip in trips:
            if trip not in self._latched:
                told = {"name": trip.name, "mode": trip.mode.value, "landing": trip.landing, "detail": trip.detail}
                self._trips.append({**told, "stamp_ns": trip.stamp_ns})
        self._latched = trips
        return changed

    def level(self) -> bytes:
        """Return the level of the diagnostics: an error while a trip is latched, a warning while inputs are refused."""
        if self._step.trips:
            return bytes(ERROR)
        return bytes(WARN if self._step.refusals else OK)

    def message(self) -> str:
        """Return one line: whether the motors hear us, the mode, and why, if a trip is latched."""
        hardware = self._hardware()
        why = [f"{trip.name}: {trip.detail}" for trip in self._step.trips]
        if hardware.get("taking_control"):
            why = [f"taking control: {hardware['taking_control']}"]
        text = f"{self.mode_text}: {'; '.join(why)}" if why else self.mode_text
        return f"DRY RUN, {text}" if hardware.get("dry_run") else text

    def values(self) -> dict[str, Any]:
        """Return all numbers, for /diagnostics and reports."""
        step = self._step
        return {
            "mode": self.mode_text,
            "ready": step.ramp_done,
            "lease": step.lease.holder if step.lease else "",
            "gain_profile": step.active_profile or "",
            "cycles": self._cycles,
            "latency_ms": dict(self._latency.summary_ms()),
            "lateness_ms": dict(self._lateness.summary_ms()),
            "cycle_ms": dict(self._busy.summary_ms()),
            "refusals": dict(step.refusals),
            "last_refusal": step.last_refusal,
            "clamps": dict(step.clamp_counts),
            "fell": self.fell,
            "max_tilt_rad": round(self._max_tilt, 4),
            "modes": list(self._modes),
            "trips": list(self._trips),
            "latched": [trip.name for trip in step.trips],
            "hardware": dict(self._hardware()),
        }

    def _fall(self, record: RobotRecord, truth: GroundTruth | None) -> None:
        walks = record.mode is Mode.ACTIVE
        # A robot that tips over leaves active on its way down, where its safety file's limit is below ours.
        if not walks and not any(trip.name == "tilt" and trip.mode is Mode.ACTIVE for trip in record.trips):
            return
        _, x, y, _ = record.state.base_quat_wxyz if truth is None else truth.quat_wxyz
        tilt = math.acos(max(-1.0, min(1.0, 1.0 - 2.0 * (x * x + y * y))))  # angle of the base's z axis to up
        self._max_tilt = max(self._max_tilt, tilt)
        # A policy that climbs rears up and scrapes its trunk over edges: what its bundle allows it is no fall.
        allowed = self._step.lease.tilt if walks and self._step.lease else 0.0
        touches = walks and truth is not None and bool(truth.ground_contacts) and allowed <= FALL_TILT
        self.fell = self.fell or touches or tilt > max(FALL_TILT, allowed)
