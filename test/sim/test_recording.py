"""Runs as a user starts them leave recordings: replayed bit for bit, readable after kill -9, and never in the way."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("mujoco")

from geometry_msgs.msg import TwistStamped
from helpers.node_process import environment, free_domain
from helpers.recorded import calls, rewrite
from mcap.reader import make_reader
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu, JointState

from robot_policies.control.recording.journal import POLICY, ROBOT
from robot_policies.control.recording.read import read_bag
from robot_policies.control.recording.steps import Call, StepFile
from robot_policies.nodes.conversions import to_ns
from robot_policies.types import PolicyRecord

pytestmark = [pytest.mark.slow, pytest.mark.ros]

CLI = [sys.executable, "-m", "robot_policies.cli"]
WALK = ("run", "--headless", "--lockstep", "--velocity", "0.6,0,0")
LIMIT = 120.0  # [s], on a busy machine
TOPICS = {"/imu/data", "/joint_states", "/foot_contacts", "/joint_command", "/joint_command_sent", "/cmd_vel", "/clock"}


def cli(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**environment(free_domain()), **more}
    return subprocess.run([*CLI, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=LIMIT)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of walking in lockstep."""
    parent = tmp_path_factory.mktemp("recordings")
    done = cli(*WALK, "--seconds", 3, "--record", parent)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = parent.iterdir()
    assert f"recorded: {folder}" in done.stdout and "dropped" not in done.stdout
    return folder


def steps(folder: Path) -> list[PolicyRecord]:
    found = [call for call in StepFile(folder / f"{POLICY}.mcap", POLICY) if isinstance(call, Call)]
    return [call.result for call in found if isinstance(call.result, PolicyRecord)]


def test_a_run_again_is_the_same_bit_by_bit(recorded: Path) -> None:
    done = cli("replay", recorded)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("no difference") == 2 and len(steps(recorded)) >= 150


@pytest.fixture
def copied(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "run"))


def test_one_bit_of_one_number_is_found_at_its_tick_and_field(copied: Path) -> None:
    found = calls(copied, POLICY)
    place = [at for at, call in enumerate(found) if isinstance(call.result, PolicyRecord)][60]
    record = found[place].result
    raw = record.action.raw.copy()
    raw.view(np.uint32)[7] ^= 1
    changed = dataclasses.replace(record, action=dataclasses.replace(record.action, raw=raw))
    found[place] = dataclasses.replace(found[place], result=changed)
    rewrite(copied, POLICY, found)
    done = cli("replay", copied)
    assert done.returncode == 1 and "first difference at tick 60 " in done.stdout
    assert "stage action, field raw[7]: recorded" in done.stdout and done.stdout.count("no difference") == 1


def test_a_damaged_byte_of_the_file_is_named(copied: Path) -> None:
    wanted = steps(copied)[60].action.raw.tobytes()
    path = copied / f"{POLICY}.mcap"
    data = bytearray(path.read_bytes())
    data[data.index(wanted)] ^= 1
    path.write_bytes(data)
    done = cli("replay", copied)  # the chunk's own checksum tells first: nothing in it can be trusted
    assert done.returncode == 1 and "damaged chunk" in done.stdout and "missing: dropped" in done.stdout
    assert "first difference" not in done.stdout


def test_the_bag_holds_every_topic_as_ros_reads_it(recorded: Path) -> None:
    with (recorded / "topics_0.mcap").open("rb") as stream:
        reader = make_reader(stream)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        names = {channel.topic for channel in summary.channels.values()}
        assert names >= TOPICS and all(channel.message_encoding == "cdr" for channel in summary.channels.values())
        assert all(schema.encoding == "ros2msg" and schema.data for schema in summary.schemas.values())
        (imu,) = [schema.data.decode() for schema in summary.schemas.values() if schema.name == "sensor_msgs/msg/Imu"]
        assert "MSG: geometry_msgs/Quaternion" in imu and "MSG: builtin_interfaces/Time" in imu
        heard = {
            to_ns(message.header.stamp): np.array(message.position)
            for _, _, raw in reader.iter_messages(topics=["/joint_command"])
            for message in [deserialize_message(raw.data, JointState)]
        }
        base = [deserialize_message(raw.data, Imu) for _, _, raw in reader.iter_messages(topics=["/imu/data"])]
        assert abs(np.median([message.linear_acceleration.z for message in base]) - 9.81) < 1.0
        _, _, first = next(reader.iter_messages(topics=["/cmd_vel"]))
        assert deserialize_message(first.data, TwistStamped).twist.linear.x == 0.6
    own = {record.command.stamp_ns: record.command.joint_pos for record in steps(recorded)}
    both = set(own) & set(heard)
    assert len(both) > 100 and all(np.array_equal(own[stamp], heard[stamp]) for stamp in both)


