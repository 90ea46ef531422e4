"""The thread that writes an MCAP file: a full disk, a slow one, and any other that fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from helpers.bag_numbers import CHANNEL, sequences, wait_for

from robot_policies.control.recording import bag as bag_module
from robot_policies.control.recording.bag import BagWriter

FULL = Path("/dev/full")


@pytest.mark.skipif(not os.access(FULL, os.W_OK), reason="needs /dev/full")
def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    told: list[str] = []
    bag = BagWriter(FULL, "", warn=told.append)
    wait_for(lambda: not bag.add(CHANNEL, 1, 1, b"x" * 100_000))
    assert len(told) == 1 and "the recording has ended: No space left on device" in told[0] == bag.error
    dropped = bag.dropped
    assert not bag.add(CHANNEL, 2, 2, b"x") and bag.dropped == dropped + 1
    bag.close()
    assert not bag._thread.is_alive()


def test_what_waits_is_bounded_and_what_does_not_fit_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bag_module, "MOST_WAITING", 1000)
    bag = BagWriter(tmp_path / "bag.mcap", "")
    taken = [bag.add(CHANNEL, number, number, b"x" * 600) for number in (1,)]
    assert not bag.add(CHANNEL, 2, 2, b"x" * 1001)
    wait_for(lambda: bag.written == 1)
    taken.append(bag.add(CHANNEL, 3, 3, b"x" * 600))
    bag.close()
    assert taken == [True, True] and (bag.written, bag.dropped) == (2, 1)
    assert sequences(bag.path) == [1, 3]


class Odd(Exception):
    """Nothing that a package that writes is known to raise."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("no number"), "OSError no number"),
        (MemoryError(), "MemoryError"),
        (RuntimeError("a writer's"), "RuntimeError a writer's"),
        (Odd("odd"), "its thread has ended"),
    ],
)
def test_any_failure_of_the_writer_ends_the_recording_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def fail(*args: object) -> None:
        raise error

    told: list[str] = []
    bag = BagWriter(tmp_path / "bag.mcap", "", warn=told.append)
    assert bag.add(CHANNEL, 1, 1, b"x")
    wait_for(lambda: bag.written == 1)
    monkeypatch.setattr(bag._writer, "add_message", fail)
    for number in range(2, 5):
        bag.add(CHANNEL, number, number, b"x")
    wait_for(lambda: not bag._thread.is_alive())
    assert told == [f"{bag.path}: the recording has ended: {why}"] == [bag.error]
    assert not bag.add(CHANNEL, 5, 5, b"x") and bag.dropped >= 1
    bag.close()
    assert len(told) == 1 and bag._file.closed


def test_a_disk_that_does_not_end_is_said_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    gate = threading.Event()
    bag = BagWriter(tmp_path / "bag.mcap", "", warn=told.append)
    monkeypatch.setattr(bag_module, "END_LIMIT", 0.05)
    monkeypatch.setattr(bag._writer, "add_message", lambda *args: gate.wait(10.0))
    bag.add(CHANNEL, 1, 1, b"x")
    bag.close()
    gate.set()
    assert len(told) == 1 and "not all was written within 0.05 s" in bag.error
    bag._thread.join(10.0)
