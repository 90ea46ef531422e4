"""Every verb on every damage: what can be read is read, what is missing is named, nothing crashes."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

pytest.importorskip("rclpy", reason="the topics of a recording are messages of ROS 2")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from helpers import damage as d
from helpers.damage_cases import ALL, CASES, EXPORT, ON_STEPS, POLICY_FILE, REPLAY, REPORT, ROBOT_FILE, VIEW
from helpers.recorded import WALK, calls, record, rewrite
from helpers.report_page import ReportPage
from helpers.topic_bag import SECONDS, story, write

from robot_policies.cli.main import main
from robot_policies.control.recording import bag
from robot_policies.control.recording.facts import read_facts
from robot_policies.control.recording.folder import keep_outcome
from robot_policies.control.recording.history import read_history
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.nodes import viewer_recording
from robot_policies.nodes.viewer_player import Sought
from robot_policies.types import RobotRecord

WHOLE = {REPLAY: 0, REPORT: 0, EXPORT: 0, VIEW: 130}  # a viewer ends by Ctrl-C
NOTHING = 2
PART = {REPLAY: 1, REPORT: 1, EXPORT: 1, VIEW: 130}


class Page:
    """Stands for the viewer's page: looks at several moments of the recording, then presses Ctrl-C."""

    address = "here"

    def __init__(self, host: str, port: int, controls: Callable[[Any, Any], None], depth_range: Any) -> None:
        gui = MagicMock()
        gui.add_slider.return_value.value, gui.add_slider.return_value.max = 0.0, SECONDS
        controls(gui, lambda event: None)
        self._moments = iter((0.0, SECONDS / 2.0, SECONDS))

    def events(self) -> Iterator[object]:
        moment = next(self._moments, None)
        if moment is None:
            raise KeyboardInterrupt
        yield Sought(moment)

    def watched(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return MagicMock()


class Dataset:
    """Stands for ``LeRobotDataset``."""

    @classmethod
    def create(cls, *args: Any, **named: Any) -> MagicMock:
        return MagicMock()


@pytest.fixture(autouse=True)
def _stands(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lerobot.datasets.lerobot_dataset")
    module.LeRobotDataset = Dataset  # type: ignore[attr-defined]
    for name in ("lerobot", "lerobot.datasets"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(viewer_recording, "Page", Page)
    monkeypatch.setattr(viewer_recording, "IDLE", 0.0)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bag, "CHUNK_BYTES", 12_000)  # several in each file
        record(folder, "go2_walk", cycles=352, events=WALK)
    write(folder, story(depth=False))
    return folder


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "run"))


@pytest.fixture
def verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Path], tuple[int, str]]:
    def start(name: str, run: Path) -> tuple[int, str]:
        more = {REPORT: ("--pictures", "0"), EXPORT: (str(tmp_path / "set"),), VIEW: ("--no-browser",)}.get(name, ())
        code = main([name, *(("lerobot",) if name == EXPORT else ()), str(run), *more])
        said = capsys.readouterr()
        assert code != NOTHING or len(said.err.splitlines()) == 1, said.err
        return code, said.out + said.err

    return start


Verb = Callable[[str, Path], tuple[int, str]]


@pytest.mark.parametrize("name", ALL)
def test_a_whole_recording_lacks_nothing(recorded: Path, verb: Verb, name: str) -> None:
    code, said = verb(name, recorded)
    assert code == WHOLE[name] and "missing" not in said, said


@pytest.mark.parametrize(("case", "name"), [(case, name) for case, values in CASES.items() for name in values[1]])
def test_damage_is_named_and_the_rest_is_read(run: Path, verb: Verb, case: str, name: str) -> None:
    damage, _, word, nothing = CASES[case]
    damage(run)
    code, said = verb(name, run)
    assert word in said and said.strip(), said
    assert code == (NOTHING if name in nothing else PART[name]), said


def test_without_its_beginning_the_policies_are_those_of_the_account(run: Path, verb: Verb) -> None:
    whole = verb(REPLAY, run)[1].splitlines()[0]
    assert whole.startswith("policy: 13 ticks") and whole.endswith("no difference")
    d.call(POLICY, 0)(run)
    assert "policy: 13 ticks" in (said := verb(REPLAY, run)[1]) and "policy: missing: 1 step record" in said
    assert said.count("no difference") == 2
    assert "13 frames at 50 a second" in verb(EXPORT, run)[1], "control_dt is the bundle's"


def test_a_file_whose_description_is_lost_is_replayed_from_the_next_activation_on(run: Path, verb: Verb) -> None:
    d.changed(ROBOT_FILE, d.without_description)(run)
    code, said = verb(REPORT, run)
    assert code == 1 and "robot_steps: " in said and "step records missing: dropped" in said
    history = read_history(run)
    assert 200 < history.robot.stamp_ns.size < 352 and history.robot.joint_pos.shape[1] == 12
    assert history.policy.stamp_ns.size == 13


