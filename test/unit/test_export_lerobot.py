"""Recordings as LeRobot data sets: what is handed to the package, and, where it is installed, what it reads back."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.offline import SPEC, event
from helpers.recorded import WALK, calls, record, rewrite
from helpers.seeing import seeing_bundle

from robot_policies.cli.main import main
from robot_policies.control.recording.journal import POLICY
from robot_policies.exceptions import RecordingError
from robot_policies.export.episodes import read_episodes, same_features
from robot_policies.types import DepthImage, PolicyRecord, RobotState, owned


class Stand:
    """Stands for ``LeRobotDataset``: keeps what it is given."""

    made: list[Stand] = []

    def __init__(self, created: dict[str, Any]) -> None:
        self.created, self.frames, self.episodes, self.finalized = created, [], [], False
        self.made.append(self)

    @classmethod
    def create(cls, repo_id: str, fps: int, features: Any, root: Path, robot_type: str, use_videos: bool) -> Stand:
        return cls({"id": repo_id, "fps": fps, "features": features, "root": root, "robot": robot_type})

    def add_frame(self, frame: dict[str, Any]) -> None:
        assert frame.pop("task") == "walk"
        features = self.created["features"]
        assert set(frame) == set(features)
        for name, value in frame.items():
            assert value.dtype == features[name]["dtype"] and value.shape == features[name]["shape"], name
        self.frames.append(frame)

    def save_episode(self) -> None:
        self.episodes.append(len(self.frames))

    def finalize(self) -> None:
        self.finalized = True


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> type[Stand]:
    module = types.ModuleType("lerobot.datasets.lerobot_dataset")
    module.LeRobotDataset = Stand  # type: ignore[attr-defined]
    for name in ("lerobot", "lerobot.datasets"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Stand, "made", [])
    return Stand


def camera(state: RobotState) -> dict[str, DepthImage]:
    """Give an image every 35 ms, the first after a while."""
    if state.stamp_ns % 35_000_000 or state.stamp_ns <= 100_000_000:
        return {}
    depth = np.random.default_rng(state.stamp_ns).uniform(0.3, 3.0, (60, 106))
    return {"depth": DepthImage(state.stamp_ns - 100_000_000, owned(depth, np.float32))}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with two activations."""
    folder = tmp_path_factory.mktemp("export") / "twice"
    record(folder, "go2_walk", cycles=640, events=(*WALK, event(400, "deactivate"), event(560, "activate")))
    return folder


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    seeing_bundle(folder / "bundle", SPEC)
    record(folder / "run", folder / "bundle", cameras=camera)
    return folder / "run"


@pytest.fixture
def run(twice: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(twice, tmp_path / "run"))


def ticks(run: Path) -> list[PolicyRecord]:
    return [call.result for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]


def test_each_activation_is_an_episode_and_each_tick_a_frame(run: Path, stand: type[Stand], tmp_path: Path) -> None:
    code = main(["export", "lerobot", str(run), str(tmp_path / "set"), "--task", "walk"])
    assert code == 1  # the topics are missing, which an offline run has none of
    (made,) = stand.made
    recorded = ticks(run)
    second = next(i for i, tick in enumerate(recorded) if i and tick.tick == 0)
    assert made.finalized and made.episodes == [second, len(recorded)] and made.created["fps"] == 50
    assert made.created["robot"] == "go2" and made.created["root"] == tmp_path / "set"
    names = made.created["features"]["observation.state"]["names"]
    assert names == [f"{joint}.{kind}" for kind in ("pos", "vel") for joint in SPEC.joint_names]
    assert made.created["features"]["observation.foot_force"]["names"] == list(SPEC.feet)
    for tick, frame in zip(recorded, made.frames, strict=True):
        state = tick.inputs.state
        np.testing.assert_array_equal(frame["action"], tick.command.joint_pos.astype(np.float32))
        np.testing.assert_array_equal(frame["observation.state"][:12], state.joint_pos.astype(np.float32))
        np.testing.assert_array_equal(frame["observation.state"][12:], state.joint_vel.astype(np.float32))
        np.testing.assert_array_equal(frame["observation.base"][4:7], state.base_ang_vel.astype(np.float32))
        np.testing.assert_array_equal(frame["observation.network.policy"], tick.observation.groups["policy"])
    times = [float(frame["observation.robot_time"][0]) for frame in made.frames]
    np.testing.assert_allclose(times[:second], 0.02 * np.arange(second), atol=1e-6)
    assert times[second] == 0.0
    speeds = [frame["observation.velocity_command"][0] for frame in made.frames]
    assert speeds[0] == 0.0 and speeds[second - 1] == 0.5  # none has come at the first tick