def test_a_reader_of_others_takes_a_message_of_every_topic_apart_by_what_is_in_the_file(recorded: Path) -> None:
    """The one that Foxglove gives for Python: it knows no type of its own."""
    factory = pytest.importorskip("mcap_ros2.decoder", reason="needs mcap-ros2-support").DecoderFactory()
    told: dict[str, Any] = {}
    with (recorded / "topics_0.mcap").open("rb") as stream:
        for schema, channel, message in make_reader(stream).iter_messages():
            if channel.topic not in told:
                told[channel.topic] = factory.decoder_for(channel.message_encoding, schema)(message.data)
    assert set(told) >= TOPICS
    assert len(told["/joint_states"].position) == 12 and "<robot" in told["/robot_description"].data
    assert told["/imu/data"].header.frame_id and abs(told["/imu/data"].linear_acceleration.z) < 50.0


@pytest.mark.parametrize("name", ["", "topics_0.mcap"])
def test_rosbag2_itself_reads_the_bag(recorded: Path, name: str) -> None:
    """The folder by its metadata.yaml, as ``ros2 bag`` opens it, and the file alone."""
    rosbag2 = pytest.importorskip("rosbag2_py", reason="rosbag2_py comes with a ROS 2 installation, not with PyPI")
    reader = rosbag2.SequentialReader()
    storage = rosbag2.StorageOptions(uri=str(recorded / name), storage_id="mcap")
    reader.open(storage, rosbag2.ConverterOptions("cdr", "cdr"))
    kinds = {topic.name: topic.type for topic in reader.get_all_topics_and_types()}
    assert set(kinds) >= TOPICS and kinds["/joint_states"] == "sensor_msgs/msg/JointState"
    seen: dict[str, list[Any]] = {}
    while reader.has_next():
        topic, data, stamp_ns = reader.read_next()
        seen.setdefault(topic, []).append((stamp_ns, data))
    stamps = [stamp for stamp, _ in seen["/joint_command"]]
    assert stamps == sorted(stamps) and len(stamps) > 100
    with (recorded / "topics_0.mcap").open("rb") as stream:
        ours = [raw.data for _, _, raw in make_reader(stream).iter_messages(topics=["/joint_command"])]
    assert [bytes(data) for _, data in seen["/joint_command"]] == ours
    message = deserialize_message(seen["/joint_states"][-1][1], JointState)
    assert len(message.position) == 12
    if not name:
        information = rosbag2.Info().read_metadata(str(recorded), "mcap")
        assert information.message_count == sum(map(len, seen.values()))


def test_a_recording_says_what_it_was_made_of(recorded: Path) -> None:
    facts = json.loads((recorded / "run.json").read_text())
    assert facts["recording"]["recording_error"] == "" and facts["recording"]["messages_dropped"] == 0
    assert facts["robot"] == "go2" and set(facts["bundles"]) == {"go2_walk"} and facts["versions"]["numpy"]
    assert json.loads((recorded / "arguments.json").read_text())["clock"] == "lockstep"
    assert (recorded / "bundles" / "go2_walk" / "policy.yaml").is_file()
    assert (recorded / "config" / "robots" / "go2.yaml").is_file()
    assert "storage_identifier: mcap" in (recorded / "metadata.yaml").read_text()


def pid_of(module: str, domain: int) -> int:
    """Return the process id of a node of this test."""
    for entry in Path("/proc").iterdir():
        try:
            line, variables = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if module.encode() in line and f"ROS_DOMAIN_ID={domain}".encode() in variables:
            return int(entry.name)
    raise AssertionError(f"no process of {module}")


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def ticked(folder: Path, count: int) -> bool:
    path = folder / f"{POLICY}.mcap"
    return path.is_file() and sum(1 for _ in read_bag(path).of(POLICY)) > count


