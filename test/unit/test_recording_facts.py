"""What a recording says of its run: its checkout and bundles, from before the first moment on, and what it lacks."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.bundles import make_bundle
from helpers.offline import SPEC

from robot_policies.bundle.load import load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording import folder
from robot_policies.control.recording.facts import account, bundle_hash, is_name, read_facts, unrecorded
from robot_policies.control.recording.folder import keep_arguments, keep_facts, keep_outcome, kept_names
from robot_policies.control.recording.journal import POLICY, Journal, JournaledSwitchingStep
from robot_policies.control.recording.steps import Call, StepFile
from robot_policies.control.recording.subjects import Subjects
from robot_policies.exceptions import RecordingError

GO2 = {"robot": "go2", "policy": "go2_walk", "companion": "", "safety": "", "headless": True}


def git(place: Path, *words: str) -> str:
    line = ["git", "-C", str(place), "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    place = tmp_path / "theirs"
    (place / "robot_policies" / "control" / "recording").mkdir(parents=True)
    (place / "file").write_text("1")
    git(place, "init", "-q")
    git(place, "add", "file")
    git(place, "commit", "-q", "-m", "first")
    return place


def revision_seen_from(module: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(folder, "__file__", str(module / "control" / "recording" / "folder.py"))
    return folder._git_revision()


def test_the_revision_is_that_of_the_checkout_that_runs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    revision = git(checkout, "rev-parse", "HEAD")
    git(checkout, "tag", "v1")
    assert revision_seen_from(checkout / "robot_policies", monkeypatch) == revision
    (checkout / "file").write_text("2")
    assert revision_seen_from(checkout / "robot_policies", monkeypatch) == f"{revision}-dirty"


def test_a_package_inside_of_somebodys_repository_has_no_revision(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = checkout / ".venv" / "lib" / "python3.11" / "site-packages" / "robot_policies"
    (installed / "control" / "recording").mkdir(parents=True)
    assert revision_seen_from(installed, monkeypatch) == ""


def test_a_hook_of_another_repository_changes_nothing(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    git(other, "commit", "-q", "--allow-empty", "-m", "other")
    revision = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert revision_seen_from(checkout / "robot_policies", monkeypatch).removesuffix("-dirty") == revision


def test_everything_is_kept_before_a_process_starts(tmp_path: Path) -> None:
    run = tmp_path / "run"
    keep_arguments(run, GO2)
    assert account(run) == [] and json.loads((run / "arguments.json").read_text()) == GO2
    facts = read_facts(run)
    assert (facts["robot"], facts["safety"]) == ("go2", "go2") and set(facts["bundles"]) == {"go2_walk"}
    for kept in ("bundles/go2_walk/actor.onnx", "config/robots/go2.yaml", "config/safety/go2.yaml"):
        assert (run / kept).is_file()
    (run / "run.json").write_text(json.dumps({**facts, "started": "then"}))
    keep_facts(run, "go2", "", ("go2_walk",))  # as the recorder does later
    assert read_facts(run)["started"] == "then"


def test_what_is_there_already_is_neither_changed_nor_mixed(tmp_path: Path) -> None:
    theirs = make_bundle(tmp_path / "run" / "bundles" / "tiny", SPEC).folder
    (theirs / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in theirs.iterdir()}
    other = make_bundle(tmp_path / "tiny", SPEC, version="9.9.9").folder
    assert bundle_hash(other) != bundle_hash(theirs)
    with pytest.raises(RecordingError, match="bundles/tiny: nothing yet; found something else of that"):
        keep_facts(tmp_path / "run", "go2", "go2", (str(other),))
    assert {path: path.read_bytes() for path in theirs.iterdir()} == before
    robot = tmp_path / "run" / "config" / "robots" / "go2.yaml"
    robot.write_text("mine")
    with pytest.raises(RecordingError, match="go2.yaml: nothing yet"):
        keep_facts(tmp_path / "run", "go2", "go2", ())
    assert robot.read_text() == "mine"


def test_two_bundles_whose_folders_have_one_name_are_both_kept_and_replayed(tmp_path: Path) -> None:
    main = make_bundle(tmp_path / "a" / "tiny", SPEC).folder
    other = make_bundle(tmp_path / "b" / "tiny", SPEC, name="blind", version="2.0.0").folder
    run, names = tmp_path / "run", kept_names([main, other])
    assert names == ["tiny", f"tiny-{bundle_hash(other)[:12]}"] and kept_names([main, main]) == ["tiny", "tiny"]
    keep_facts(run, "go2", "go2", (str(main), str(other)))
    assert read_facts(run)["bundles"] == {names[0]: bundle_hash(main), names[1]: bundle_hash(other)}
    assert [bundle_hash(run / "bundles" / name) for name in names] == [bundle_hash(main), bundle_hash(other)]
    loaded = [load_bundle(each, SPEC) for each in (main, other)]
    step = JournaledSwitchingStep(*(PolicyStep(bundle, SPEC) for bundle in loaded))
    journal = Journal(run, POLICY, print)
    step.begin(journal, "go2", loaded)
    journal.close()
    (begin,) = StepFile(run / f"{POLICY}.mcap", POLICY)
    assert isinstance(begin, Call) and begin.named["bundles"] == tuple(names)
    again = Subjects(run).policy(begin.named)
    assert [profile.name for profile in again.profiles] == [profile.name for profile in step.profiles]


def test_what_was_not_recorded_is_told_and_kept(tmp_path: Path) -> None:
    keep_arguments(tmp_path, GO2)
    report: dict[str, Any] = {"seconds": 3.0, "steps_recorded": 9, "steps_dropped": 2, "messages_dropped": 0}
    report |= {"recording_error": "the disk is full", "not_recorded": {"/odd": "types a, b"}}
    lines = ["steps dropped while it was recorded: 2", "the disk is full", "not recorded: /odd: types a, b"]
    assert unrecorded([report]) == lines and unrecorded([{"cycles": 4, "x_dropped": "?", "not_recorded": 3}]) == []
    keep_outcome(tmp_path, report)
    assert account(tmp_path) == lines and "seconds" not in read_facts(tmp_path)["recording"]
    assert read_facts(tmp_path)["robot"] == "go2", "and the rest stays"
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        keep_outcome(tmp_path / "file", report)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b", "x" * 201, 3, None])
def test_what_leads_elsewhere_is_no_name(name: object) -> None:
    assert not is_name(name) and is_name("go2_walk")


def test_a_runs_report_has_what_every_recorder_said() -> None:
    pytest.importorskip("rclpy")
    from robot_policies.nodes.session import Session

    session = Session.__new__(Session)
    robot = {"steps_recorded": 10, "steps_dropped": 1, "recording_error": "robot's", "cycles": 3}
    policy = {"steps_recorded": 5, "steps_dropped": 2, "recording_error": ""}
    recorder = {"messages_recorded": 7, "messages_dropped": 4, "recording_error": "full", "not_recorded": {"/x": "why"}}
    session._operator = SimpleNamespace(robot=robot, policy=policy, recorder=recorder)  # type: ignore[assignment]
    session._processes = SimpleNamespace(ended={"viewer_node": 1})  # type: ignore[assignment]
    told = session._recording()
    assert (told["steps_recorded"], told["steps_dropped"], told["messages_dropped"]) == (15, 3, 4)
    assert told["recording_error"] == "robot's; full" and told["not_recorded"] == {"/x": "why"}
    session._processes = SimpleNamespace(ended=Counter(recorder_node=-9))  # type: ignore[assignment]
    assert session._recording()["recording_error"] == "robot's; full; the recorder_node has ended with code -9"
    silent = SimpleNamespace(robot={}, policy={}, recorder={})
    session._operator, session._processes = silent, SimpleNamespace(ended={})  # type: ignore[assignment]
    assert unrecorded([session._recording()]) == [] and session._recording()["steps_dropped"] == 0
