"""A part of the campaign: what its runs share, when they begin anew, what comes of those that fail. Nothing starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.checkout import ROOT
from helpers.fault_part import CODE, told_of

from robot_policies.exceptions import RobotError
from sim2real.faults import jobs, network, session
from sim2real.faults.campaign import Cell, Part, Row, make_row
from sim2real.faults.kind import Kind
from sim2real.faults.session import NotReached, Session
from sim2real.faults.stalls import Stalls
from sim2real.faults.verdict import Observed


def part(*names: str, mode: str = "active") -> Part:
    return Part(0, tuple(Cell(name, mode, 0, "mujoco") for name in names))


def quiet(mode: str = "active") -> Any:
    up = {"stiffness_max": 30.0, "joint_vel_max": 3.0, "limits": [], "position": [0, 0, 0.3], "driven_by": "commands"}
    samples = [{**up, "monotonic_ns": 10**9 + n * 20_000_000} for n in range(100)]
    return Observed(mode, 1.0, None, "", 3.0), samples, ""


def observing(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Kind | None], Any]) -> list[Kind | None]:
    """Let runs come to ``answer(kind)`` without a process; return the list of those that were made."""
    made: list[Kind | None] = []

    def once(self: Session, mode: str, kind: Kind | None) -> Any:
        made.append(kind)
        return answer(kind)

    monkeypatch.setattr(Session, "_once", once)
    monkeypatch.setattr(session, "STALL", 60.0)
    return made


def rows(tmp_path: Path, asked: Part) -> list[Row]:
    return list(Session(asked, tmp_path).rows())


def test_one_control_run_is_for_all_runs_of_a_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = observing(monkeypatch, lambda kind: quiet())
    cells = [Cell("robot_paused", mode, 0, "mujoco") for mode in ("stand", "active", "active")]
    assert [row.ok for row in rows(tmp_path, Part(0, tuple(cells)))] == [True] * 3
    assert made.count(None) == 2


def test_a_control_run_that_trips_is_made_again_and_then_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def dirty(kind: Kind | None) -> Any:
        return (*quiet()[:2], "tilt" if kind is None else "")

    made = observing(monkeypatch, dirty)
    first, second = rows(tmp_path, part("robot_paused", "policy_paused"))
    assert made == [None] * 3, "twice, and again for the next; no fault was tried"
    assert not first.ok and not first.control_clean and first.note == second.note == "no run: control: tilt"


def test_a_run_that_cannot_be_made_is_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(kind: Kind | None) -> Any:
        if kind is not None:
            raise RobotError("the node has ended")
        return quiet()

    observing(monkeypatch, fails)
    (row,) = rows(tmp_path, part("robot_paused"))
    assert (row.ok, row.safe, row.note) == (False, False, "no run: the node has ended")


def test_without_root_a_row_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = observing(monkeypatch, lambda kind: quiet())
    monkeypatch.setattr(network.os, "geteuid", lambda: 1000)
    (row,) = rows(tmp_path, part("disk_full"))
    assert row.note == "skipped: needs root, for network namespaces and mounts"
    assert not made


def test_a_tilt_counts_from_when_the_witness_saw_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def tilts(kind: Kind | None) -> Any:
        seen, samples, _ = quiet()
        if kind is None:
            return seen, samples, ""
        over = [{**s, "limits": ["tilt"]} if s["monotonic_ns"] > 1.5e9 else s for s in samples]
        return Observed("active", 1.0, 1.65, "damping", 3.0), over, "tilt"

    observing(monkeypatch, tilts)
    (row,) = rows(tmp_path, part("tilt"))
    assert row.detected_ms == pytest.approx(50.0, abs=1.0)  # seen from 1.5 s on, and 0.1 s of it is the trip's own


def test_ms_count_from_the_fault_and_its_configured_age(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def lands(kind: Kind | None) -> Any:
        seen, samples, _ = quiet()
        return (seen, samples, "") if kind is None else (Observed("active", 1.0, 1.09, "damping", 3.0), samples, "x")

    observing(monkeypatch, lands)
    told = {row.fault: row.detected_ms for row in rows(tmp_path, part("policy_killed", "state_nan"))}
    assert told == {"policy_killed": pytest.approx(10.0), "state_nan": pytest.approx(90.0)}


@pytest.mark.parametrize(("stalls", "runs", "note"), [((0.01,), 1, "landed"), ((0.2, 0.01), 2, "first try: landed")])
def test_what_went_wrong_while_the_machine_stood_still_is_run_once_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stalls: tuple[float, ...], runs: int, note: str
) -> None:
    asked = Session(part("robot_paused"), tmp_path)
    made: list[float] = []

    def timed(cell: Cell) -> tuple[Row, float]:
        made.append(stalls[len(made)])
        good = len(made) > 1
        landing = "" if good else "damping"
        return make_row(cell, "", None if good else 5.0, landing, "", True, True), made[-1]

    monkeypatch.setattr(asked, "_timed", timed)
    (row,) = asked.rows()
    assert len(made) == runs and row.ok is (runs == 2) and row.note.startswith(note)
    assert runs == 1 or "stood still for 200 ms" in row.note


# Starts and ends.


class Stage:
    """A scene that counts: what was reached and restored, and what was started and ended."""

    def __init__(self, refuse: int = 0, gone: int = 0) -> None:
        self.refuse, self.gone, self.told = refuse, gone, list[str]()

    def start(self) -> Any:
        self.told.append("start")
        stage = SimpleNamespace(reach=self._reach, restore=self._restore)
        stage.__exit__ = lambda *words: self.told.append("end")
        return stage

    def _restore(self) -> None:
        if self.gone:
            self.gone -= 1
            raise RobotError("a process has ended")
        self.told.append("restore")

    def _reach(self, mode: str) -> None:
        if self.refuse:
            self.refuse -= 1
            raise RobotError("too busy")
        self.told.append(mode)


def staged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: Stage, asked: Part) -> tuple[list[Row], list[str]]:
    monkeypatch.setattr(session, "STALL", 60.0)
    monkeypatch.setattr(session, "_run", lambda scene, mode, kind: quiet(mode))
    made = Session(asked, tmp_path)
    monkeypatch.setattr(made, "_start", stage.start)
    told = list(made.rows())
    made.close()
    return told, stage.told


def test_one_start_does_for_many_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = part("robot_paused", "policy_paused")
    _, told = staged(monkeypatch, tmp_path, Stage(), asked)
    assert told == ["start", *["active", "restore"] * 3, "end"]  # the control run, and both


def test_after_what_breaks_the_processes_are_started_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = part("policy_killed", "policy_stopped", mode="stand")
    _, told = staged(monkeypatch, tmp_path, Stage(), asked)
    assert told == ["start", "stand", "restore", "stand", "end", "start", "stand", "end"]


def test_a_run_after_which_a_process_is_gone_is_judged_and_the_next_begins_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Stage(gone=2)  # the control run's restore, and that of the first fault
    asked = part("robot_paused", "policy_paused")
    told, seen = staged(monkeypatch, tmp_path, stage, asked)
    assert [row.ok for row in told] == [True, True]
    assert seen == ["start", "active", "end", "start", "active", "end", "start", "active", "restore", "end"]


@pytest.mark.parametrize(("refusals", "ok", "note"), [(1, True, ""), (2, False, "no run: control: too busy")])
def test_a_robot_that_did_not_get_there_is_tried_once_more_on_a_new_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusals: int, ok: bool, note: str
) -> None:
    (row,), told = staged(monkeypatch, tmp_path, Stage(refusals), part("robot_paused"))
    assert (row.ok, row.note) == (ok, note)
    assert told.count("start") == told.count("end") == (2 if ok else refusals)


def test_where_nothing_can_be_started_the_row_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (row,), told = staged(monkeypatch, tmp_path, Stage(99), part("robot_paused"))
    assert not row.ok and row.note == "no run: control: too busy"
    assert told.count("start") == 2
    assert issubclass(NotReached, RobotError)


# Stalls and jobs.


def test_a_machine_that_stands_still_is_seen() -> None:
    with Stalls() as stalls:
        time.sleep(0.05)
        stalls.begin()
        assert stalls.worst == 0.0
        time.sleep(0.1)
        assert 0.0 < stalls.worst < 5.0


def test_a_part_ends_in_order_when_its_campaign_is_killed(tmp_path: Path) -> None:
    code = "\n".join([
        "import sys; from pathlib import Path; from helpers.fault_part import waits; from sim2real.faults import jobs",
        "from sim2real.faults.campaign import Cell, Part",
        "if __name__ == '__main__':",
        "    part = Part(0, (Cell('tilt', 'stand', 0, 'mujoco'),))",
        "    list(jobs.run_parts([part], Path(sys.argv[1]), 1, print, waits))",
    ])  # fmt: skip
    (tmp_path / "campaign.py").write_text(code)
    path = os.pathsep.join((str(ROOT), str(ROOT / "test")))
    line = [sys.executable, str(tmp_path / "campaign.py"), str(tmp_path)]
    with subprocess.Popen(line, env={**os.environ, "PYTHONPATH": path}) as campaign:
        assert _soon(lambda: (tmp_path / "pid").exists())
        campaign.kill()
    assert _soon(lambda: (tmp_path / "over").exists())


def _soon(done: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60.0
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
    return done()


def test_parts_run_in_processes_and_one_that_dies_leaves_its_rows(tmp_path: Path) -> None:
    parts = [Part(n, part(*names, mode="stand").cells) for n, names in
             enumerate([("robot_paused", "tilt"), ("robot_killed", "imu_nan"), ("state_nan",)])]  # fmt: skip
    begun: list[str] = []
    told = list(jobs.run_parts(parts, tmp_path, 2, lambda cell: begun.append(cell.name), told_of))
    assert sorted(row.fault for row in told) == sorted(cell.name for each in parts for cell in each.cells)
    dead = {row.fault: row.note for row in told if f"ended with code {CODE}" in row.note}
    assert set(dead) == {"robot_killed", "imu_nan"}
    assert sorted(begun) == ["robot_paused", "state_nan", "tilt"]
