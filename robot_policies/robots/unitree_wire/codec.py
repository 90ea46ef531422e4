"""LowState and LowCmd as bytes: numpy instead of one Python object per field, which takes 100 times as long.

The fields are those of unitree_go's IDL (unitree_sdk2py 1.0.3), in its order. They have two layouts:

- the C struct (little endian, natural alignment), over which the robot computes the checksum;
- the CDR payload on the wire (XCDR1, little endian), where each number is aligned, but structs are not padded: a
  motor's ``mode`` follows the byte before it at once.

Both are derived from one list of fields; a table says which byte of the one is which byte of the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_policies.exceptions import InputError, expected

Image = npt.NDArray[np.void]  # a C struct, shape ()
HEADER = b"\x00\x01\x00\x00"  # CDR, little endian, no options
MOTORS = 20  # places for motors in a record, whatever the robot has

_HEADER: list[Any] = [  # of both records
    ("head", "u1", 2),
    ("level_flag", "u1"),
    ("frame_reserve", "u1"),
    ("sn", "<u4", 2),
    ("version", "<u4", 2),
    ("bandwidth", "<u2"),
]
_MOTOR_COMMAND = np.dtype(
    [("mode", "u1"), ("q", "<f4"), ("dq", "<f4"), ("tau", "<f4"), ("kp", "<f4"), ("kd", "<f4"), ("reserve", "<u4", 3)],
    align=True,
)
LOW_COMMAND = np.dtype(
    [
        *_HEADER,
        ("motor_cmd", _MOTOR_COMMAND, MOTORS),
        ("bms_cmd", [("off", "u1"), ("reserve", "u1", 3)]),
        ("wireless_remote", "u1", 40),
        ("led", "u1", 12),
        ("fan", "u1", 2),
        ("gpio", "u1"),
        ("reserve", "<u4"),
        ("crc", "<u4"),
    ],
    align=True,
)
_IMU = np.dtype(
    [
        ("quaternion", "<f4", 4),
        ("gyroscope", "<f4", 3),
        ("accelerometer", "<f4", 3),
        ("rpy", "<f4", 3),
        ("temperature", "u1"),
    ],
    align=True,
)
_MOTOR_STATE = np.dtype(
    [
        ("mode", "u1"),
        *((name, "<f4") for name in ("q", "dq", "ddq", "tau_est", "q_raw", "dq_raw", "ddq_raw")),
        ("temperature", "u1"),
        ("lost", "<u4"),
        ("reserve", "<u4", 2),
    ],
    align=True,
)
_BATTERY = np.dtype(
    [
        ("version_high", "u1"),
        ("version_low", "u1"),
        ("status", "u1"),
        ("soc", "u1"),
        ("current", "<i4"),
        ("cycle", "<u2"),
        ("bq_ntc", "u1", 2),
        ("mcu_ntc", "u1", 2),
        ("cell_vol", "<u2", 15),
    ],
    align=True,
)
LOW_STATE = np.dtype(
    [
        *_HEADER,
        ("imu_state", _IMU),
        ("motor_state", _MOTOR_STATE, MOTORS),
        ("bms_state", _BATTERY),
        ("foot_force", "<i2", 4),
        ("foot_force_est", "<i2", 4),
        ("tick", "<u4"),
        ("wireless_remote", "u1", 40),
        ("bit_flag", "u1"),
        ("adc_reel", "<f4"),
        ("temperature_ntc1", "u1"),
        ("temperature_ntc2", "u1"),
        ("power_v", "<f4"),
        ("power_a", "<f4"),
        ("fan_frequency", "<u2", 4),
        ("reserve", "<u4"),
        ("crc", "<u4"),
    ],
    align=True,
)

# Swaps the order of the bits of each byte.
_REFLECTED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(words: bytes) -> int:
    """Return Unitree's CRC of a C struct without its last word: CRC-32/MPEG-2 over u32, most significant bit first.

    zlib's CRC-32 is the same polynomial with the bits of every byte and of the result in reverse, and inverted.
    """
    big_endian = np.frombuffer(words, "<u4").byteswap().tobytes()
    reflected = zlib.crc32(big_endian.translate(_REFLECTED)) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REFLECTED), "big")


class Codec:
    """One record type, both ways. ``new`` gives an empty image, whose padding is zero, as the checksum wants it."""

    def __init__(self, name: str, struct: np.dtype[np.void]) -> None:
        """Derive the wire layout of ``struct``, whose last field is ``crc``."""
        self.name, self.struct = name, struct
        self._of_image, self._of_wire, size = _layouts(struct)
        self._image_size = struct.itemsize
        self.size = len(HEADER) + size  # of a payload [byte]
        # For the way out: byte i of the wire is byte _source[i] of the image; padding is the zero behind its end.
        self._source = np.full(size, self._image_size)
        self._source[self._of_wire] = self._of_image

    def new(self) -> Image:
        """Return an image of zeros, to be filled through its fields."""
        return np.zeros((), self.struct)

    def encode(self, image: Image) -> bytes:
        """Return ``image`` as a payload, and write the checksum of both."""
        image["crc"] = checksum(image.tobytes()[:-4])
        raw = np.frombuffer(image.tobytes() + b"\x00", np.uint8)
        return HEADER + raw.take(self._source).tobytes()

    def decode(self, payload: bytes) -> Image:
        """Return the image of a payload.

        Raises:
            InputError: it is torn, too long, not little-endian CDR, or its checksum is wrong; nothing of it is used.
        """
        if len(payload) != self.size:
            raise InputError(expected(f"{self.name}: its size", f"{len(payload)} bytes", f"{self.size} bytes"))
        if payload[:4] != HEADER:
            raise InputError(expected(f"{self.name}: its encoding", payload[:4].hex(), f"{HEADER.hex()}, CDR"))
        raw = np.zeros(self._image_size, np.uint8)
        raw[self._of_image] = np.frombuffer(payload, np.uint8, offset=len(HEADER))[self._of_wire]
        image: Image = raw.view(self.struct).reshape(())
        told, right = int(image["crc"]), checksum(raw.tobytes()[:-4])
        if told != right:
            raise InputError(expected(f"{self.name}: its checksum", f"{told:08x}", f"{right:08x}"))
        return image


def _layouts(struct: np.dtype[np.void]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], int]:
    """Return the place of every byte that means something, in the image and on the wire, and the wire's size."""
    image: list[int] = []
    wire: list[int] = []
    end = 0
    for offset, size in _numbers(struct, 0):
        end += -end % size  # CDR aligns each number to its own size
        image += range(offset, offset + size)
        wire += range(end, end + size)
        end += size
    return np.array(image), np.array(wire), end


def _numbers(kind: np.dtype[Any], offset: int) -> Iterator[tuple[int, int]]:
    """Give the offset in the C struct and the size of every number in ``kind``, in order."""
    if kind.subdtype is not None:
        base, shape = kind.subdtype
        for index in range(shape[0]):
            yield from _numbers(base, offset + index * base.itemsize)
    elif kind.fields is not None:
        for name in kind.names or ():
            field, within = kind.fields[name][:2]
            yield from _numbers(field, offset + within)
    else:
        yield offset, kind.itemsize


STATE = Codec("LowState", LOW_STATE)
COMMAND = Codec("LowCmd", LOW_COMMAND)
