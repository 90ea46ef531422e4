"""A Go1 as a socket sees it: answers each whole command with a state, written with ``struct`` from the layout alone."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

HEADER = struct.Struct("<3B x 2I 2I H")
MOTOR_COMMAND = struct.Struct("<B ff hhh 3I")
MOTOR_STATE = struct.Struct("<B ff hh ff h b 2I")
BATTERY = struct.Struct("<2B B B i H 2b 2b 10B")
COMMAND_SIZE, STATE_SIZE = 614, 807


def crc(raw: bytes) -> int:
    """CRC-32/MPEG-2 over the whole 32-bit words before the last four bytes, bit by bit through a table."""
    value = 0xFFFFFFFF
    covered = (len(raw) - 4) // 4 * 4
    for (word,) in struct.iter_unpack("<I", raw[:covered]):
        for byte in word.to_bytes(4, "big"):
            value = (value << 8) & 0xFFFFFFFF ^ _TABLE[value >> 24 ^ byte]
    return value


def _entry(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1) & 0xFFFFFFFF ^ (0x04C11DB7 if value >> 31 else 0)
    return value


_TABLE = [_entry(byte) for byte in range(256)]


def state_packet(tick: int, pos: Iterable[float] = (), temperature: int = 30, **changes: Any) -> bytes:
    """Return a state: upright and still, ``pos`` of the first motors, effort 0.5 N m each."""
    at = [*pos, *[0.0] * 20][:20]
    motors = b"".join(MOTOR_STATE.pack(10, p, 0.1 * i, 0, 128, p, 0.0, 0, temperature, 0, 0) for i, p in enumerate(at))
    imu = struct.pack("<4f 3f 3f 3f b", *changes.get("quat", (1.0, 0, 0, 0)), 0.1, 0.2, 0.3, 0, 0, 9.81, 0, 0, 0, 40)
    battery = BATTERY.pack(1, 2, 3, 77, -1500, 9, 25, 26, 27, 28, *[125] * 10)
    remote = struct.pack("<2xH5f", 1 << 2 | 1 << 8, 0.5, 0.0, 0.0, 0.0, 0.25)  # start and A; left stick right and up
    tail = struct.pack("<4h 4h I 40s I", 10, 20, 30, 40, 0, 0, 0, 0, tick, remote, 0)
    raw = HEADER.pack(0xFE, 0xEF, changes.get("level", 0xFF), 0, 0, 0, 0, 0) + imu + motors + battery + tail + bytes(4)
    return raw[:-4] + struct.pack("<I", crc(raw) ^ changes.get("spoil", 0))


def read_command(packet: bytes) -> list[tuple[Any, ...]]:
    """Return the 20 motors of a command: mode, pos, vel, effort, stiffness, damping in SI units."""
    motors = [MOTOR_COMMAND.unpack_from(packet, HEADER.size + MOTOR_COMMAND.size * i)[:6] for i in range(20)]
    return [(m, q, dq, tau / 256.0, kp / 32.0, kd / 16.0) for m, q, dq, tau, kp, kd in motors]


class LeggedPeer:
    """A robot on the loopback interface; ``answer`` makes the packets that follow a command."""

    def __init__(self, answer: Callable[[int, bytes], Iterable[bytes]] | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port: int = self.socket.getsockname()[1]
        self.commands: list[bytes] = []  # whole ones
        self.bad = 0
        self.answer = answer or (lambda tick, command: [state_packet(tick, [0.01 * i for i in range(12)])])
        self.client: Any = None
        self._tick = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                packet, self.client = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            if len(packet) != COMMAND_SIZE or crc(packet) != struct.unpack_from("<I", packet, 610)[0]:
                self.bad += 1
                continue
            self.commands.append(packet)
            self._tick += 1
            for answer in self.answer(self._tick, packet):
                self.socket.sendto(answer, self.client)

    def __enter__(self) -> LeggedPeer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self.socket.close()


def serve_for_ever(states: int = 1500) -> None:
    """Be a robot as a process of its own: say the port, then answer until killed, as quickly as a real one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as robot:
        robot.bind(("127.0.0.1", 0))
        packets = [state_packet(tick) for tick in range(states)]  # the sums take half a millisecond here
        sys.stdout.write(f"{robot.getsockname()[1]}\n")
        sys.stdout.flush()
        for packet in packets:
            command, client = robot.recvfrom(2048)
            if len(command) == COMMAND_SIZE:
                robot.sendto(packet, client)


if __name__ == "__main__":
    serve_for_ever()
