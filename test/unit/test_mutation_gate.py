"""The gate of mutation testing: what counts as killed, what the list may say, and when it is enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutation import gate
from mutation.gate import Mutant, function, judge, read_list

METHOD = "robot_policies.safety.watchdog.xǁCommandWatchdogǁcheck__mutmut_5"
DIFF = """--- a.py
+++ a.py
@@ -1,3 +1,3 @@
     age_ns = now_ns - stamp_ns
-    if age_ns > self.limit_ns:
+    if age_ns >= self.limit_ns:
     return None
"""
CHANGE = ("watchdog.CommandWatchdog.check", "if age_ns > self.limit_ns:", "if age_ns >= self.limit_ns:")


def alive(diff: str = DIFF) -> Mutant:
    return Mutant(METHOD, "watchdog.py", False, diff=diff)


def dead(count: int) -> list[Mutant]:
    return [Mutant(f"robot_policies.safety.ramp.x_at__mutmut_{i}", "ramp.py", True) for i in range(count)]


def test_a_mutant_is_known_by_its_function_and_its_lines() -> None:
    assert function(METHOD) == "watchdog.CommandWatchdog.check"
    assert function("robot_policies.safety.motion.x__stand_gains__mutmut_12") == "motion._stand_gains"
    assert alive().change == CHANGE


@pytest.mark.parametrize(
    ("killed", "survived", "passed"), [(95, 5, True), (94, 6, False), (100, 0, True), (0, 0, False)]
)
def test_95_of_100_are_enough(killed: int, survived: int, passed: bool) -> None:
    verdict = judge([*dead(killed), *[alive()] * survived], {})
    assert (verdict.passed, len(verdict.survivors)) == (passed, survived)


def test_equivalent_ones_do_not_count() -> None:
    verdict = judge([*dead(19), *[alive()] * 6], {CHANGE: "a reason"})
    assert verdict.passed and verdict.share == 1.0
    assert (len(verdict.equivalent), verdict.survivors) == (6, ())
    other = alive(DIFF.replace(">=", "<"))
    verdict = judge([*dead(9), alive(), other], {CHANGE: "a reason"})
    assert verdict.survivors == (other,) and verdict.share == pytest.approx(0.9)
    assert "survived: " + METHOD in gate.report([*dead(9), alive(), other], verdict)
    assert "if age_ns < self.limit_ns:" in gate.report([*dead(9), alive(), other], verdict)


def test_an_equivalent_one_that_hung_on_a_busy_machine_stays_equivalent() -> None:
    slow = Mutant(METHOD, "watchdog.py", True, hung=True, diff=DIFF)
    verdict = judge([*dead(9), slow], {CHANGE: "a reason"})
    assert verdict.passed and verdict.equivalent == (slow,)
    assert gate.table([*dead(9), slow], verdict).splitlines()[-1].split()[1:6] == ["10", "9", "0", "1", "0"]
    unlisted = judge([*dead(9), slow], {})
    assert unlisted.passed and unlisted.equivalent == () and unlisted.share == 1.0


def test_an_entry_that_nothing_matches_is_an_error() -> None:
    gone = ("ramp.at", "x", "y")
    verdict = judge([*dead(50), alive()], {CHANGE: "a reason", gone: "another"})
    assert not verdict.passed and verdict.stale == (gone,)
    assert "no mutant of ramp.at survives" in gate.report(dead(50), verdict)


def write(folder: Path, text: str) -> Path:
    path = folder / "equivalent.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_list_is_read_without_the_blanks_around_lines(tmp_path: Path) -> None:
    text = "- function: a.b\n  was: |\n    x = 1\n      y\n  now: '  x = 2 '\n  reason: same\n"
    assert read_list(write(tmp_path, text)) == {("a.b", "x = 1\ny", "x = 2"): "same"}
    assert read_list(write(tmp_path, "[]")) == {}


@pytest.mark.parametrize(
    "text",
    [
        "- {function: a.b, was: x, now: y}\n",
        "- {function: a.b, was: x, now: y, reason: ''}\n",
        "- {function: a.b, was: x, now: y, reason: r, number: '3'}\n",
        "- {function: a.b, was: 1, now: y, reason: r}\n",
        "- {function: a.b, was: x, now: y, reason: r}\n- {function: a.b, was: x, now: y, reason: s}\n",
    ],
)
def test_an_entry_must_be_whole_and_be_there_once(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="equivalent.yaml"):
        read_list(write(tmp_path, text))


def test_the_shipped_list_is_whole() -> None:
    listed = read_list(gate.LIST)
    assert all(reason and "\n" not in reason for reason in listed.values())


def test_the_table_adds_up() -> None:
    mutants = [*dead(3), Mutant("m.x_a__mutmut_1", "ramp.py", True, hung=True), alive()]
    lines = gate.table(mutants, judge(mutants, {CHANGE: "a reason"})).splitlines()
    assert lines[1].split() == ["ramp.py", "4", "4", "1", "0", "0", "100.0%"]
    assert lines[2].split() == ["watchdog.py", "1", "0", "0", "1", "0", "-"]
    assert lines[3].split() == ["all", "5", "4", "1", "1", "0", "100.0%"]
