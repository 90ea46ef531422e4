"""Damage to recordings: one function for each way in which a folder, a bag or a value in it can be wrong."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.recorded import calls, rewrite
from mcap.opcode import Opcode
from mcap.writer import Writer

from robot_policies.control.recording.codec import SCHEMA
from robot_policies.control.recording.journal import ENCODING, POLICY, ROBOT, SCHEMA_NAME
from robot_policies.control.recording.read import read_bag
from robot_policies.control.recording.steps import Call

HEAD = 9  # bytes of an MCAP record before its content
Damage = Callable[[Path], None]


def records(data: bytes) -> list[tuple[int, int, int]]:
    """Return kind, begin and end of every record of a whole file."""
    found, at = [], 8
    while at < len(data) - 8:
        end = at + HEAD + int.from_bytes(data[at + 1 : at + HEAD], "little")
        found.append((data[at], at, end))
        at = end
    return found


def chunks(data: bytes) -> list[tuple[int, int]]:
    """Return begin and end of every chunk."""
    return [(begin, end) for kind, begin, end in records(data) if kind == Opcode.CHUNK]


def changed(name: str, change: Callable[[bytearray], bytes | bytearray]) -> Damage:
    """Return what changes the bytes of a file."""

    def damage(run: Path) -> None:
        path = run / name
        path.write_bytes(change(bytearray(path.read_bytes())))

    return damage


def cut(share: float) -> Callable[[bytearray], bytearray]:
    return lambda data: data[: int(len(data) * share)]


def killed(data: bytearray) -> bytearray:
    """Return the file as a process leaves it that is killed: without its end."""
    return data[: next(begin for kind, begin, _ in records(data) if kind == Opcode.DATA_END)]


def broken_chunk(which: int, head: bool = False) -> Callable[[bytearray], bytearray]:
    """Return what spoils the content of a chunk, or all that its record begins with."""

    def change(data: bytearray) -> bytearray:
        begin, end = chunks(data)[which]
        place = slice(begin, begin + 60) if head else slice((begin + end) // 2, (begin + end) // 2 + 4)
        data[place] = bytes(byte ^ 0xFF for byte in data[place])
        return data

    return change


def without_description(data: bytearray) -> bytearray:
    """Return the file of a process that was killed, whose first chunk and lone descriptions are lost."""
    data = killed(broken_chunk(0)(data))
    for kind, begin, end in records(bytes(data) + b"\0" * 8):
        if kind in (Opcode.SCHEMA, Opcode.CHANNEL):
            data[begin + HEAD : end] = b"\xff" * (end - begin - HEAD)
    return data


def replaced(one: bytes, other: bytes) -> Callable[[bytearray], bytes]:
    """Return what puts other bytes of the same number everywhere, and leaves no checksum that would tell."""
    assert len(one) == len(other)

    def change(data: bytearray) -> bytes:
        assert one in data
        for begin, _ in chunks(data):
            data[begin + HEAD + 24 : begin + HEAD + 28] = bytes(4)  # none was computed
        return bytes(data).replace(one, other)

    return change


def call(topic: str, which: int, **values: Any) -> Damage:
    """Return what changes fields of one step record."""

    def damage(run: Path) -> None:
        found: list[Call | None] = list(calls(run, topic))
        found[which] = dataclasses.replace(found[which], **values) if values else None  # type: ignore[type-var]
        rewrite(run, topic, found)

    return damage


def account(text: str | bytes | None = None, **values: Any) -> Damage:
    """Return what writes another ``run.json``, or changes values in it."""

    def damage(run: Path) -> None:
        path = run / "run.json"
        facts = {**json.loads(path.read_text()), **values}
        data = json.dumps(facts) if text is None else text
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    return damage


def gone(*names: str) -> Damage:
    """Return what deletes files or folders."""

    def damage(run: Path) -> None:
        for name in names:
            path = run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def folder_instead(name: str) -> Damage:
    """Return what puts a folder where a file is."""

    def damage(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return damage


def random_values(path: Path, seed: random.Random) -> None:
    """Write a file of step records anew, whole as a file, with wrong bytes in a tenth of its messages."""
    topic, whole = path.stem, read_bag(path)
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start("", "test")
        channel = writer.register_channel(topic, ENCODING, writer.register_schema(SCHEMA_NAME, ENCODING, SCHEMA))
        for message in whole.of(topic):
            data = bytearray(message.data)
            if seed.random() < 0.1:
                for _ in range(seed.randrange(1, 6)):
                    data[seed.randrange(len(data))] = seed.randrange(256)
            writer.add_message(channel, message.log_time, bytes(data), message.publish_time, message.sequence)
        writer.finish()


STEPS = (f"{POLICY}.mcap", f"{ROBOT}.mcap")
TOPICS = "topics_0.mcap"
