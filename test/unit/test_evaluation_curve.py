"""Success over difficulty as a picture, and what is said where it cannot be drawn."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from robot_policies.exceptions import RobotError
from sim2real.evaluation import curve
from sim2real.evaluation.command import _plot


def card(course: str, difficulty: float, rate: float, policy: str = "one", plant: str = "nominal") -> dict[str, Any]:
    ends = [max(0.0, rate - 0.1), min(1.0, rate + 0.1)]
    return {"course": course, "difficulty": difficulty, "rate": rate, "policy": policy, "plant": plant, "ci95": ends}


CARDS = [
    card("step", 0.4, 0.5), card("step", 0.2, 1.0), card("step", 0.4, 0.1, "two"), card("gap", 0.6, 0.9),
    card("gap", 0.6, 0.7, plant="randomized"),
]  # fmt: skip


def test_a_line_for_each_policy_and_plant_in_the_order_of_difficulty() -> None:
    found = curve.lines(CARDS)
    assert found["step"] == {"one": [(0.2, 1.0, 0.9, 1.0), (0.4, 0.5, 0.4, 0.6)], "two": [(0.4, 0.1, 0.0, 0.2)]}
    assert list(found["gap"]) == ["one", "one (randomized)"]


def test_the_picture_grows_with_the_courses(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="in the extra train only")
    widths = []
    for number, cards in enumerate((CARDS[:3], CARDS)):
        path = tmp_path / f"{number}.png"
        curve.draw(cards, path)
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        widths.append(struct.unpack(">I", content[16:20])[0])
    assert widths[1] == pytest.approx(2 * widths[0], abs=4)
    with pytest.raises(RobotError, match="plot: a file that can be written"):
        curve.draw(CARDS, tmp_path)


def test_without_matplotlib_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    _plot(CARDS, tmp_path / "curve.png")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "plot: matplotlib; found not installed; valid: pip install" in said[0]
    assert not (tmp_path / "curve.png").exists()
