"""A robot's own wire in a recording: what is kept, in what words, and what readers of ROS 2 bags make of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from mcap.reader import make_reader
from rclpy.serialization import deserialize_message
from std_msgs.msg import UInt8MultiArray

from robot_policies.control.recording.read import read_bag
from robot_policies.nodes import recording
from robot_policies.nodes.wire_recording import FILE, WireRecording
from robot_policies.robots import unitree_legged_link as legged
from robot_policies.robots.robot import SpeaksWire
from robot_policies.robots.unitree_legged_wire import STATE as LEGGED_STATE
from robot_policies.robots.unitree_wire import definitions
from robot_policies.robots.unitree_wire.codec import COMMAND, STATE
from robot_policies.robots.wire_log import MOST_KEPT, WireLog, as_bytes


@pytest.fixture
def log() -> WireLog:
    return WireLog()


def recorded(folder: Path, log: WireLog) -> list[Any]:
    """Write what is in ``log`` and return topic, type, number, time and bytes of each message."""
    writing = WireRecording(folder, log, print)
    writing.flush()
    writing.close()
    assert writing.values()["recording_error"] == ""
    with (folder / FILE).open("rb") as stream:
        reader = make_reader(stream)
        assert reader.get_header().profile == "ros2"
        return [(c.topic, s.name, m.sequence, m.log_time, m.data) for s, c, m in reader.iter_messages()]  # type: ignore[union-attr]


def test_messages_are_as_they_were_in_their_order_with_their_time(tmp_path: Path, log: WireLog) -> None:
    log.note(definitions.STATE, b"one", 5)
    log.note(definitions.COMMAND, b"two", 6)
    log.note(definitions.STATE, b"three", 7)
    assert recorded(tmp_path, log) == [
        ("/lowstate", "unitree_go/msg/LowState", 1, 5, b"one"),
        ("/lowcmd", "unitree_go/msg/LowCmd", 1, 6, b"two"),
        ("/lowstate", "unitree_go/msg/LowState", 2, 7, b"three"),
    ]
    assert log.take() == []


def test_what_nobody_takes_is_bounded_and_shows_as_a_gap(log: WireLog) -> None:
    for number in range(MOST_KEPT + 3):
        log.note(definitions.STATE, b"%d" % number)
    taken = log.take()
    assert len(taken) == MOST_KEPT and taken[0].number == 4 and taken[-1].data == b"%d" % (MOST_KEPT + 2)


def test_another_reader_finds_every_field_by_the_definition_in_the_file(tmp_path: Path, log: WireLog) -> None:
    decoder = pytest.importorskip("mcap_ros2.decoder", reason="needs mcap-ros2-support")
    random = np.random.default_rng(3)
    images = [codec.new() for codec in (STATE, COMMAND)]
    for image, codec, topic in zip(images, (STATE, COMMAND), (definitions.STATE, definitions.COMMAND), strict=True):
        for name in image.dtype.names or ():
            size = image[name].nbytes
            image[name] = np.frombuffer(random.integers(1, 60, size, np.uint8).tobytes(), image[name].dtype).reshape(
                image[name].shape
            )
        log.note(topic, codec.encode(image))
    recorded(tmp_path, log)
    with (tmp_path / FILE).open("rb") as stream:
        factories = [decoder.DecoderFactory()]
        told = [each for _, _, _, each in make_reader(stream, decoder_factories=factories).iter_decoded_messages()]
    for image, message in zip(images, told, strict=True):
        assert _plain(message) == _plain(image)


def _plain(value: Any) -> Any:
    """Return a record as nested lists of numbers, whether it is numpy's or the reader's."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        return [_plain(value[name]) for name in value.dtype.names] if value.shape == () else [_plain(v) for v in value]
    if isinstance(value, np.void):
        return [_plain(value[name]) for name in value.dtype.names or ()]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if hasattr(value, "__slots__"):
        return [_plain(getattr(value, name)) for name in value.__slots__]
    return [_plain(item) for item in value] if isinstance(value, (list, tuple, bytes)) else value


def test_datagrams_are_bytes_that_ros_reads_and_their_layout_is_beside_them(tmp_path: Path, log: WireLog) -> None:
    record = np.zeros((), LEGGED_STATE)
    record["tick"], record["motors"]["pos"][2] = 77, 1.25
    log.note(legged.STATE, as_bytes(record.tobytes()))
    ((topic, kind, _, _, data),) = recorded(tmp_path, log)
    assert (topic, kind) == ("/udp/state", "std_msgs/msg/UInt8MultiArray")
    message = deserialize_message(data, UInt8MultiArray)
    (channel,) = read_bag(tmp_path / FILE).channels.values()
    layout = np.dtype([tuple(_tuples(field)) for field in json.loads(channel.metadata["layout"])])
    again = np.frombuffer(bytes(message.data), layout, 1)[0]
    assert layout == LEGGED_STATE and again["tick"] == 77 and again["motors"]["pos"][2] == 1.25


def _tuples(field: list[Any]) -> list[Any]:
    """Return a field of a dtype's JSON as numpy takes it."""
    name, kind, *shape = field
    kind = [tuple(_tuples(each)) for each in kind] if isinstance(kind, list) else kind
    return [name, kind, *(tuple(each) for each in shape)]


class Node:
    """Has the one parameter, and keeps warnings."""

    def __init__(self, folder: Path | str) -> None:
        self.said: list[str] = []
        self._folder = folder

    def get_parameter(self, name: str) -> Any:
        assert name == "record"
        return SimpleNamespace(value=str(self._folder))

    def get_logger(self) -> Any:
        return SimpleNamespace(warning=self.said.append)


def test_only_a_robot_with_a_wire_in_a_run_that_is_recorded_has_such_a_file(tmp_path: Path, log: WireLog) -> None:
    wired, simulated = SimpleNamespace(wire_log=log), SimpleNamespace()
    assert isinstance(wired, SpeaksWire) and not isinstance(simulated, SpeaksWire)
    assert recording.open_wire(Node(tmp_path), simulated) is None  # type: ignore[arg-type]
    assert recording.open_wire(Node(""), wired) is None  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    opened = recording.open_wire(Node(tmp_path), wired)  # type: ignore[arg-type]
    recording.close(None, opened)
    assert (tmp_path / FILE).is_file()


def test_a_place_that_cannot_be_written_is_a_warning(tmp_path: Path, log: WireLog) -> None:
    (tmp_path / "file").write_text("")
    node = Node(tmp_path / "file")
    assert recording.open_wire(node, SimpleNamespace(wire_log=log)) is None  # type: ignore[arg-type]
    assert len(node.said) == 1 and "no recording" in node.said[0]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_it_and_is_told_beside_what_the_steps_say(tmp_path: Path, log: WireLog) -> None:
    (tmp_path / FILE).symlink_to("/dev/full")
    said: list[str] = []
    writing = WireRecording(tmp_path, log, said.append)
    log.note(definitions.STATE, os.urandom(STATE.size))
    writing.close()
    steps = SimpleNamespace(values=lambda: {"steps_recorded": 3, "recording_error": ""})
    told = recording.values(None, steps, writing)  # type: ignore[arg-type]
    assert "No space left on device" in told["recording_error"] == said[0]
    assert told["steps_recorded"] == 3 and {"wire_recorded", "wire_dropped"} <= set(told)
    other = SimpleNamespace(values=lambda: {"recording_error": "steps: lost"})
    assert recording.values(other, writing)["recording_error"] == f"steps: lost; {said[0]}"  # type: ignore[arg-type]
    assert recording.values(None, None) == {}
