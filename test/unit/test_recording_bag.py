"""The MCAP file: what a reader gets of it whole, cut off and damaged."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.bag_numbers import CHANNEL, sequences, wait_for, write
from helpers.damage import chunks
from mcap.opcode import Opcode
from mcap.reader import make_reader

from robot_policies.control.recording import bag as bag_module
from robot_policies.control.recording.bag import BagWriter, ChannelKind
from robot_policies.control.recording.read import BLOCK, read_bag
from robot_policies.exceptions import RecordingError


def test_what_is_written_is_read_by_the_reference_reader_and_by_ours(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bag.mcap"
    bag = write(path)
    bag.close()
    assert (bag.written, bag.dropped, bag.error) == (40, 0, "")
    with path.open("rb") as stream:
        reader = make_reader(stream)
        assert reader.get_header().profile == "ros2"
        found = [(s.name, c.metadata, m.sequence, m.data[0]) for s, c, m in reader.iter_messages(topics=["numbers"])]
    assert found == [("test/Number", {"key": "value"}, number, number) for number in range(1, 41)]
    ours = read_bag(path)
    assert ours.missing == [] and ours.topics == ["numbers"] and sequences(path) == list(range(1, 41))


def test_a_file_without_an_end_has_everything_but_the_last_moment(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    bag = write(path)
    wait_for(lambda: path.stat().st_size > 40 * 100)  # flushed, not closed: as after SIGKILL
    copy = tmp_path / "copy.mcap"
    copy.write_bytes(path.read_bytes())
    found = read_bag(copy)
    assert [message.sequence for message in found.messages] == list(range(1, 41))
    assert len(found.missing) == 1 and "cut off after 40 messages" in found.missing[0]
    bag.close()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_anywhere_is_read_up_to_there(tmp_path: Path, share: float) -> None:
    path = tmp_path / "bag.mcap"
    write(path, count=6000).close()  # three chunks
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    found = read_bag(path)
    assert found.missing and [message.sequence for message in found.messages] == list(range(1, len(found.messages) + 1))
    assert share < 0.5 or len(found.messages) > 2000


def test_a_damaged_chunk_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    write(path, count=6000).close()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = read_bag(path)
    assert any("damaged chunk" in line and "crc" in line for line in found.missing)
    numbers = [message.sequence for message in found.messages]
    assert 2000 < len(numbers) < 6000 and numbers[0] == 1 and numbers[-1] == 6000


@pytest.mark.parametrize("bad", [slice(1, 2), slice(0, None)])
def test_blocks_that_the_disk_does_not_give_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: slice
) -> None:
    path, real = tmp_path / "bag.mcap", os.pread
    write(path, count=6000).close()
    starts = range(0, path.stat().st_size, BLOCK)[bad]

    def broken(file: int, size: int, at: int) -> bytes:
        if at in starts:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(file, size, at)

    monkeypatch.setattr(os, "pread", broken)
    if len(starts) > 1:
        with pytest.raises(RecordingError, match="Input/output error"):
            read_bag(path)
        return
    found = read_bag(path)
    assert f"bag.mcap: {BLOCK} bytes that the disk does not give (Input/output error)" in found.missing
    numbers = [message.sequence for message in found.messages]
    assert 2000 < len(numbers) < 6000 and numbers[-1] == 6000


@pytest.mark.parametrize("compressed", [False, True])
def test_one_wrong_bit_anywhere_is_named_and_ends_nothing(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "bag.mcap"
    bag = BagWriter(path, "ros2", compressed)
    for number in range(1, 1001):
        bag.add(CHANNEL, number, number, (number * 7919).to_bytes(4, "little") * 25)
    bag.close()
    whole, random = path.read_bytes(), np.random.default_rng(0)
    named = 0
    for _ in range(150):
        data = bytearray(whole)
        data[random.integers(len(data))] ^= 1 << int(random.integers(8))
        path.write_bytes(data)
        found = read_bag(path)
        named += bool(found.missing)
        assert all(message.channel_id in found.channels for message in found.messages)
    assert named > 30  # the rest hits the index, which nobody needs


def test_messages_of_a_topic_that_a_damaged_chunk_described_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    write(path, count=6000).close()
    data = bytearray(path.read_bytes())
    place = data.index(b"numbers")  # in the first chunk
    data[place] ^= 1
    path.write_bytes(data[: int(len(data) * 0.9)])  # no summary either
    found = read_bag(path)
    assert found.messages == [] and any("the topic of" in line for line in found.missing)


@pytest.mark.parametrize("content", [b"", b"not a bag at all" * 10, b"\x89MCAP0\r\n" + b"\xff" * 100])
def test_what_is_no_bag_is_read_as_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bag.mcap"
    path.write_bytes(content)
    found = read_bag(path)
    assert found.messages == [] and len(found.missing) == 1


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"none\.mcap"):
        read_bag(tmp_path / "none.mcap")
    with pytest.raises(RecordingError, match="no recording"):
        BagWriter(tmp_path, "")


def test_a_killed_file_whose_first_chunk_is_damaged_still_names_its_topics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bag_module, "FLUSH_S", 0.05)
    other = ChannelKind("others", "test/Other", "text", b"another number", "text")
    bag = BagWriter(tmp_path / "bag.mcap", "ros2")
    for number in range(1, 4):
        for channel in (CHANNEL, other):
            bag.add(channel, number, number, b"first")
    flushed(bag)
    for number in range(4, 9):
        bag.add(CHANNEL, number, number, b"later")
    flushed(bag)
    copy = tmp_path / "copy.mcap"
    copy.write_bytes(bag.path.read_bytes())
    bag.close()
    whole = copy.read_bytes()
    copy.write_bytes(whole.replace(b"numbers", b"nombres").replace(b"nombres", b"numbers", 1))
    assert read_bag(copy).topics == ["numbers", "others"], "that within a checksum counts"
    data = bytearray(whole)
    data[data.index(b"first")] ^= 1
    copy.write_bytes(data)
    found = read_bag(copy)
    assert [message.sequence for message in found.of("numbers")] == [4, 5, 6, 7, 8] and found.nameless == []
    assert found.topics == ["numbers", "others"] and found.schemas[2].data == b"another number"
    assert ["damaged chunk" in line or "cut off" in line for line in found.missing] == [True, True]
    assert [message.sequence for message in read_bag(bag.path).of("others")] == [1, 2, 3]
    with bag.path.open("rb") as stream:
        assert len(list(make_reader(stream).iter_messages())) == 11, "the reference reader minds no description twice"


def flushed(bag: BagWriter) -> None:
    """Wait until everything so far is in the file, and no chunk is begun."""
    size = -1
    wait_for(lambda: bag._taken_bytes == bag._waiting_bytes)
    while size != (size := bag.path.stat().st_size) or not size:
        time.sleep(4.0 * bag_module.FLUSH_S)


def test_whatever_a_chunk_is_taken_for_is_named_and_the_others_are_read(three_chunks: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    first, _ = chunks(three_chunks)[0]
    for kind in {*range(20), 0x86, 0xFF} - {Opcode.MESSAGE}:  # what is a message is told by nothing
        data = bytearray(three_chunks)
        data[first] = kind
        path.write_bytes(data)
        found = read_bag(path)
        numbers = [message.sequence for message in found.messages]
        assert numbers[-1] == 6000 and (kind == Opcode.CHUNK) == (numbers[0] == 1) == (found.missing == []), kind


def test_a_chunk_with_a_damaged_head_is_named_and_the_others_are_read(three_chunks: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bag.mcap"
    for begin, _ in chunks(three_chunks)[:2]:
        for place in range(1, 60, 3):
            data = bytearray(three_chunks)
            data[begin + place] ^= 0x55
            path.write_bytes(data)
            found = read_bag(path)
            numbers = [message.sequence for message in found.messages]
            assert numbers[-1] == 6000 and len(numbers) >= 6000 - 2700
            assert len(numbers) == 6000 or found.missing


@pytest.fixture(scope="module")
def three_chunks(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("chunks") / "bag.mcap"
    write(path, count=6000).close()
    return path.read_bytes()
