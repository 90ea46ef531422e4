"""The checksum of Unitree's records: CRC-32 with polynomial 0x04C11DB7, start 0xFFFFFFFF, no reflection, no final xor.

It runs over little-endian 32-bit words, each from its highest byte (found out in the tests against the vendor's own
library). A CRC is linear: what a byte at a place adds to it does not depend on the others. So there is a table of
256 words for every place of a record, and the checksum is the xor of what its bytes find there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

_POLYNOMIAL = np.uint32(0x04C11DB7)
_START = 0xFFFFFFFF


def word_crc(record: bytes) -> int:
    """Return the checksum of ``record``; its length is a multiple of 4 bytes."""
    table, places, start = _tables(len(record))
    found = table[places + np.frombuffer(record, np.uint8)]
    return int(np.bitwise_xor.reduce(found)) ^ start


@lru_cache(maxsize=16)
def _tables(length: int) -> tuple[Words, npt.NDArray[np.intp], int]:
    """Return 256 words for each byte of a record of ``length``, where each byte's begin, and what the start adds."""
    one_byte = _one_byte()
    table = np.empty((length, 256), np.uint32)
    added, start = one_byte, np.array([_START], np.uint32)
    for place in reversed(range(length)):
        table[place ^ 3] = added  # the highest byte of a little-endian word lies last and goes first
        added, start = _shifted(added, one_byte), _shifted(start, one_byte)
    return table.ravel(), np.arange(length) * 256, int(start[0])


def _one_byte() -> Words:
    """Return what each byte makes of an empty register."""
    register = np.arange(256, dtype=np.uint32) << np.uint32(24)
    for _ in range(8):
        register = np.where(
            register >> np.uint32(31), (register << np.uint32(1)) ^ _POLYNOMIAL, register << np.uint32(1)
        )
    return register


def _shifted(register: Words, one_byte: Words) -> Words:
    """Return the registers after a byte of zeros."""
    shifted: Words = (register << np.uint32(8)) ^ one_byte[register >> np.uint32(24)]
    return shifted
