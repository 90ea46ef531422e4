"""The verb ``report`` as a user starts it: a page, what is missing on standard error, and its exit codes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.offline import event
from helpers.recorded import WALK, record
from helpers.report_page import ReportPage


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "robot_policies" / "runs" / "20260101-000000-go2_walk-1"
    record(folder, "go2_walk", cycles=330, events=(*WALK[:3], event(320, "estop")))
    return folder


def report(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verb with ``home`` as the user's data folder."""
    environment = {**os.environ, "XDG_DATA_HOME": str(home)}
    line = [sys.executable, "-m", "robot_policies.cli", "report", *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=120)


def test_a_page_of_the_last_recording(recorded: Path) -> None:
    done = report(recorded.parents[2], "last", "--pictures", "2")
    assert done.returncode == 1, done.stderr  # an offline run has no topics
    page = ReportPage((recorded / "report.html").read_text(encoding="utf-8"))
    assert done.stdout.startswith(f"report: {recorded / 'report.html'} (")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("missing: topics_0.mcap: no such file") and "topics_0.mcap: no such file" in page.text
    assert len(page.pictures) == 2 or "a working GL" in done.stderr
    assert page.tiles["trips"] == "1" and [mode for mode, _, _ in page.modes][-1] == "landing"


def test_damage_is_named_on_the_page_and_on_standard_error(recorded: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(recorded, tmp_path / "run"))
    path = run / "robot_steps.mcap"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    done = report(tmp_path, str(run), "--out", str(tmp_path / "page.html"), "--pictures", "0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    page = ReportPage((tmp_path / "page.html").read_text(encoding="utf-8"))
    for words in ("robot_steps.mcap: it is cut off after", "topics_0.mcap"):
        assert words in done.stderr and words in page.text
    assert len(page.lines["FL_calf_joint"]["position"]) > 200 and page.pictures == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing_there",), "a recording nothing_there"),
        (("RUN", "--out", "/nowhere/page.html"), "a file to write at /nowhere/page.html"),
        (("RUN", "--pictures", "-1"), "--pictures; found -1"),
    ],
)
def test_what_cannot_be_is_one_line(recorded: Path, arguments: tuple[str, ...], said: str) -> None:
    done = report(recorded.parents[2], *(str(recorded) if each == "RUN" else each for each in arguments))
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_folder_without_steps_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = report(tmp_path, str(tmp_path / "empty"))
    assert done.returncode == 2 and "nothing to show" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list((tmp_path / "empty").iterdir())
