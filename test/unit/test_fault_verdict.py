"""What counts as safe, as late and as expected, on samples that are made here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.checkout import ROOT

from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.limits import load_safety
from sim2real.faults.campaign import KINDS, Cell, Row, as_json, in_order, make_row, parts, plan
from sim2real.faults.kind import BACKENDS, BUDGET_MS, DEGRADE, LAND, MODES, TOLERATE, age_s, image_age
from sim2real.faults.page import table
from sim2real.faults.verdict import SETTLED, Observed, first, read_samples, rests, unsafe

UP = {"stiffness_max": 30.0, "damping_max": 0.7, "joint_vel_max": 3.0, "limits": [], "position": [0.0, 0.0, 0.3]}
DOWN = {**UP, "stiffness_max": 0.0, "damping_max": 3.0, "joint_vel_max": 0.1, "position": [0.0, 0.0, 0.1]}
WALKED = Observed("active", 10.0, None, "", 13.0)
LANDED = Observed("active", 10.0, 10.1, "damping", 13.0)


def samples(*parts: tuple[float, float, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return samples 20 ms apart: (from, to, values)."""
    made = []
    for begin, end, values in parts:
        for number in range(round((end - begin) / 0.02)):
            at = begin + 0.02 * number
            made.append({"kind": "sample", "monotonic_ns": round(at * 1e9), "driven_by": "commands", **values})
    return made


def test_a_walk_that_goes_on_is_safe_and_a_fall_is_not() -> None:
    assert unsafe(samples((9.0, 13.0, UP)), WALKED) == ""
    assert unsafe(samples((9.0, 12.0, UP), (12.0, 13.0, {**UP, "position": [0, 0, 0.1]})), WALKED).startswith("down")
    assert unsafe(samples((9.0, 12.0, UP), (12.0, 13.0, DOWN)), WALKED) == "limp"
    assert unsafe([], WALKED) == "the witness saw nothing"


def test_a_limit_counts_after_the_fault_unless_the_fault_itself_breaks_it() -> None:
    broken = {**UP, "limits": ["joint_vel FL_calf_joint", "tilt"]}
    assert unsafe(samples((9.0, 9.9, broken), (10.0, 13.0, UP)), WALKED) == ""
    run = samples((9.0, 11.0, broken), (11.0, 13.0, UP))
    assert unsafe(run, WALKED) == "limits broken: joint_vel FL_calf_joint, tilt"
    assert unsafe(run, WALKED, ("tilt",)) == "limits broken: joint_vel FL_calf_joint"
    assert unsafe(run, WALKED, ("tilt", "joint_vel")) == ""


def test_damping_is_without_stiffness_and_comes_to_rest() -> None:
    assert unsafe(samples((9.0, 10.1, UP), (10.1, 13.0, DOWN)), LANDED) == ""
    assert "stiff" in unsafe(samples((9.0, 10.4, UP), (10.4, 13.0, DOWN)), LANDED)
    assert "5.00 rad/s" in unsafe(samples((9.0, 10.1, UP), (10.1, 13.0, {**DOWN, "joint_vel_max": 5.0})), LANDED)
    moving = {**DOWN, "joint_vel_max": 5.0}
    short = Observed("active", 10.0, 10.1, "damping", 11.0)
    assert unsafe(samples((9.0, 10.1, UP), (10.1, 10.3, moving), (10.3, 11.0, DOWN)), short) == ""
    assert "nor watched" in unsafe(samples((9.0, 10.1, UP), (10.1, 10.6, moving), (10.6, 11.0, DOWN)), short)
    assert "nor watched" in unsafe(samples((9.0, 10.1, UP), (10.1, 10.4, DOWN)), short)
    sits = Observed("active", 10.0, 10.1, "sit", 11.0)
    assert "nor watched" in unsafe(samples((9.0, 10.1, UP), (10.1, 11.0, DOWN)), sits), "it may only not have begun"


def test_a_robot_rests_when_no_joint_has_moved_for_half_a_second() -> None:
    still = samples((9.0, 11.0, DOWN))
    assert rests(still, 10.0, 10.98) and not rests(still, 10.6, 10.98)
    assert not rests(samples((9.0, 10.6, UP), (10.6, 11.0, DOWN)), 10.0, 10.98)
    assert not rests([], 10.0, 10.98)