def test_killed_processes_leave_what_they_wrote_up_to_the_last_second(tmp_path: Path) -> None:
    domain = free_domain()
    env = {**environment(domain), "XDG_DATA_HOME": str(tmp_path)}
    process = subprocess.Popen([*CLI, *WALK], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        runs = tmp_path / "robot_policies" / "runs"  # where runs go by default
        wait_for(lambda: any(ticked(folder, 40) for folder in runs.glob("*")))
        (folder,) = runs.iterdir()
        wait_for(lambda: len(read_bag(folder / "topics_0.mcap").messages) > 100)
        os.kill(pid_of("nodes.recorder_node", domain), signal.SIGKILL)
        killed_ns = time.time_ns()
        before = len(read_bag(folder / f"{POLICY}.mcap").messages)
        wait_for(lambda: ticked(folder, before + 40))  # the robot walks on
        bag = read_bag(folder / "topics_0.mcap")
        assert len(bag.missing) == 1 and killed_ns - bag.messages[-1].log_time < 1_000_000_000
        assert set(bag.topics) >= TOPICS
        os.kill(pid_of("nodes.policy_node", domain), signal.SIGKILL)
        killed_ns = time.time_ns()
        _, said = process.communicate(timeout=60.0)
    finally:
        process.kill()
        process.wait()
    assert "recorder_node has ended with code -9; going on without it" in said
    bag = read_bag(folder / f"{POLICY}.mcap")
    assert len(bag.missing) == 1 and killed_ns - bag.messages[-1].log_time < 1_000_000_000
    done = cli("replay", folder)
    assert done.returncode == 1 and "policy: missing: policy_steps.mcap: it is cut off" in done.stdout
    assert done.stdout.count("no difference") == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that has room for what a run is made of, and for a second of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(line, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_stops_the_recording_and_not_the_robot(small_disk: Path) -> None:
    done = cli(*WALK, "--seconds", 6, "--record", small_disk)
    assert done.returncode == 0 and "no fall" in done.stdout, done.stdout + done.stderr
    assert "the recording has ended: No space left on device" in done.stderr
    (folder,) = small_disk.iterdir()
    assert read_bag(folder / f"{ROBOT}.mcap").messages
    assert "No space left on device" in json.loads((folder / "run.json").read_text())["recording"]["recording_error"]
    done = cli("replay", folder)
    assert done.returncode == 1 and "cut off" in done.stdout and "first difference" not in done.stdout
    assert "missing: " in done.stdout and "the recording has ended: No space left on device" in done.stdout


def test_a_run_that_is_not_to_be_recorded_is_not(tmp_path: Path) -> None:
    done = cli(*WALK, "--seconds", 0.5, "--no-record", XDG_DATA_HOME=str(tmp_path))
    assert done.returncode == 0 and "recorded:" not in done.stdout
    assert not (tmp_path / "robot_policies").exists()


def test_a_recording_is_shown_on_the_viewers_page(recorded: Path) -> None:
    pytest.importorskip("viser")
    from helpers.page_client import PageClient

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    line = [*CLI, "view", str(recorded), "--no-browser", "--port", str(port)]
    with subprocess.Popen(line, env=environment(free_domain()), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == f"viewer: http://127.0.0.1:{port}\n"
            client = PageClient(port)
            assert client.until(lambda: "recorded, " in client.html and client.places.get("/world/robot"), 60.0)
            client.set("Step", "+1 tick")
            assert client.until(lambda: "paused" in client.html)
            length = float(client.html.partition(" of ")[2].partition(" s,")[0])
            client.set("Time [s]", length - 1.6)
            wanted = (f"{length - 1.6:.2f} of", ">active<", "+0.60", "go2_walk")
            assert client.until(lambda: all(text in client.html for text in wanted)), client.html
            assert client.until(lambda: _plotted(client))
            place = client.places["/world/robot"]
            _, target, position, *_ = _plotted(client)[0]["data"]
            assert np.ptp(position) > 0.05 and np.nanmax(np.abs(target - position)) > 0.01, "it walks"
            client.set("Time [s]", 0.1)
            assert client.until(lambda: client.places["/world/robot"][0] < place[0] - 0.5), "back where it began"
            assert client.until(lambda: "recorded, 0.10 of" in client.html)
            client.press("Pause")
            assert client.until(lambda: client.places["/world/robot"][0] > place[0] - 0.1, 60.0), "it goes on"
            client.close()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30.0) == 130


def _plotted(client: Any) -> list[Any]:
    charts = [props for props in client.shown("GuiUplotMessage") if props["visible"]]
    return [chart for chart in charts if len(chart["data"][0]) > 20]
