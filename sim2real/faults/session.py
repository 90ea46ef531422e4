"""A part of the campaign, run: one fault after the other on the same processes, the robot put right in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from robot_policies.exceptions import RobotError, RobotPoliciesError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from sim2real.faults.campaign import Cell, Part, Row, add_note, make_row
from sim2real.faults.kind import SEES, Kind, age_s
from sim2real.faults.network import why_not
from sim2real.faults.policy_kinds import failing_bundle
from sim2real.faults.scene import POLICY, ROBOT, Scene
from sim2real.faults.stalls import Stalls
from sim2real.faults.verdict import SETTLED, Observed, Sample, first, read_samples, rests, time_of, unsafe

CONTROL_SECONDS = 3.0
MARGIN = 0.5  # [s] that a landing is watched longer than it may take
LOOK = 0.2  # [s] between two looks at the witness while a robot comes to rest
# [s] by which a thread that only sleeps may wake up too late. Over it the machine is what was tested: the shortest age
# that a fault here stays within is 80 ms, and faults take up to 30 ms of it.
STALL = 0.03
Seen = tuple[Observed, list[Sample], str]  # what came of a run, what the witness wrote, and which trip said so


class NotReached(RobotError):
    """The robot did not get into the mode in which the fault should come."""


class Session:
    """Runs one part. ``close`` ends what it has started."""

    def __init__(self, part: Part, scratch: Path) -> None:
        """Keep the files in ``scratch``."""
        self._part, self._scratch = part, scratch
        self._spec = load_robot_spec(ROBOT)
        self._limits = load_safety(ROBOT, self._spec)
        self._controls: dict[str, str] = {}
        self._scene: Scene | None = None
        self._starts = 0
        self._stalls = Stalls()

    def rows(self, progress: Callable[[Cell], None] = lambda cell: None) -> Iterator[Row]:
        """Give the rows, one after the other."""
        root = why_not() if self._part.setup.root else ""
        with self._stalls:
            for cell in self._part.cells:
                progress(cell)
                yield make_row(cell, "", None, "", f"skipped: {root}") if root else self._row(cell)

    def close(self) -> None:
        """End the processes."""
        scene, self._scene = self._scene, None
        if scene is not None:
            scene.__exit__(None, None, None)

    def _row(self, cell: Cell) -> Row:
        """Run a cell; once more where it went wrong while the machine stood still."""
        row, stall = self._timed(cell)
        if row.ok or not row.control_clean or stall <= STALL:
            return row
        self.close()
        self._controls.pop(cell.mode, None)
        again, stall_again = self._timed(cell)
        told = f"first try: {row.note or row.landing}, while the machine stood still for {stall * 1000:.0f} ms"
        if not again.ok:
            told += f", and then for {stall_again * 1000:.0f} ms"
        return add_note(again, told)

    def _timed(self, cell: Cell) -> tuple[Row, float]:
        control = self._control(cell.mode)
        self._stalls.begin()
        if control:  # what a fault does would prove nothing
            return make_row(cell, "", None, "", f"no run: control: {control}"), 0.0
        try:
            seen, samples, by = self._observe(cell.mode, cell.kind)
        except (RobotPoliciesError, OSError) as error:
            return make_row(cell, "", None, "", f"no run: {error}", control=True), self._stalls.worst
        detected = None if seen.landed_at is None else self._detected_ms(cell, seen, samples)
        danger = unsafe(samples, seen, cell.kind.allows)
        row = make_row(cell, by, detected, seen.landing, danger, safe=not danger, control=True)
        return row, self._stalls.worst

    def _detected_ms(self, cell: Cell, seen: Observed, samples: Sequence[Sample]) -> float:
        assert seen.landed_at is not None
        since = seen.fault_at
        if cell.kind.onset:
            since = first(samples, seen.fault_at, cell.kind.onset) or seen.fault_at
        age = age_s(self._limits, cell.kind.age, self._spec.state_rate)
        return (seen.landed_at - since - age) * 1000.0

    def _control(self, mode: str) -> str:
        """Return what went wrong in the run without a fault, "" for nothing.

        It is made once for a mode; where something went wrong, once more, and again for each later run.
        """
        for _ in range(1 if self._controls.get(mode) else 2):
            if self._controls.get(mode) == "":
                return ""
            try:
                seen, samples, by = self._once(mode, None)
                self._controls[mode] = by or unsafe(samples, seen)
            except (RobotPoliciesError, OSError) as error:
                self._controls[mode] = str(error)
            if self._controls[mode]:
                self.close()
        return self._controls[mode]

    def _observe(self, mode: str, kind: Kind) -> Seen:
        """Make a run with a fault.

        A robot that did not get into its mode is tried once more on a new start: nothing was tested yet.
        """
        try:
            return self._once(mode, kind)
        except NotReached:
            return self._once(mode, kind)

    def _once(self, mode: str, kind: Kind | None) -> Seen:
        """Make a run, without a fault where ``kind`` is None."""
        with ExitStack() as spoilt:  # unless all goes well, the next run begins anew
            spoilt.callback(self.close)
            scene = self._ready(mode)
            seen = _run(scene, mode, kind)
            if kind is None or not kind.last:
                with suppress(RobotError):  # a process that has ended by itself: this run is judged
                    scene.restore()
                    spoilt.pop_all()
        return seen

    def _ready(self, mode: str) -> Scene:
        """Return processes with the robot in ``mode``. Raises NotReached."""
        try:
            if self._scene is None:
                self._scene = self._start()
            self._scene.reach(mode)
        except RobotError as error:
            raise NotReached(str(error)) from error
        return self._scene

    def _start(self) -> Scene:
        self._starts += 1
        cell, number = self._part.cells[0], self._part.number
        folder, failure = self._scratch / f"part{number:03d}", cell.kind.setup.bundle
        policy = SEES if cell.kind.setup.sees else POLICY
        if failure:
            bundle = folder / failure
            policy = str(bundle if bundle.exists() else failing_bundle(bundle, failure))
        scene = Scene(cell.backend, cell.kind.setup, cell.seed, folder / f"start{self._starts}", policy, number)
        return scene.__enter__()


def _run(scene: Scene, mode: str, kind: Kind | None) -> Seen:
    operator = scene.operator
    offset, before = scene.log.stat().st_size, operator.trips()
    begun = time.monotonic()
    fault_at = begun if kind is None else kind.inject(scene) or begun
    _watch(scene, begun, CONTROL_SECONDS if kind is None else kind.seconds, offset)
    end_at = time.monotonic()
    operator.watch(0.1)
    samples: list[Sample] = list(read_samples(scene.log, offset))
    heard = _landing(scene, begun)
    by_whom = operator.hand_over(begun, SEES) if heard is None and kind is not None and kind.setup.sees else None
    if by_whom is not None:
        return Observed(mode, fault_at, by_whom[0], "", end_at), samples, f"policy: {by_whom[1]} commands"
    by = ", ".join(dict.fromkeys(str(trip["name"]) for trip in operator.trips() if trip not in before))
    if heard is None and (braked := first(samples, fault_at, "nobody")) is not None:
        return Observed(mode, fault_at, braked, "firmware", end_at), samples, "firmware"
    at, landing = (None, "") if heard is None else (heard[0], heard[1].partition(":")[2])
    return Observed(mode, fault_at, at, landing, end_at), samples, by or (heard[1] if heard else "")


def _landing(scene: Scene, after: float) -> tuple[float, str] | None:
    """Return when (monotonic [s]) which landing was first heard."""
    modes = scene.operator.modes
    return next(((at, mode) for at, mode in modes if at > after and mode.startswith("landing:")), None)


def _watch(scene: Scene, begun: float, seconds: float, offset: int) -> None:
    """Watch for ``seconds``, or until a landing has had its time; one in damping until the robot rests."""
    operator = scene.operator
    operator.watch(seconds, lambda: _landing(scene, begun) is not None)
    heard = _landing(scene, begun)
    if heard is None:
        return
    landing = heard[1].partition(":")[2]
    end = heard[0] + SETTLED[landing] + MARGIN
    while (left := end - time.monotonic()) > 0.0:
        operator.watch(min(LOOK, left))
        samples: Any = read_samples(scene.log, offset) if landing == "damping" else []
        if samples and rests(samples, heard[0], time_of(samples[-1])):
            return
