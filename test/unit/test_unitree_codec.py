"""The driver's bytes against the SDK's own classes and checksum, both ways on random messages; damage is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from robot_policies.exceptions import InputError
from robot_policies.robots.unitree_wire.codec import COMMAND, HEADER, STATE, Codec, Image, checksum

SDK = "needs the packages cyclonedds and unitree-sdk2py-dimos (pip install 'robot_policies[unitree]')"
MESSAGES = 1000
RECORDS = {"LowState_": STATE, "LowCmd_": COMMAND}

# TypeInformation and TypeMapping as the Python binding of Cyclone DDS 0.10.2 makes them (built against Debian's
# cyclonedds-dev 0.10.2-2), for the classes of unitree_sdk2py 1.0.3: length and SHA-256 of each.
AS_0_10_2 = {
    "String_": (
        (100, "d02c581c162f66fe273f69fff044c8c7436c56390a1dce850305a1c43783a369"),
        (210, "b29b19fdebf4df01cdf3d6fe9b0edccaf6bc73b23cda8fe50354956a98abed2c"),
    ),
    "LowState_": (
        (244, "962a30f8f8550b1b6fe327966bb403c8164de74c233828f2d1037a2093f5f237"),
        (3184, "5bf4b7ff88d115381183fdc5c99c2505b6bb142e86eb42c6c460d1490ce3d0f0"),
    ),
    "LowCmd_": (
        (196, "cc8f6612e08e97b0feb6a7073c411c803b8fb8aba760950220a1eb8030c4230b"),
        (1710, "a6c7b8e2dd75e80b634972bd94a11bdc7198c64e506c459a2ca55461f6dc3c28"),
    ),
    "Request_": (
        (292, "d1e419871f71e120b9038e8efbd1c5e0f8c20aa9496155c47353ad6fab45ccae"),
        (1382, "f332d1c941b26f686f4ad99ba674934bec0d44630f78bb34701999855e87d9eb"),
    ),
    "Response_": (
        (244, "bee0d8bff3f57731e48122e8532c64b88d84fce7ca983fbdf8d836fb3e91b447"),
        (1068, "eff47f1cd7611ea6bab071ffd76e777b2dcafcfcdc97c2a92639ee441e440494"),
    ),
}
DESCRIBE = """
import hashlib, json, sys
if sys.argv[1] == "driver":
    from robot_policies.robots.unitree_wire.types_as_0_10 import describe_as_0_10
    describe_as_0_10()
    describe_as_0_10()
from unitree_sdk2py.idl.std_msgs.msg.dds_ import String_
from unitree_sdk2py.idl.unitree_api.msg.dds_ import Request_, Response_
from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_
told = {}
for kind in (String_, LowState_, LowCmd_, Request_, Response_):
    kind.__idl__.populate()
    kind.__idl__.fill_type_data()
    told[kind.__name__] = [[len(data), hashlib.sha256(data).hexdigest()] for data in kind.__idl__._xt_bytedata]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def sdk() -> Any:
    pytest.importorskip("cyclonedds", reason=SDK)
    from unitree_sdk2py.utils.crc import CRC

    return CRC()


def message_of(name: str) -> Any:
    from unitree_sdk2py.idl import default

    return getattr(default, f"unitree_go_msg_dds__{name}")()


def numbers(codec: Codec, rng: np.random.Generator) -> Image:
    """Return an image of random values; what the SDK's checksum takes for signed, though it is not, stays small."""
    image = codec.new()
    _fill(image, codec.struct, rng)
    if codec is STATE:
        image["imu_state"]["temperature"] &= 127
        for name in ("bq_ntc", "mcu_ntc"):
            image["bms_state"][name] &= 127
        image["motor_state"]["temperature"] &= 127
        image["temperature_ntc1"] &= 127
        image["temperature_ntc2"] &= 127
        image["fan_frequency"] &= 32767
    return image


def _fill(view: Any, kind: np.dtype[Any], rng: np.random.Generator) -> None:
    for name in kind.names or ():
        field = view[name]
        inner = (kind.fields or {})[name][0]
        base = inner.subdtype[0] if inner.subdtype else inner
        if base.names:
            _fill(field, base, rng)
        elif base.kind == "f":
            view[name] = rng.normal(0.0, 10.0 ** rng.integers(-3, 6), np.shape(field)).astype("f4")
        else:
            bounds = np.iinfo(base)
            view[name] = rng.integers(bounds.min, bounds.max, np.shape(field), base.type, endpoint=True)


def to_sdk(message: Any, view: Any) -> Any:
    """Write an image into a message of the SDK, field by field and by name."""
    for name in view.dtype.names:
        value = view[name]
        if value.dtype.names and value.shape:
            for part, inner in zip(getattr(message, name), value, strict=True):
                to_sdk(part, inner)
        elif value.dtype.names:
            to_sdk(getattr(message, name), value)
        else:
            setattr(message, name, value.tolist())
    return message


