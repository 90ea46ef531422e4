"""The checksum of Unitree's records: CRC-32 with polynomial 0x04C11DB7, start 0xFFFFFFFF, no reflection, no final xor.

It runs over little-endian 32-bit words, each from its highest bit. Found out in hardware.md section 1.4 and compared in
the tests with the vendor's own library. The table takes half a word at a time.
"""

from __future__ import annotations

import struct

import numpy as np

_POLYNOMIAL = 0x04C11DB7
_START = 0xFFFFFFFF
_MASK = 0xFFFFFFFF


def _table() -> list[int]:
    """Return what 16 bits of input do to the register, for each of the 65536 values."""
    register = np.arange(1 << 16, dtype=np.uint64) << 16
    for _ in range(16):
        carry = register & 0x80000000 != 0
        register = (register << 1) & _MASK
        register[carry] ^= _POLYNOMIAL
    return [int(value) for value in register]


_TABLE = _table()


def word_crc(record: bytes) -> int:
    """Return the checksum of ``record``; its length is a multiple of 4 bytes."""
    halves = struct.unpack(f"<{len(record) // 2}H", record)
    crc, table = _START, _TABLE
    for low, high in zip(halves[0::2], halves[1::2], strict=True):
        crc = table[(crc >> 16) ^ high] ^ ((crc << 16) & _MASK)
        crc = table[(crc >> 16) ^ low] ^ ((crc << 16) & _MASK)
    return crc
