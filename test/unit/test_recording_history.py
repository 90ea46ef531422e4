"""A recording as arrays: every number as it was recorded, and damage that is named."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from helpers.damage import random_values
from helpers.offline import CYCLE, SPEC, event
from helpers.recorded import WALK, calls, record, rewrite
from helpers.report_page import ReportPage
from mcap.writer import Writer

from robot_policies.control.recording.columns import Columns, flat, stamp
from robot_policies.control.recording.history import History, read_history
from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.wire import Cdr, read_wire
from robot_policies.exceptions import RecordingError
from robot_policies.report.page import page
from robot_policies.types import Mode, PolicyRecord, RobotRecord


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history") / "run"
    record(folder, "go2_walk", events=(*WALK, event(380, "estop")))
    return folder


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "run"))


def without_topics(history: History) -> list[str]:
    """Return what is missing, without the topics, which an offline run never has."""
    return [line for line in history.missing if "topics_0.mcap" not in line]


def test_rows_are_the_recorded_steps(run: Path) -> None:
    history = read_history(run)
    cycles = [call.result for call in calls(run, ROBOT) if isinstance(call.result, RobotRecord)]
    ticks = [call.result for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]
    robot, policy = history.robot, history.policy
    np.testing.assert_array_equal(robot.joint_pos, [cycle.state.joint_pos for cycle in cycles])
    np.testing.assert_array_equal(robot.stamp_ns, [cycle.state.stamp_ns for cycle in cycles])
    assert list(robot.modes) == [cycle.mode for cycle in cycles] and Mode.LANDING in robot.modes
    held = [i for i, cycle in enumerate(cycles) if cycle.safe is not None]
    np.testing.assert_array_equal(robot.sent[held], [cycles[i].safe.joint_pos for i in held])
    assert np.isnan(robot.sent[0]).all() and cycles[0].safe is None
    np.testing.assert_array_equal(policy.target, [tick.command.joint_pos for tick in ticks])
    asked = [tick.inputs.velocity_command.lin_vel_x if tick.inputs.velocity_command else np.nan for tick in ticks]
    np.testing.assert_array_equal(policy.velocity[:, 0], asked)
    np.testing.assert_array_equal(policy.durations, np.array([tick.durations_ns for tick in ticks]) / 1e9)
    assert history.joint_names() == SPEC.joint_names and history.start_ns == cycles[0].state.stamp_ns


def test_ages_are_those_of_the_stamps(run: Path) -> None:
    history = read_history(run)
    ticks = [call.result.inputs for call in calls(run, POLICY) if isinstance(call.result, PolicyRecord)]
    ages = [(i.state.stamp_ns - i.velocity_command.stamp_ns) / 1e9 for i in ticks if i.velocity_command is not None]
    found = history.policy.velocity_age
    np.testing.assert_array_equal(found[np.isfinite(found)], ages)
    active = [i for i, mode in enumerate(history.robot.modes) if mode is Mode.ACTIVE]
    command_age = history.robot.command_age
    assert set(np.flatnonzero(np.isfinite(command_age))) <= set(active)
    assert np.nanmax(command_age) <= 4 * CYCLE / 1e9 + 1e-12 and np.nanmin(command_age) >= 0.0


def test_events_are_requests_leases_and_the_trip_once(run: Path) -> None:
    events = read_history(run).robot.events
    whats = [each.what for each in events]
    assert whats[:3] == ["arm", "stand", "lease taken"]
    trips = [each for each in events if each.trip]
    assert [trip.what for trip in trips] == ["estop"] and trips[0].detail.startswith("in active: asked for")
    assert whats.count("estop") == 2  # what was asked, and what came of it


def test_a_refusal_is_an_event(run: Path) -> None:
    changed = calls(run, ROBOT)
    place = next(i for i, call in enumerate(changed) if call.name == "request")
    reply = dataclasses.replace(changed[place].result, ok=False, message="not now")
    changed[place] = dataclasses.replace(changed[place], result=reply)
    rewrite(run, ROBOT, changed)
    first = read_history(run).robot.events[0]
    assert first.refused and first.what == "arm refused" and first.detail == "not now"


def test_values_of_another_form_are_counted_and_the_rest_is_read(run: Path) -> None:
    changed = calls(run, ROBOT)
    cycles = [i for i, call in enumerate(changed) if call.name == "cycle"]
    for place, state in ((cycles[10], None), (cycles[11], "state")):
        result = dataclasses.replace(changed[place].result, state=state)
        changed[place] = dataclasses.replace(changed[place], result=result)
    wrong = changed[cycles[12]].result
    short = dataclasses.replace(wrong, state=dataclasses.replace(wrong.state, joint_pos=np.zeros(3)))
    changed[cycles[12]] = dataclasses.replace(changed[cycles[12]], result=short)
    rewrite(run, ROBOT, changed)
    history = read_history(run)
    assert len(history.robot.modes) == len(history.robot.joint_pos) == len(cycles) - 3
    assert len(history.robot.clamps) == len(history.robot.stamp_ns) == len(cycles) - 3
    (line,) = without_topics(history)
    assert line.startswith("robot_steps: 3 step records are not of the form, first step record")


def test_what_is_missing_is_named(run: Path) -> None:
    assert without_topics(read_history(run)) == []
    (run / "run.json").write_text("[")
    (run / "config" / "robots" / "go2.yaml").write_text("format: 9\n")
    path = run / f"{ROBOT}.mcap"
    path.write_bytes(path.read_bytes()[:-20000])
    history = read_history(run)
    lines = without_topics(history)
    assert history.spec is None and history.joint_names()[0] == "joint 0"
    assert [any(word in line for line in lines) for word in ("run.json", "robot file", "cut off")] == [True] * 3
    (run / f"{POLICY}.mcap").unlink()
    assert any("policy_steps.mcap" in line for line in read_history(run).missing)
    path.unlink()
    with pytest.raises(RecordingError, match="nothing to show"):
        read_history(run)


def test_random_damage_never_crashes(run: Path) -> None:
    """Wrong bytes under a right checksum: whatever value they make, the page is made of what can be read."""
    seed = random.Random(4)
    whole = {topic: (run / f"{topic}.mcap").read_bytes() for topic in (POLICY, ROBOT)}
    for _ in range(6):
        for topic, data in whole.items():
            (run / f"{topic}.mcap").write_bytes(data)
            random_values(run / f"{topic}.mcap", seed)
        history = read_history(run)
        assert len(history.robot.modes) == len(history.robot.joint_pos) > 200
        assert without_topics(history)
        ReportPage(page(history, pictures=0))


def test_a_file_that_is_cut_off_anywhere_is_read_up_to_there(run: Path) -> None:
    seed = random.Random(5)
    path = run / f"{ROBOT}.mcap"
    whole = path.read_bytes()
    for _ in range(5):
        path.write_bytes(whole[: seed.randrange(len(whole))])
        history = read_history(run)
        assert history.policy.stamp_ns.size
        assert any("robot_steps.mcap" in line for line in history.missing)


def test_columns_line_up_or_refuse() -> None:
    columns = Columns()
    columns.add(a=[1.0, 2.0], b=None)
    columns.add(a=None, b=3.0)
    with pytest.raises(ValueError, match="a: 3 numbers, and 2 before"):
        columns.add(a=[1.0, 2.0, 3.0], b=9.0)
    columns.add(b=4.0, c=[5.0])
    np.testing.assert_array_equal(columns.array("a"), [[1.0, 2.0], [np.nan, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(flat(columns.array("b")), [np.nan, 3.0, 4.0])
    np.testing.assert_array_equal(flat(columns.array("c")), [np.nan, np.nan, 5.0])
    assert columns.array("none").shape == (3, 0) and np.isnan(flat(columns.array("none"))).all()
    with pytest.raises(ValueError, match="shape"):
        columns.add(a=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="beyond"):
        columns.add(a=[1.0, -1e20])
    columns.add(a=[np.inf, np.nan])  # what a robot may send
    assert columns.count == 4


@pytest.mark.parametrize("value", [2**63, 1.5, "1", None])
def test_what_is_no_stamp_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="no stamp"):
        stamp(value)
    assert stamp(-(2**63)) == -(2**63)


def test_cdr_is_read_as_ros_writes_it(tmp_path: Path) -> None:
    serialization = pytest.importorskip("rclpy.serialization", reason="ROS 2 writes the messages")
    nav, diagnostic, sensor = (
        pytest.importorskip(f"{name}.msg") for name in ("nav_msgs", "diagnostic_msgs", "sensor_msgs")
    )
    write = serialization.serialize_message
    odometry = nav.Odometry(child_frame_id="base")
    odometry.header.frame_id = "world"
    odometry.header.stamp.sec, odometry.header.stamp.nanosec = 3, 250_000_000
    odometry.pose.pose.position.x, odometry.pose.pose.position.z = 1.5, 0.3
    odometry.pose.pose.orientation.z, odometry.pose.pose.orientation.w = 0.6, 0.8
    odometry.twist.twist.linear.x, odometry.twist.twist.angular.z = 0.8, -0.4
    pairs = [
        diagnostic.KeyValue(key="latency_ms", value='{"p50": 1.25}'),
        diagnostic.KeyValue(key="mode", value="stand"),
    ]
    status = diagnostic.DiagnosticStatus(name="/robot_node", message="well", hardware_id="go2", values=pairs)
    joints = sensor.JointState()
    joints.header.stamp.sec = 3
    messages = [
        ("/a/ground_truth/odom", "nav_msgs/msg/Odometry", write(odometry), 0),
        ("/a/ground_truth/odom", "nav_msgs/msg/Odometry", write(odometry)[:90], 0),
        ("/a/odom", "nav_msgs/msg/Odometry", write(odometry), 0),
        ("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", write(diagnostic.DiagnosticArray(status=[status])), 0),
        ("/a/joint_states", "sensor_msgs/msg/JointState", write(joints), 1_000_000),
        ("/a/joint_command", "sensor_msgs/msg/JointState", write(joints), 3_500_000),
    ]
    bag(tmp_path / "topics_0.mcap", messages)
    missing: list[str] = []
    wire = read_wire(tmp_path, missing)
    assert wire.base is not None and wire.base is wire.truth and wire.truth.source == "/a/ground_truth/odom"
    assert wire.odom is not None and wire.odom.source == "/a/odom"
    assert wire.base.stamp_ns.tolist() == [3_250_000_000]
    np.testing.assert_array_equal(wire.base.position, [[1.5, 0.0, 0.3]])
    np.testing.assert_array_equal(wire.base.quat_wxyz, [[0.8, 0.0, 0.0, 0.6]])
    np.testing.assert_array_equal(wire.base.lin_vel, [[0.8, 0.0, 0.0]])
    np.testing.assert_array_equal(wire.base.ang_vel, [[0.0, 0.0, -0.4]])
    assert wire.reported == {"/robot_node": {"latency_ms": {"p50": 1.25}, "mode": "stand"}}
    np.testing.assert_allclose(wire.latency, [2.5e-3])
    assert missing == ["topics_0.mcap: 1 damaged messages on /a/ground_truth/odom"]


def bag(path: Path, messages: list[tuple[str, str, bytes, int]]) -> None:
    """Write (topic, type, bytes, receipt [ns]) as a bag."""
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start("ros2", "test")
        channels: dict[str, int] = {}
        for topic, kind, data, stamp_ns in messages:
            if topic not in channels:
                channels[topic] = writer.register_channel(topic, "cdr", writer.register_schema(kind, "ros2msg", b""))
            writer.add_message(channels[topic], stamp_ns, data, stamp_ns)
        writer.finish()


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x00", b"\x00\x01\x00\x00\xff\xff\xff\x7f"])
def test_bytes_that_are_no_message_are_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        Cdr(data).text()


def test_arguments_that_are_no_mapping_are_none(run: Path) -> None:
    (run / "arguments.json").write_text(json.dumps(["terrain"]))
    assert read_history(run).arguments == {}
    (run / "arguments.json").write_text(json.dumps({"terrain": "step:0.2"}))
    assert read_history(run).arguments == {"terrain": "step:0.2"}
