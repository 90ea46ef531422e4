"""The campaign: every kind in every mode, with a control run for each, as a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from robot_policies.exceptions import RobotError, RobotPoliciesError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from sim2real.faults import message_kinds, policy_kinds, process_kinds, robot_kinds
from sim2real.faults.kind import DEGRADE, LAND, Kind, Setup, age_s
from sim2real.faults.network import why_not
from sim2real.faults.policy_kinds import NEVER, TICKS, failing_bundle
from sim2real.faults.scene import POLICY, ROBOT, Scene
from sim2real.faults.verdict import SETTLED, Observed, Sample, first, read_samples, unsafe

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*process_kinds.KINDS, *robot_kinds.KINDS, *message_kinds.KINDS, *policy_kinds.KINDS)
}
BUDGET_MS = 100.0  # from the fault, after its configured age, to the landing
RATES = {"mujoco": 200.0, "wire": 500.0}  # [Hz] of the robot node's cycles
CONTROL_SECONDS = 3.0
MARGIN = 0.5  # [s] that a landing is watched longer than it may take


class NotReached(RobotError):
    """The robot did not get into the mode in which the fault should come."""


@dataclass(frozen=True)
class Cell:
    """One run to be made."""

    kind: Kind
    mode: str
    seed: int
    backend: str


@dataclass(frozen=True)
class Row:
    """One line of the table. ``detected_ms`` counts from the fault plus its configured maximum age."""

    fault: str
    mode: str
    seed: int
    backend: str
    expected: str
    detected_by: str
    detected_ms: float | None
    landing: str
    safe: bool
    control_clean: bool
    ok: bool
    note: str = ""


def plan(backends: Sequence[str], only: Sequence[str], modes: Sequence[str], seeds: int) -> list[Cell]:
    """Return what to run, runs of one set-up side by side."""
    return [
        Cell(kind, mode, seed, backend)
        for backend in backends
        for kind in KINDS.values()
        if backend in kind.backends and (not only or kind.name in only)
        for mode in modes
        if mode in kind.expected
        for seed in range(seeds)
    ]


class Campaign:
    """Runs cells; control runs are shared."""

    def __init__(self, scratch: Path, progress: Callable[[str], None] = lambda text: None) -> None:
        """Keep the files of the runs in ``scratch``."""
        self._scratch, self._progress = scratch, progress
        self._limits = load_safety(ROBOT, load_robot_spec(ROBOT))
        self._controls: dict[tuple[str, Setup, str, int], str] = {}
        self._bundles: dict[str, str] = {"": POLICY}
        self._count = 0
        self._root = why_not()

    def run(self, cells: Sequence[Cell]) -> Iterator[Row]:
        """Give the rows, one after the other."""
        for number, cell in enumerate(cells, 1):
            self._progress(f"[{number}/{len(cells)}] {cell.kind.name} {cell.mode} {cell.seed} {cell.backend}")
            yield self.row(cell)

    def row(self, cell: Cell) -> Row:
        """Run one cell."""
        if cell.kind.setup.root and self._root:
            return _row(cell, "", None, "", f"skipped: {self._root}")
        control = self._control(cell)
        try:
            seen, samples, by = self._observe(cell, cell.kind)
        except (RobotPoliciesError, OSError) as error:
            return _row(cell, "", None, "", f"no run: {error}", control=not control)
        detected = None if seen.landed_at is None else self._detected_ms(cell, seen, samples)
        danger = unsafe(samples, seen, cell.kind.allows)
        note = "; ".join(filter(None, (danger, control and f"control: {control}")))
        return _row(cell, by, detected, seen.landing, note, safe=not danger, control=not control)

    def _detected_ms(self, cell: Cell, seen: Observed, samples: Sequence[Sample]) -> float:
        assert seen.landed_at is not None
        since = seen.fault_at
        if cell.kind.onset:
            since = first(samples, seen.fault_at, cell.kind.onset) or seen.fault_at
        age = age_s(self._limits, cell.kind.age, RATES[cell.backend])
        return (seen.landed_at - since - age) * 1000.0

    def _control(self, cell: Cell) -> str:
        """Return what went wrong in the run without the fault, "" for nothing."""
        setup = cell.kind.setup
        key = (cell.backend, setup, cell.mode, cell.seed)
        if key not in self._controls:
            try:
                seen, samples, by = self._observe(cell, None)
                self._controls[key] = by or unsafe(samples, seen)
            except (RobotPoliciesError, OSError) as error:
                self._controls[key] = str(error)
        return self._controls[key]

    def _observe(self, cell: Cell, kind: Kind | None) -> tuple[Observed, list[Sample], str]:
        """Run a cell, or its control where ``kind`` is None; return what came of it, and which trip said so.

        A robot that did not get into its mode is tried once more: nothing was tested yet.
        """
        try:
            return self._once(cell, kind)
        except NotReached:
            return self._once(cell, kind)

    def _once(self, cell: Cell, kind: Kind | None) -> tuple[Observed, list[Sample], str]:
        self._count += 1
        setup = cell.kind.setup
        policy = self._bundle(setup.bundle, TICKS if kind else NEVER)
        scene = Scene(cell.backend, setup, cell.seed, self._scratch / f"run{self._count:04d}", policy)
        with scene:
            _reach(scene, cell.mode)
            operator = scene.operator
            begun, trips = time.monotonic(), len(operator.robot.get("trips", []))
            fault_at = begun if kind is None else kind.inject(scene) or begun
            _watch(scene, begun, CONTROL_SECONDS if kind is None else kind.seconds)
            end_at = time.monotonic()
            operator.watch(0.1)
            told = operator.robot.get("trips", [])[trips:]
            samples: list[Sample] = list(read_samples(scene.log))
        heard = _landing(scene, begun)
        by = ", ".join(dict.fromkeys(trip["name"] for trip in told))
        if heard is None and (braked := first(samples, fault_at, "nobody")) is not None:
            return Observed(cell.mode, fault_at, braked, "firmware", end_at), samples, "firmware"
        at, landing = (None, "") if heard is None else (heard[0], heard[1].partition(":")[2])
        return Observed(cell.mode, fault_at, at, landing, end_at), samples, by or (heard[1] if heard else "")

    def _bundle(self, failure: str, ticks: int) -> str:
        key = failure and f"{failure}_{ticks}"
        if key not in self._bundles:
            self._bundles[key] = str(failing_bundle(self._scratch / key, failure, ticks))
        return self._bundles[key]


def _reach(scene: Scene, mode: str) -> None:
    try:
        scene.reach(mode)
    except RobotError as error:
        raise NotReached(str(error)) from error


def _landing(scene: Scene, after: float) -> tuple[float, str] | None:
    """Return when (monotonic [s]) which landing was first heard."""
    modes = scene.operator.modes
    return next(((at, mode) for at, mode in modes if at > after and mode.startswith("landing:")), None)


def _watch(scene: Scene, begun: float, seconds: float) -> None:
    """Watch for ``seconds``, or until a landing has had its time."""
    scene.operator.watch(seconds, lambda: _landing(scene, begun) is not None)
    heard = _landing(scene, begun)
    if heard is not None:
        scene.operator.watch(heard[0] + SETTLED[heard[1].partition(":")[2]] + MARGIN - time.monotonic())


def _row(
    cell: Cell, by: str, detected: float | None, landing: str, note: str, safe: bool = False, control: bool = False
) -> Row:
    expected = cell.kind.expected[cell.mode]
    if expected == LAND:
        right = detected is not None and detected <= BUDGET_MS
        if safe and not right:
            note = "; ".join(filter(None, (note, "not detected" if detected is None else "too late")))
    else:
        right = expected == DEGRADE or not landing  # what does less may land, as long as it is safe
    rounded = None if detected is None else round(detected, 1)
    ok = right and safe and control
    return Row(
        cell.kind.name, cell.mode, cell.seed, cell.backend, expected, by, rounded, landing, safe, control, ok, note
    )


def as_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return the table as JSON."""
    return [asdict(row) for row in rows]