def test_where_a_rival_moves_the_motors_our_own_command_is_judged() -> None:
    fight = {**UP, "driven_by": "both", "asked_stiffness_max": 0.0}
    assert unsafe(samples((9.0, 10.1, UP), (10.1, 13.0, fight)), LANDED) == ""
    stiff = {**fight, "asked_stiffness_max": 30.0}
    assert "stiff" in unsafe(samples((9.0, 10.1, UP), (10.1, 13.0, stiff)), LANDED)


def test_a_robot_in_damping_may_not_become_stiff() -> None:
    damped = Observed("damping", 10.0, None, "", 13.0)
    assert unsafe(samples((10.0, 13.0, DOWN)), damped) == ""
    assert unsafe(samples((10.0, 13.0, UP)), damped) == "stiff in damping"


def test_the_onset_is_the_earliest_moment_of_the_first_sample() -> None:
    run = samples((9.0, 11.0, UP), (11.0, 12.0, {**UP, "limits": ["tilt"]}))
    assert first(run, 10.0, "tilt") == pytest.approx(10.98)
    assert first(run, 10.0, "rival") is None
    moment = samples((9.0, 10.5, UP), (10.5, 10.56, {**UP, "limits": ["tilt"]}), (10.56, 11.0, UP))
    assert first(moment, 10.0, "tilt") is None
    assert first(samples((9.0, 10.0, {**UP, "driven_by": "nobody"})), 8.0, "nobody") == pytest.approx(8.98)


def test_what_was_written_before_a_run_is_left_out(tmp_path: Path) -> None:
    lines = [json.dumps(line) + "\n" for line in samples((0.0, 0.1, UP))]
    (tmp_path / "judge").write_text("".join(lines))
    assert len(read_samples(tmp_path / "judge", len(lines[0]) + len(lines[1]))) == 3
    assert len(read_samples(tmp_path / "judge", len(lines[0]) - 2)) == 4


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    lines = [json.dumps(line) for line in (*samples((0.0, 0.04, UP)), {"kind": "event"})]
    (tmp_path / "judge").write_text("\n".join([*lines, '{"kind": "sam']))
    assert len(read_samples(tmp_path / "judge")) == 2


def cell(name: str = "policy_killed", mode: str = "active") -> Cell:
    return Cell(name, mode, 0, "mujoco")


@pytest.mark.parametrize(
    ("detected", "safe", "control", "ok"),
    [
        (BUDGET_MS, True, True, True),
        (BUDGET_MS + 1.0, True, True, False),
        (-20.0, True, True, True),
        (None, True, True, False),
        (50.0, False, True, False),
        (50.0, True, False, False),
    ],
)
def test_what_must_land_does_so_in_time(detected: float | None, safe: bool, control: bool, ok: bool) -> None:
    row = make_row(cell(), "command_age", detected, "damping" if detected else "", "", safe, control)
    assert row.ok is ok
    if safe and control and not ok:
        assert row.note in ("too late", "not detected")


def test_what_must_be_tolerated_does_not_land() -> None:
    assert make_row(cell(mode="stand"), "", None, "", "", True, True).ok
    assert not make_row(cell(mode="stand"), "tilt", 5.0, "damping", "", True, True).ok


def test_what_degrades_may_land_and_must_be_safe() -> None:
    assert make_row(cell("policy_stuck"), "tilt", 900.0, "damping", "", True, True).ok
    assert make_row(cell("policy_stuck"), "", None, "", "", True, True).ok
    assert not make_row(cell("policy_stuck"), "", None, "", "", False, True).ok


def test_a_policy_that_sees_hands_over_within_250_ms_of_the_fault() -> None:
    budget = KINDS["image_lost"].budget_ms
    assert budget == 250.0 - 1000.0 * image_age()
    assert make_row(cell("image_lost"), "policy", budget, "", "", True, True).ok
    late = make_row(cell("image_lost"), "policy", budget + 1.0, "", "", True, True)
    assert (late.ok, late.note) == (False, "too late")
    assert not make_row(cell("image_lost"), "", None, "", "", True, True).ok, "it went on, blind"
    assert make_row(cell("image_reordered"), "", None, "", "", True, True).ok


def test_the_json_has_the_keys_that_readers_expect() -> None:
    (row,) = as_json([make_row(cell(), "command_age", 1.234, "damping", "", True, True)])
    keys = "fault mode seed backend expected detected_by detected_ms landing safe control_clean"
    assert list(row)[:10] == keys.split()
    assert row["detected_ms"] == 1.2