@pytest.mark.parametrize("name", RECORDS)
def test_what_we_write_is_what_the_sdk_writes_and_reads(sdk: Any, name: str) -> None:
    """Payload and checksum byte for byte on 1,000 random messages, and through the SDK's own reader."""
    codec, rng, message = RECORDS[name], np.random.default_rng(1), message_of(name)
    for _ in range(MESSAGES):
        image = numbers(codec, rng)
        payload = codec.encode(image)
        to_sdk(message, image)
        assert message.crc == sdk.Crc(message)
        assert payload == message.serialize()
        if message.crc % 16 == 0:  # now and then: the SDK takes a quarter of a millisecond each
            assert type(message).deserialize(payload).serialize() == payload


@pytest.mark.parametrize("name", RECORDS)
def test_what_the_sdk_writes_is_what_we_read(sdk: Any, name: str) -> None:
    codec, rng, message = RECORDS[name], np.random.default_rng(2), message_of(name)
    for _ in range(MESSAGES):
        image = numbers(codec, rng)
        to_sdk(message, image)
        message.crc = sdk.Crc(message)
        image["crc"] = message.crc
        read = codec.decode(message.serialize())
        assert read.tobytes() == image.tobytes()


@pytest.mark.parametrize("codec", RECORDS.values(), ids=RECORDS)
def test_both_ways_without_the_sdk(codec: Codec) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        image = numbers(codec, rng)
        assert codec.decode(codec.encode(image)).tobytes() == image.tobytes()


def test_sizes_are_those_of_the_records() -> None:
    assert (STATE.struct.itemsize, STATE.size) == (1180, 1180)  # padding within the struct is what the header takes
    assert (COMMAND.struct.itemsize, COMMAND.size) == (812, 812)


def bitwise(words: bytes) -> int:
    """CRC-32/MPEG-2 over little-endian words, bit by bit, from its definition."""
    crc = 0xFFFFFFFF
    for word in np.frombuffer(words, "<u4").tolist():
        for bit in range(31, -1, -1):
            carry = (crc >> 31) ^ (word >> bit & 1)
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if carry else 0)
    return crc


@pytest.mark.parametrize("size", [4, 8, 64, 808, 1176])
def test_the_checksum_is_the_one_of_its_definition(size: int) -> None:
    rng = np.random.default_rng(size)
    for data in (bytes(size), b"\xff" * size, rng.bytes(size), rng.bytes(size)):
        assert checksum(data) == bitwise(data)
    assert checksum(bytes(4)) == 0xC704DD7B  # of four zero bytes


def flipped(payload: bytes, bit: int) -> bytes:
    raw = bytearray(payload)
    raw[bit // 8] ^= 1 << bit % 8
    return bytes(raw)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "header only": lambda payload: payload[:4],
    "half": lambda payload: payload[: len(payload) // 2],
    "one byte short": lambda payload: payload[:-1],
    "one byte long": lambda payload: payload + b"\0",
    "twice": lambda payload: payload * 2,
    "big endian": lambda payload: b"\0\0\0\0" + payload[4:],
    "another encoding": lambda payload: b"\0\x07\0\0" + payload[4:],
    "wrong checksum": partial(flipped, bit=-1),
    "torn": lambda payload: payload[: len(payload) // 2] + bytes(len(payload) - len(payload) // 2),
}


@pytest.mark.parametrize("codec", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_payload_is_refused_whole(codec: Codec, damage: str) -> None:
    payload = codec.encode(numbers(codec, np.random.default_rng(4)))
    with pytest.raises(InputError, match=rf"^{codec.name}: its (size|encoding|checksum); found .*; valid: "):
        codec.decode(DAMAGE[damage](payload))


@pytest.mark.parametrize("codec", RECORDS.values(), ids=RECORDS)
def test_any_single_bit_that_flips_on_the_way_is_seen(codec: Codec) -> None:
    payload = codec.encode(numbers(codec, np.random.default_rng(5)))
    padding = set(range(codec.size * 8)) - {bit for byte in meant(codec) for bit in range(8 * byte, 8 * byte + 8)}
    for bit in range(len(HEADER) * 8, codec.size * 8, 7):
        if bit in padding:
            continue
        with pytest.raises(InputError, match="checksum"):
            codec.decode(flipped(payload, bit))


def meant(codec: Codec) -> set[int]:
    """Return the bytes of a payload that are not padding: those that change with some field."""
    ones = np.frombuffer(b"\xff" * codec.struct.itemsize, codec.struct, 1).reshape(())
    full, empty = codec.encode(ones.copy()), codec.encode(codec.new())
    return {place for place, (one, zero) in enumerate(zip(full, empty, strict=True)) if one != zero}


def test_types_are_described_as_the_robot_describes_them() -> None:
    """Cyclone 0.10.2 dies of another description In a process of its own: it is global."""
    pytest.importorskip("cyclonedds", reason=SDK)
    assert described("driver") == {name: [list(part) for part in parts] for name, parts in AS_0_10_2.items()}


def test_without_the_change_cyclone_11_describes_them_otherwise() -> None:
    """What the test above would not see, if the change did nothing."""
    pytest.importorskip("cyclonedds", reason=SDK)
    told = described("plain")
    same = {name for name, parts in AS_0_10_2.items() if told[name] == [list(part) for part in parts]}
    assert same == {"String_"}  # it holds no uint8


def described(who: str) -> dict[str, list[list[Any]]]:
    done = subprocess.run([sys.executable, "-c", DESCRIBE, who], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told: dict[str, list[list[Any]]] = json.loads(done.stdout)
    return told
