"""What the campaign is made of: cells, the rows that they become, and the parts in which they are run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest

from sim2real.faults import camera_kinds, message_kinds, policy_kinds, process_kinds, robot_kinds
from sim2real.faults.kind import BACKENDS, DEGRADE, LAND, Kind, Setup

MODULES = (process_kinds, robot_kinds, message_kinds, camera_kinds, policy_kinds)
KINDS: dict[str, Kind] = {kind.name: kind for module in MODULES for kind in module.KINDS}


@dataclass(frozen=True)
class Cell:
    """One run to be made. It goes from process to process, so the kind is a name."""

    name: str
    mode: str
    seed: int
    backend: str

    @property
    def kind(self) -> Kind:
        """The kind of its fault."""
        return KINDS[self.name]


@dataclass(frozen=True)
class Part:
    """Cells that one start of the processes is enough for, as long as nothing is broken for good.

    Attributes:
        number: of the campaign; parts that run at once must not have domains in common.
    """

    number: int
    cells: tuple[Cell, ...]

    @property
    def setup(self) -> Setup:
        """What stands around the nodes in all of its runs."""
        return self.cells[0].kind.setup


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

    @property
    def skipped(self) -> bool:
        """Whether this user could not make it happen."""
        return self.note.startswith("skipped")


def plan(backends: Sequence[str], only: Sequence[str], modes: Sequence[str], seeds: int) -> list[Cell]:
    """Return what to run."""
    return [
        Cell(kind.name, mode, seed, backend)
        for backend in backends
        for kind in KINDS.values()
        if backend in kind.backends and (not only or kind.name in only)
        for mode in modes
        if mode in kind.expected
        for seed in range(seeds)
    ]


def parts(cells: Iterable[Cell], first: int = 0) -> list[Part]:
    """Return ``cells`` in parts of one backend, seed and set-up, numbered from ``first`` on.

    Long parts come first, and those of the wire, which need most of a core, take turns with the simulator's. In a part,
    what leaves nothing to go on with comes last, and modes side by side.
    """
    together: dict[tuple[str, int, Setup], list[Cell]] = {}
    for cell in cells:
        together.setdefault((cell.backend, cell.seed, cell.kind.setup), []).append(cell)
    for each in together.values():
        each.sort(key=lambda cell: (cell.kind.last, cell.mode != "stand"))
    long_first = sorted(together.values(), key=len, reverse=True)
    of_one = [[each for each in long_first if each[0].backend == backend] for backend in BACKENDS]
    in_turn = [each for turn in zip_longest(*of_one) for each in turn if each is not None]
    return [Part(number, tuple(each)) for number, each in enumerate(in_turn, first)]


def make_row(
    cell: Cell, by: str, detected: float | None, landing: str, note: str, safe: bool = False, control: bool = False
) -> Row:
    """Return the row of a cell, judged.

    Args:
        cell: what was run.
        by: what detected the fault.
        detected: how many milliseconds after the fault and its age, None for no landing.
        landing: how it landed, "" for no landing.
        note: what was wrong, "" for nothing.
        safe: whether the run was, by the witness.
        control: whether the run without the fault was clean.
    """
    expected = cell.kind.expected[cell.mode]
    if expected == LAND or cell.kind.hands_over:
        right = detected is not None and detected <= cell.kind.budget_ms
        if safe and not right:
            note = "; ".join(filter(None, (note, "not detected" if detected is None else "too late")))
    else:
        right = expected == DEGRADE or not landing  # what does less may land, as long as it is safe
        if safe and not right:
            note = "; ".join(filter(None, (note, "landed")))
    rounded = None if detected is None else round(detected, 1)
    ok = right and safe and control
    return Row(cell.name, cell.mode, cell.seed, cell.backend, expected, by, rounded, landing, safe, control, ok, note)


def add_note(row: Row, note: str) -> Row:
    """Return ``row`` with one more note."""
    return replace(row, note="; ".join(filter(None, (row.note, note))))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows in the order of the plan."""
    order = {name: number for number, name in enumerate(KINDS)}
    return sorted(rows, key=lambda row: (row.backend, order[row.fault], row.mode != "stand", row.seed))


def as_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return the table as JSON."""
    return [asdict(row) for row in rows]