def test_there_are_more_than_thirty_kinds_each_with_a_reason() -> None:
    for backend in ("mujoco", "wire"):
        assert len({each.name for each in plan((backend,), (), MODES, 1)}) >= 30
    for kind in KINDS.values():
        assert kind.why and set(kind.expected) <= set(MODES)
        assert set(kind.expected.values()) <= {TOLERATE, DEGRADE, LAND}


def test_the_plan_holds_what_was_asked_for() -> None:
    asked = plan(("mujoco", "wire"), ("policy_killed", "motor_hot", "command_nan"), ("stand", "active"), 2)
    names = [(each.backend, each.name, each.mode) for each in asked]
    assert len(asked) == 2 * len(set(names)) == 16
    assert ("mujoco", "motor_hot", "active") not in names
    assert ("wire", "command_nan", "stand") not in names


def test_parts_are_of_one_backend_seed_and_set_up_and_end_with_what_breaks() -> None:
    cells = plan(("mujoco", "wire"), (), MODES, 3)
    made = parts(cells)
    assert sorted(map(str, (cell for part in made for cell in part.cells))) == sorted(map(str, cells))
    assert [part.number for part in made] == list(range(len(made)))
    assert [part.number for part in parts(cells, 7)][:2] == [7, 8]
    for backend in BACKENDS:
        sizes = [len(part.cells) for part in made if part.cells[0].backend == backend]
        assert sizes == sorted(sizes, reverse=True)
    assert [part.cells[0].backend for part in made[:4]] == ["mujoco", "wire"] * 2
    for part in made:
        assert len({(cell.backend, cell.seed, cell.kind.setup) for cell in part.cells}) == 1
        broken = [cell.kind.last for cell in part.cells]
        assert broken == sorted(broken)
        modes = [cell.mode for cell in part.cells if not cell.kind.last]
        assert modes == sorted(modes, reverse=True), "standing, then walking"


def rows() -> list[Row]:
    land = [
        Row("tilt", "active", seed, "wire", "land", "tilt", 10.0 + seed, "damping", True, True, True) for seed in (1, 0)
    ]
    late = Row("tilt", "active", 2, "wire", "land", "tilt, policy", 112.3, "sit", True, True, False, "too late")
    went = Row("disk_full", "stand", 0, "mujoco", "tolerate", "", None, "", True, True, True)
    skipped = Row("disk_full", "active", 0, "mujoco", "tolerate", "", None, "", False, False, False, "skipped: root")
    return [*land, late, skipped, went]


def test_rows_come_in_the_order_of_the_plan() -> None:
    told = [(row.fault, row.mode, row.seed) for row in in_order(rows())]
    assert told == [("disk_full", "stand", 0), ("disk_full", "active", 0), *(("tilt", "active", n) for n in range(3))]


def test_the_table_of_the_page_has_a_cell_for_each_mode_and_backend() -> None:
    lines = {
        line.split("`")[1]: [cell.strip() for cell in line.split("|")[1:-1]] for line in table(rows()).splitlines()[2:]
    }
    assert set(lines) == set(KINDS)
    assert lines["tilt"][1:3] == ["land", "land"]
    assert lines["tilt"][4:] == ["not run", "not run", "not run", "damping 2x, sit 1x: policy, tilt, 112 ms **!**1/3"]
    assert lines["disk_full"][4:] == ["went on", "skipped: root", "not run", "not run"]
    assert lines["motor_hot"][4:6] == ["–", "–"]


def test_the_page_has_every_kind_and_no_other() -> None:
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    table = page.split("## The kinds", 1)[1]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(KINDS)


def test_ages_are_those_of_the_safety_file() -> None:
    limits = load_safety("go2", load_robot_spec("go2"))
    assert age_s(limits, "", 200.0) == 0.0
    assert age_s(limits, "command_age", 200.0) == 0.08
    assert age_s(limits, "clamping", 200.0) == 0.5
    faster = limits.at_rate(2.5)  # what a driver at 500 Hz counts
    assert age_s(faster, "clamping", 500.0) == 0.5
    assert {kind.age for kind in KINDS.values() if age_s(limits, kind.age, 200.0) >= 0.0}
    assert max(SETTLED.values()) < 5.0
