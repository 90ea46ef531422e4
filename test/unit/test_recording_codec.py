"""Step records as bytes: every bit comes back, shared images stay one object, and damage is an error and no more."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from robot_policies.control.recording import codec
from robot_policies.control.recording.codec import KEPT, SCHEMA, Encoder
from robot_policies.control.recording.compare import first_difference
from robot_policies.control.recording.decode import Decoder
from robot_policies.exceptions import RecordingError
from robot_policies.types import DepthImage, Mode, PolicyInputs, Remote, RobotState, Trip, owned

DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
LEAVES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(Mode)),
    st.frozensets(st.text(max_size=4), max_size=3),
    DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def there_and_back(value: object) -> object:
    return Decoder(SCHEMA).decode(Encoder().encode(value))


def state(stamp_ns: int = 5) -> RobotState:
    numbers = owned([0.1, -0.0, math.nan])
    return RobotState(stamp_ns, numbers, numbers, owned(numbers), owned([1, 0, 0, 0]), numbers, numbers, owned([]))


@given(VALUES)
def test_every_bit_comes_back(value: object) -> None:
    assert first_difference(value, there_and_back(value)) is None


def test_values_of_the_flow_come_back_as_what_they_were() -> None:
    values = (state(), Trip(3, "tilt", "1 rad", Mode.ACTIVE, "damping"), Remote((0.5,), frozenset({"A", "B"})))
    back = there_and_back(values)
    assert isinstance(back, tuple)
    assert [type(item) for item in back] == [type(item) for item in values]
    assert first_difference(values, back) is None


def test_an_array_that_comes_again_is_written_once() -> None:
    big = owned(np.arange(1000.0))
    assert len(Encoder().encode((big, big, big))) < 1.01 * len(Encoder().encode((big,)))


def test_an_image_of_many_messages_is_written_once_and_is_one_object_again() -> None:
    image = DepthImage(1, owned(np.ones((60, 106)), np.float32))
    encoder, decoder = Encoder(), Decoder(SCHEMA)
    messages = [encoder.encode(PolicyInputs(state(stamp), None, {"front": image})) for stamp in (1, 2)]
    assert len(messages[0]) > image.depth.nbytes > 20 * len(messages[1])
    first, second = (decoder.decode(message).depth["front"] for message in messages)
    assert first is second and first_difference(first, image) is None


def test_a_reference_to_an_image_that_was_lost_is_named_and_forget_writes_it_anew() -> None:
    image = DepthImage(1, owned(np.ones((2, 2)), np.float32))
    encoder = Encoder()
    encoder.encode(image)
    with pytest.raises(RecordingError, match=r"image \(number 1\) that was lost"):
        Decoder(SCHEMA).decode(encoder.encode(image))
    encoder.forget()
    assert first_difference(Decoder(SCHEMA).decode(encoder.encode(image)), image) is None


def test_images_that_are_remembered_are_bounded() -> None:
    encoder = Encoder()
    for stamp in range(KEPT + 50):
        encoder.encode(DepthImage(stamp, owned(np.ones((1, 1)), np.float32)))
    assert len(encoder._shared) == KEPT


def test_what_is_no_value_of_the_flow_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        Encoder().encode(object())


MESSAGE = Encoder().encode(("__call__", (state(), 7), {"a": Mode.STAND}, None, "text"))


@pytest.mark.parametrize("length", range(len(MESSAGE)))
def test_a_message_that_is_cut_off_is_an_error(length: int) -> None:
    with pytest.raises(RecordingError):
        Decoder(SCHEMA).decode(MESSAGE[:length])


@given(st.integers(0, len(MESSAGE) - 1), st.integers(0, 255))
def test_a_damaged_byte_gives_a_value_or_an_error_of_ours(place: int, byte: int) -> None:
    damaged = bytearray(MESSAGE)
    damaged[place] = byte
    try:
        Decoder(SCHEMA).decode(bytes(damaged))
    except RecordingError as error:
        assert "step record" in str(error)


def test_a_message_with_more_behind_it_is_an_error() -> None:
    with pytest.raises(RecordingError, match="1 bytes too many"):
        Decoder(SCHEMA).decode(MESSAGE + b"x")


def test_only_numbers_are_arrays() -> None:
    with pytest.raises(RecordingError, match="O8"):
        Decoder(SCHEMA).decode(b"a\x03|O8\x00" + b"\x00" * 8)


def schema(**changes: object) -> bytes:
    return json.dumps({**json.loads(SCHEMA), **changes}).encode()


def test_another_format_is_refused() -> None:
    with pytest.raises(RecordingError, match="format; found 2; valid: 1"):
        Decoder(schema(format=2))
    with pytest.raises(RecordingError, match="schema"):
        Decoder(b"{}")


def test_a_class_of_another_version_is_named() -> None:
    classes = json.loads(SCHEMA)["classes"]
    classes[0] = {"name": "RobotState2", "fields": classes[0]["fields"]}
    with pytest.raises(RecordingError, match="RobotState2 is not known here"):
        Decoder(schema(classes=classes)).decode(Encoder().encode(state()))
    classes[0] = {"name": "RobotState", "fields": [*classes[0]["fields"][:-1], "smell"]}
    with pytest.raises(RecordingError, match="smell"):
        Decoder(schema(classes=classes)).decode(Encoder().encode(state()))


def test_the_schema_names_every_field_in_order() -> None:
    for told, cls in zip(json.loads(SCHEMA)["classes"], codec.CLASSES, strict=True):
        assert told == {"name": cls.__name__, "fields": [field.name for field in dataclasses.fields(cls)]}


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        (0.0, -0.0, "x"),
        (1, 1.0, "x"),
        (owned([1.0, 2.0]), owned([1.0, np.nextafter(2.0, 3.0)]), "x[1]"),
        (owned([1.0]), owned([1.0], np.float32), "x (size)"),
        ({"a": 1}, {"b": 1}, "x (names)"),
        ((1, 2), (1, 3), "x[1]"),
        (state(1), state(2), "x.stamp_ns"),
    ],
)
def test_the_first_difference_is_found_by_its_bits(one: object, other: object, field: str) -> None:
    found = first_difference(one, other, "x")
    assert found is not None and found.field == field
    assert first_difference(one, one, "x") is None
