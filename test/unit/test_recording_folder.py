"""The folder of a recording: where it is made, what stays, what is deleted, and the words of the tools that read it."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from robot_policies.cli import replay, run
from robot_policies.control.recording.folder import forget_old, keep_facts, new_run, recordings
from robot_policies.control.recording.subjects import read_facts
from robot_policies.exceptions import RecordingError, ResourceError
from robot_policies.nodes.bringup import Bringup, load_bringup
from robot_policies.nodes.recording_place import recording_folder

SIM = load_bringup("sim")


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def old(name: str, size: int = 10) -> Path:
    folder = recordings() / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "bag").write_bytes(b"x" * size)
    return folder


def folder_of(bringup: Bringup = SIM, **given: Any) -> str:
    return recording_folder(bringup, given, print)


def test_a_run_is_recorded_in_the_users_data_folder(tmp_path: Path) -> None:
    folder = Path(folder_of())
    assert folder.parent == recordings() == tmp_path / "data" / "robot_policies" / "runs"
    assert folder.name.endswith(f"-go2_walk-{os.getpid()}")
    told = json.loads((folder / "arguments.json").read_text())
    assert told["robot"] == "go2" and told["record"] is True


def test_or_where_it_is_asked_for_or_not_at_all(tmp_path: Path) -> None:
    folder = Path(folder_of(record_folder=str(tmp_path / "here")))
    assert folder.parent == tmp_path / "here" and not recordings().exists()
    assert folder_of(record="false") == folder_of(record=False, record_folder=str(tmp_path)) == ""
    with pytest.raises(ResourceError, match="record; found /somewhere; valid: true, false"):
        folder_of(record="/somewhere")


def test_two_robots_of_one_launch_file_have_two_folders() -> None:
    names = [Path(folder_of(namespace=name)).name.split("-", 2)[2] for name in ("/fleet/r1", "/fleet/r2")]
    assert names == [f"fleet_{robot}-go2_walk-{os.getpid()}" for robot in ("r1", "r2")]


def test_a_bringup_that_knows_no_recording_runs_without() -> None:
    assert folder_of(Bringup(description="small", arguments={"policy": "p"}, processes=())) == ""


def test_a_place_that_cannot_be_written_is_an_error_only_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(RecordingError, match="no recording"):
        folder_of(record_folder=str(file))
    monkeypatch.setenv("XDG_DATA_HOME", str(file))
    assert folder_of() == "" and "no recording" in capsys.readouterr().out


def options(*words: str, bringup: Bringup = SIM) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return run.given_arguments(parser.parse_args(list(words)), bringup)


def test_the_command_line_says_where_and_whether() -> None:
    assert options("--record", "/there")["record_folder"] == "/there" and "record" not in options()
    assert options("--no-record")["record"] is False
    small = Bringup(description="small", arguments={"policy": "p"}, processes=())
    assert options("--no-record", bringup=small) == {}
    with pytest.raises(ResourceError, match="--record; found --no-record too"):
        options("--record", "/there", "--no-record")


@pytest.mark.parametrize("name", ["sim", "unitree", "unitree_legged", "hil", "policy"])
def test_every_bringup_records_unless_told_not_to_and_ends_its_recorder_last(name: str) -> None:
    bringup = load_bringup(name)
    assert bringup.arguments["record"] is True and bringup.arguments["record_folder"] == ""
    assert "recorder_node" not in [process.name for process in bringup.resolve({})]
    processes = bringup.resolve({}, "/there")
    assert processes[0].executable == "recorder_node" and not processes[0].required
    for folder, resolved in (("/there", processes), ("", bringup.resolve({}))):
        told = {process.executable: process.parameters.get("record") for process in resolved}
        assert told["policy_node"] == folder == told.get("robot_node", folder) == told.get("recorder_node", folder)


def test_the_oldest_recordings_go_by_number_and_by_size() -> None:
    runs = [old(f"2026010{day}-run") for day in range(1, 6)]
    other = recordings() / "20200101-notes"
    other.mkdir()
    assert forget_old(recordings(), most_runs=3) == [runs[1], runs[0]]
    assert forget_old(recordings(), most_bytes=15) == [runs[3], runs[2]]
    assert forget_old(recordings(), most_bytes=1) == [] and runs[4].is_dir() and other.is_dir()


def test_two_runs_have_two_folders(tmp_path: Path) -> None:
    first = new_run("some/bundle", tmp_path)
    assert first.name.endswith(f"-bundle-{os.getpid()}")
    with pytest.raises(RecordingError, match="File exists"):
        first.mkdir(exist_ok=True)
        for _ in range(3):  # at least two in one second
            new_run("some/bundle", tmp_path)


def test_what_a_run_is_made_of_is_kept(tmp_path: Path) -> None:
    keep_facts(tmp_path, "go2", "go2", ("go2_walk",))
    facts = read_facts(tmp_path)
    assert facts["robot"] == facts["safety"] == "go2" and len(facts["bundles"]["go2_walk"]) == 64
    assert {"numpy", "onnxruntime", "robot_policies", "python"} <= set(facts["versions"])
    assert (tmp_path / "bundles" / "go2_walk" / "golden.npz").is_file()
    assert yaml.safe_load((tmp_path / "config" / "safety" / "go2.yaml").read_text())["robot"] == "go2"
    with pytest.raises(ResourceError):
        keep_facts(tmp_path, "nobody", "go2", ())


def test_a_recording_is_found_by_path_name_or_as_the_last_one(tmp_path: Path) -> None:
    first, last = old("20260101-a"), old("20260102-b")
    assert replay.find_run("last") == last and replay.find_run("20260101-a") == first == replay.find_run(str(first))
    with pytest.raises(RecordingError, match="20260102-b"):
        replay.find_run("20269999")
    assert read_facts(tmp_path / "none") == {}