def test_a_record_of_other_values_is_a_difference(run: Path, verb: Verb) -> None:
    found = calls(run, ROBOT)
    places = [place for place, call in enumerate(found) if isinstance(call.result, RobotRecord)]
    result = found[places[5]].result
    found[places[5]] = dataclasses.replace(found[places[5]], result=dataclasses.replace(result, state=None))
    rewrite(run, ROBOT, found)
    code, said = verb(REPLAY, run)
    assert code == 1 and "robot: 352 cycles" in said and ", state: recorded None, now RobotState(" in said
    assert len(said.splitlines()) == 2 and max(map(len, said.splitlines())) < 400
    safe = dataclasses.replace(found[places[330]].result.safe, joint_pos="far")
    result = dataclasses.replace(found[places[330]].result, safe=safe)
    found[places[330]] = dataclasses.replace(found[places[330]], result=result)
    rewrite(run, ROBOT, found)
    code, said = verb(REPLAY, run)
    assert code == 1 and "robot: 352 cycles" in said and "2 calls differ" in said


def test_a_name_that_no_file_can_have_is_named(run: Path, verb: Verb) -> None:
    d.gone("run.json")(run)
    for topic in (POLICY, ROBOT):
        d.call(topic, 0, named={"robot": "x" * 5000})(run)
    code, said = verb(REPORT, run)
    assert code == 1 and "robot file: the name of a file; found 'xxx" in said


def test_of_several_recordings_the_bad_ones_are_named_and_left_out(
    run: Path, recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    d.gone(POLICY_FILE)(run)
    line = ["export", "lerobot", str(run), str(recorded), str(tmp_path / "none"), str(recorded)]
    assert main([*line, str(tmp_path / "set")]) == 1
    said = capsys.readouterr()
    assert "2 episodes, 26 frames at 50 a second" in said.out
    assert [text for text in said.err.splitlines() if text.startswith("left out: ")] == said.err.splitlines()
    assert f"left out: {run}: " in said.err and f"left out: {tmp_path / 'none'}: " in said.err
    assert main(["export", "lerobot", str(run), str(tmp_path / "none"), str(tmp_path / "set")]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1 and "nothing to export" in said.err and "policy steps with" in said.err


def test_what_the_recorder_says_of_itself_is_on_the_page(run: Path, verb: Verb) -> None:
    values = {"messages_dropped": 12, "recording_error": "the disk is full", "not_recorded": {"/odd": "type a/B"}}
    pairs = [KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]
    told = DiagnosticArray(status=[DiagnosticStatus(name="/recorder_node", values=pairs)])
    write(run, [*story(depth=False), (SECONDS, "/diagnostics", told)])
    lines = ("messages dropped while it was recorded: 12", "not recorded: /odd: type a/B", "the disk is full")
    code, said = verb(REPORT, run)
    page = ReportPage((run / "report.html").read_text(encoding="utf-8")).text
    assert code == 1 and all(line in said and line in page for line in lines)
    keep_outcome(run, {"seconds": 3.0, "steps_dropped": 7, "messages_dropped": 0, "recording_error": ""})
    code, said = verb(REPORT, run)
    page = ReportPage((run / "report.html").read_text(encoding="utf-8")).text
    assert code == 1 and "steps dropped while it was recorded: 7" in page and lines[0] not in page, "the run's report"
    assert verb(REPLAY, run)[0] == 1 and "seconds" not in read_facts(run)["recording"]


@pytest.mark.parametrize("name", [REPORT, VIEW])
@pytest.mark.parametrize("values", [{"trips": [3]}, {"trips": 3}, {"modes": "stand"}, {"clamps": 3, "latency_ms": [1]}])
def test_what_nodes_told_in_another_form_ends_nothing(run: Path, verb: Verb, name: str, values: Any) -> None:
    pairs = [KeyValue(key=key, value=json.dumps(value)) for key, value in values.items()]
    told = DiagnosticArray(status=[DiagnosticStatus(name="/robot_node", values=pairs)])
    write(run, [*story(depth=False), (SECONDS, "/diagnostics", told)])
    assert verb(name, run)[0] == WHOLE[name]


def test_a_place_that_cannot_be_written_is_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(run), "--json", str(run / "none" / "out.json")]) == 2
    assert "--json: a file to write" in (said := capsys.readouterr().err) and len(said.splitlines()) == 1


def test_random_bytes_under_a_right_checksum_end_no_verb(run: Path, verb: Verb) -> None:
    seed = random.Random(7)
    whole = {name: (run / name).read_bytes() for name in d.STEPS}
    for _ in range(3):
        for name, data in whole.items():
            (run / name).write_bytes(data)
            d.random_values(run / name, seed)
        for name in ON_STEPS:
            code, said = verb(name, run)
            assert code in (1, 2) and said
