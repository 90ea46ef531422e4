"""A recording as the page hears it: any moment, going on, what is damaged, and what browsers ask for."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist
from helpers.topic_bag import ACTIVE, AHEAD, RATE, SECONDS, SWITCHED, TRIPPED, ns, story, write
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from robot_policies.cli.main import main
from robot_policies.exceptions import RecordingError
from robot_policies.nodes.conversions import set_stamp
from robot_policies.nodes.viewer_bag import TopicBag, first_stamp, newest_before, sampled
from robot_policies.nodes.viewer_inputs import NOBODY
from robot_policies.nodes.viewer_playback import LONGEST, Playback
from robot_policies.nodes.viewer_player import Mark, PlayPressed, Sought, SpeedChosen, Stepped
from robot_policies.nodes.viewer_recording import lacking, marks
from robot_policies.nodes.viewer_report import events, numbers

CYCLE = 1.0 / RATE  # [s]


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> TopicBag:
    run = tmp_path_factory.mktemp("run")
    write(run, story())
    return TopicBag(run)


@pytest.fixture
def playback(bag: TopicBag) -> Playback:
    found = Playback(bag)
    found.inputs.watched = True
    return found


def test_a_moment_is_as_it_was(playback: Playback) -> None:
    playback.seek(6.0 + CYCLE / 2.0)
    inputs = playback.inputs
    assert (inputs.mode, inputs.commanding) == ("active", "other")
    assert inputs.joints() == {"hip": pytest.approx(6.0)}
    assert inputs.base()[0] == pytest.approx([8.0, 0.0, 0.4])
    assert inputs.distance() == pytest.approx(6.0), "from where the recording begins"
    assert inputs.velocity() == (1.0, 0.0, 0.0)
    assert inputs.age("joint_states", playback.now_ns()) == pytest.approx(CYCLE / 2.0, abs=1e-6)
    depth = inputs.depth()
    assert depth is not None and depth[0] == ns(6.0) and depth[1].depth[0, 0] == pytest.approx(1.1)
    assert playback.facts.rate("robot_node") == pytest.approx(200.0)
    assert playback.velocity.rate() == pytest.approx(10.0, rel=0.01)
    assert playback.note == ""


def test_modes_and_trips_are_as_long_ago_as_they_were_then(playback: Playback) -> None:
    playback.seek(6.0)
    told = {event.text: event.ago for event in events(playback)}
    assert told["active"] == pytest.approx(6.0 - ACTIVE)
    assert told["main commands"] == pytest.approx(6.0 - ACTIVE)
    assert told["other commands"] == pytest.approx(6.0 - SWITCHED)
    assert not any(event.trip for event in events(playback))
    playback.seek(SECONDS)
    (trip,) = [event for event in events(playback) if event.trip]
    assert trip.ago == pytest.approx(SECONDS - TRIPPED, abs=0.01)
    assert dict((name, rate) for name, _, rate in numbers(playback).inputs)["depth image"] is None


def test_looking_back_forgets_what_came_later(playback: Playback) -> None:
    playback.seek(SECONDS)
    playback.seek(1.0 + CYCLE / 2.0)
    inputs = playback.inputs
    assert (inputs.mode, inputs.commanding, list(inputs.switches)) == ("stand", "", [(0.0, "")])
    assert playback.velocity.newest is None and playback.velocity.rate() is None
    assert events(playback)[0].text == "stand" and not any(event.trip for event in events(playback))
    assert inputs.history.newest == pytest.approx(ns(1.0) * 1e-9, abs=0.02)
    assert len(inputs.history.of("hip")[0]) == pytest.approx(50, abs=2), "one second, not four"
    depth = inputs.depth()
    assert depth is not None and depth[0] == ns(1.0)


def test_before_anything_is_said_nothing_is_shown(playback: Playback) -> None:
    playback.seek(6.0)
    playback.seek(-3.0)
    assert playback.position == 0.0
    assert (playback.inputs.mode, playback.inputs.commanding) == ("stand", "")
    playback.inputs.forget()
    assert (playback.inputs.mode, playback.inputs.joints(), len(playback.inputs.switches)) == (NOBODY, {}, 0)


def test_the_plots_hold_the_four_seconds_before_and_the_target_that_went_out_before_each_state(
    playback: Playback,
) -> None:
    playback.seek(6.0 + CYCLE / 2.0)
    times, target, position = playback.inputs.history.of("hip")
    assert len(times) == 200 and times[0] == pytest.approx(-4.0, abs=0.03)
    newest = float(position[-1])
    assert newest == pytest.approx(6.0, abs=0.02)
    assert position == pytest.approx(newest + times, abs=1e-6)
    assert target - position == pytest.approx(np.full(200, AHEAD - CYCLE)), "of the cycle before, as it is live"


def test_going_on_and_looking_there_at_once_are_the_same(bag: TopicBag, playback: Playback) -> None:
    playback.seek(0.0)
    steps = np.random.default_rng(0).uniform(0.01, 0.09, 400)
    for step in steps[np.cumsum(steps) < 6.5]:
        playback.go_on(float(step))
    there = Playback(bag)
    there.seek(playback.position)
    for one, other in ((playback, there),):
        assert one.inputs.joints() == other.inputs.joints()
        assert (one.inputs.mode, one.inputs.commanding) == (other.inputs.mode, other.inputs.commanding)
        assert list(one.inputs.switches) == list(other.inputs.switches)
        assert one.facts.nodes == other.facts.nodes
        assert one.velocity.newest == other.velocity.newest
    for one_line, other_line in zip(playback.inputs.history.of("hip"), there.inputs.history.of("hip"), strict=True):
        assert len(one_line) == pytest.approx(len(other_line), abs=12)
    _, target, position = playback.inputs.history.of("hip")
    assert target - position == pytest.approx(np.full(len(target), AHEAD - CYCLE))


def test_what_is_said_once_is_heard_once(playback: Playback) -> None:
    playback.seek(3.0)
    robot = playback.inputs.urdf
    playback.seek(5.0)
    assert robot is not None and playback.inputs.urdf is robot, "the page would draw it anew"
    assert playback.inputs.history.names == ("hip",)


def test_it_plays_at_its_speed_while_somebody_looks(playback: Playback) -> None:
    playback.seek(1.0)
    for k in range(11):
        playback.serve([], 100.0 + 0.1 * k)
    assert playback.position == pytest.approx(2.0)
    playback.serve([SpeedChosen(0.25)], 101.2)
    assert playback.position == pytest.approx(2.05)
    assert "2.05 of 8.0" in playback.played() and "0.25 x" in playback.played()
    playback.inputs.watched = False
    playback.serve([], 101.4)
    assert playback.position == pytest.approx(2.05)
    playback.inputs.watched = True
    playback.serve([SpeedChosen(1.0)], 200.0)
    assert playback.position == pytest.approx(2.05 + LONGEST), "a step that was held up does not jump"


def test_pause_steps_and_the_end(playback: Playback) -> None:
    playback.serve([Sought(3.0), Sought(4.0), PlayPressed()], 10.0)
    playback.serve([], 10.2)
    assert playback.position == 4.0 and "paused" in playback.played(), "of many wishes the last"
    playback.serve([Stepped(0.02)], 10.3)
    assert playback.position == pytest.approx(4.02) and not playback.playing
    assert playback.inputs.joints()["hip"] == pytest.approx(4.02, abs=CYCLE)
    playback.serve([PlayPressed(), Sought(SECONDS - 0.1)], 10.4)
    playback.serve([], 10.6)
    assert playback.position == playback.bag.length and not playback.playing
    playback.serve([PlayPressed()], 10.7)
    assert playback.playing and playback.position < 1.0, "from the beginning again"
    playback.serve([Sought(99.0)], 10.8)
    assert playback.position == playback.bag.length


def test_in_lockstep_the_time_is_the_robots(tmp_path: Path) -> None:
    write(tmp_path, story(), lockstep=True)
    playback = Playback(TopicBag(tmp_path))
    assert playback.bag.length == pytest.approx(SECONDS)
    playback.seek(6.0)
    assert playback.inputs.joints()["hip"] == pytest.approx(6.0, abs=CYCLE)
    assert playback.now_ns() == ns(6.0)
    assert playback.facts.rate("robot_node") == pytest.approx(200.0)


def test_in_lockstep_the_states_tell_the_time_where_the_clock_was_found_late(tmp_path: Path) -> None:
    write(tmp_path, story(), lockstep=True, clock_from=3.0)
    playback = Playback(TopicBag(tmp_path))
    assert playback.bag.length == pytest.approx(SECONDS)
    playback.seek(1.0)
    assert playback.inputs.joints()["hip"] == pytest.approx(1.0, abs=CYCLE) and playback.inputs.mode == "stand"


def test_a_stamp_is_read_of_the_bytes() -> None:
    message = JointState(name=["hip"])
    set_stamp(message.header.stamp, 7_000_000_009)
    data = serialize_message(message)
    assert first_stamp(data) == 7_000_000_009
    big = b"\0\0\0\0" + (7).to_bytes(4, "big") + (9).to_bytes(4, "big")
    assert first_stamp(big) == 7_000_000_009
    assert first_stamp(data[:11]) == 0


def test_a_robot_of_a_namespace(tmp_path: Path) -> None:
    write(tmp_path, story(), prefix="/r1/")
    playback = Playback(TopicBag(tmp_path))
    playback.seek(6.0)
    assert playback.bag.prefix == "/r1/" and playback.inputs.commanding == "other"
    assert playback.facts.policy["policies"] == ["main", "other"]


def test_what_can_be_jumped_to(playback: Playback) -> None:
    playback.seek(1.0)
    assert marks(playback) == [
        Mark(0.0, "stand"),
        Mark(ACTIVE, "active"),
        Mark(ACTIVE, "main commands"),
        Mark(SWITCHED, "other commands"),
        Mark(TRIPPED, "landing:sit"),
        Mark(TRIPPED, "trip tilt"),
    ]
    assert playback.position == 1.0


def test_what_is_missing_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    kept = [item for item in story() if item[1] not in ("robot_description", "robot_mode", "/diagnostics")]
    path = write(tmp_path, kept)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    playback = Playback(TopicBag(tmp_path))
    assert 2.0 < playback.bag.length < 6.0
    (cut,) = playback.bag.missing
    assert "it is cut off" in cut and playback.note == cut
    assert [line.partition(":")[0] for line in lacking(playback)] == ["robot_description", "robot_mode", "/diagnostics"]
    playback.seek(2.0)
    assert playback.inputs.joints()["hip"] == pytest.approx(2.0, abs=CYCLE)


@pytest.mark.parametrize("said", [[], [(0.0, "robot_mode", String(data="stand"))]])
def test_without_a_robots_state_there_is_nothing_to_show(tmp_path: Path, said: Any) -> None:
    write(tmp_path, said)
    with pytest.raises(RecordingError, match="joint_states"):
        TopicBag(tmp_path)
    with pytest.raises(RecordingError, match=r"topics_0.mcap"):
        TopicBag(tmp_path / "none")


def test_another_type_and_bytes_that_are_none_are_said(tmp_path: Path) -> None:
    write(tmp_path, story(), kind_of=lambda topic, kind: "foreign_msgs/msg/Thing" if topic == "imu/data" else kind)
    playback = Playback(TopicBag(tmp_path))
    assert re.search("imu/data.*foreign_msgs/msg/Thing.*sensor_msgs/msg/Imu", playback.note)
    playback.seek(3.0)
    assert playback.inputs.joints()["hip"] == pytest.approx(3.0, abs=CYCLE)
    broken = [(at, topic, String(data="x" * 3) if topic == "depth/image_rect" else m) for at, topic, m in story()]
    write(tmp_path, broken, kind_of=lambda topic, kind: "sensor_msgs/msg/Image" if topic.startswith("depth") else kind)
    playback = Playback(TopicBag(tmp_path))
    playback.seek(3.0)
    assert "/depth/image_rect: a message that cannot be read" in playback.note
    assert playback.inputs.depth() is None and playback.inputs.joints()["hip"] == pytest.approx(3.0, abs=CYCLE)


def test_what_cannot_be_shown_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for arguments, said in (("last", "a recording last"), (str(tmp_path), "topics_0.mcap")):
        assert main(["view", arguments, "--no-browser"]) == 2
        assert said in (text := capsys.readouterr().err) and len(text.splitlines()) == 1
    monkeypatch.setitem(sys.modules, "robot_policies.nodes.viewer_recording", None)
    assert main(["view", str(tmp_path), "--no-browser"]) == 2
    assert "robot_policies[ros]" in (text := capsys.readouterr().err) and len(text.splitlines()) == 1


def test_velocities_without_a_stamp(tmp_path: Path) -> None:
    said = [(at, topic, Twist() if topic == "cmd_vel" else message) for at, topic, message in story(depth=False)]
    write(tmp_path, said)
    playback = Playback(TopicBag(tmp_path))
    playback.seek(6.0)
    assert playback.note == "" and playback.velocity.rate() == pytest.approx(10.0, rel=0.01)
    assert playback.velocity.age(playback.now_ns()) == pytest.approx(0.096, abs=0.01), "since it came"


def test_samples_are_the_last_of_their_period() -> None:
    times = np.array([0.0, 0.005, 0.019, 0.02, 0.041, 0.044])
    assert sampled(np.arange(6), times, 0.02).tolist() == [2, 3, 5]
    assert sampled(np.array([], np.int64), times, 0.02).tolist() == []
    assert newest_before(np.array([1, 4, 6]), [0, 4, 5, 6, 9]).tolist() == [1, 4, 6]
    assert newest_before(np.array([], np.int64), [3]).tolist() == []