def test_a_frame_has_the_newest_image(seeing: Path) -> None:
    episodes = read_episodes(seeing)
    recorded = ticks(seeing)
    newest, frames = None, list(episodes.frames(0))
    first = next(i for i, tick in enumerate(recorded) if tick.inputs.depth)
    for tick, frame in zip(recorded[first:], frames, strict=True):
        newest = tick.inputs.depth.get("depth", newest)
        np.testing.assert_array_equal(frame["observation.depth.depth"], newest.depth)  # type: ignore[union-attr]
    assert episodes.features["observation.depth.depth"].shape == (60, 106)


def test_a_lost_tick_begins_another_episode(run: Path) -> None:
    before = [len(rows) for rows in read_episodes(run).rows]
    changed: list[Any] = list(calls(run, POLICY))
    places = [i for i, call in enumerate(changed) if isinstance(call.result, PolicyRecord)]
    changed[places[5]] = None
    rewrite(run, POLICY, changed)
    episodes = read_episodes(run)
    assert [len(rows) for rows in episodes.rows] == [5, before[0] - 6, before[1]]
    assert any("1 step record missing" in note for note in episodes.notes)


def test_a_tick_with_a_number_that_is_none_is_left_out_and_said(run: Path) -> None:
    changed = calls(run, POLICY)
    place = [i for i, call in enumerate(changed) if isinstance(call.result, PolicyRecord)][3]
    result = changed[place].result
    state = dataclasses.replace(result.inputs.state, joint_vel=np.full(12, np.nan))
    inputs = dataclasses.replace(result.inputs, state=state)
    changed[place] = dataclasses.replace(changed[place], result=dataclasses.replace(result, inputs=inputs))
    rewrite(run, POLICY, changed)
    episodes = read_episodes(run)
    assert 3 not in episodes.rows[0] and "ticks left out: 1, which lack a value that the others have" in episodes.notes
    assert any(note.startswith("steps longer than control_dt: 1;") for note in episodes.notes)


def test_runs_that_do_not_fit_together_are_refused(run: Path, seeing: Path, tmp_path: Path) -> None:
    one, other = read_episodes(run), read_episodes(seeing)
    same_features([one, one])
    with pytest.raises(RecordingError, match=r"the same features; found others: observation\.depth\.depth"):
        same_features([one, other])
    with pytest.raises(RecordingError, match="the same rate; found 25; valid: 50"):
        same_features([one, dataclasses.replace(one, fps=25)])
    with pytest.raises(RecordingError, match="the same robot; found a1; valid: go2"):
        same_features([one, dataclasses.replace(one, robot="a1")])


def test_what_cannot_be_exported_is_one_line(
    run: Path, stand: type[Stand], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    assert main(["export", "lerobot", str(run), str(tmp_path / "there")]) == 2
    assert "it is there already" in (said := capsys.readouterr().err) and len(said.splitlines()) == 1
    (run / f"{POLICY}.mcap").unlink()
    assert main(["export", "lerobot", str(run), str(tmp_path / "set")]) == 2
    said = capsys.readouterr().err
    assert "policy steps with their control_dt" in said and len(said.splitlines()) == 1
    assert not stand.made


def test_without_the_package_the_line_says_what_to_install(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lerobot", None)
    assert main(["export", "lerobot", str(run), str(tmp_path / "set")]) == 2
    said = capsys.readouterr().err
    assert 'pip install "lerobot' in said and len(said.splitlines()) == 1 and not (tmp_path / "set").exists()


def test_lerobot_reads_it_back(run: Path, seeing: Path, tmp_path: Path) -> None:
    dataset_class = pytest.importorskip(
        "lerobot.datasets.lerobot_dataset", reason="the package lerobot reads the data set back"
    ).LeRobotDataset
    for name, each in (("blind", run), ("seeing", seeing)):
        out = tmp_path / name
        assert main(["export", "lerobot", str(each), str(out), "--task", "walk"]) == 1
        dataset, episodes = dataset_class("local/set", root=out), read_episodes(each)
        frames = [frame for episode in range(len(episodes.rows)) for frame in episodes.frames(episode)]
        assert len(dataset) == len(frames) and dataset.num_episodes == len(episodes.rows) and dataset.fps == 50
        for index, frame in enumerate(frames):
            item = dataset[index]
            assert item["task"] == "walk"
            for key, value in frame.items():
                np.testing.assert_array_equal(item[key].numpy().reshape(value.shape), value, err_msg=key)
