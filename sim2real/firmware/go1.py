"""A Go1 (or A1) on the wire: UDP records, a state for whoever commands."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Sequence

from robot_policies.exceptions import RobotError, expected
from sim2real.firmware.board import PERIOD, Board
from sim2real.firmware.faults import Faults
from sim2real.firmware.go1_records import CMD_SIZE, decode_command, encode_state
from sim2real.firmware.judge import Judge
from sim2real.firmware.readings import MotorCommand

LONGEST = 2048  # bytes of a datagram
# States go to the address of the newest command, for this long after it: an assumption, as is that a command that is
# refused counts too. The SDK's client gets its first state in this way.
CLIENT_TICKS = round(1.0 / PERIOD)
_ADDRESS_OF = 0x8915  # SIOCGIFADDR


class Go1Link:
    """The Go1's protocol over UDP."""

    def __init__(self, interface: str, port: int) -> None:
        """Listen on ``port`` of ``interface``. Raises RobotError."""
        address = _address(interface)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((address, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise RobotError(expected(f"UDP port {port} of {interface}", str(error), "a free port")) from error
        self._client: tuple[str, int] | None = None
        self._silent = 0  # ticks since it sent

    def take(self, board: Board, judge: Judge, muted: bool) -> Sequence[MotorCommand]:
        """Return the valid commands that have come, and remember who sent the newest record."""
        commands: list[MotorCommand] = []
        self._silent += 1
        for data, sender in self._datagrams():
            if muted:
                continue
            if len(data) == CMD_SIZE:
                self._client, self._silent = sender, 0
            commands += judge.command(decode_command(data), hash(sender))
        return commands

    def send(self, board: Board, faults: Faults) -> None:
        """Send the state to the client, if there is one."""
        data = encode_state(faults.falsify(board.readings()), faults.crc_error())
        if self._client is None or self._silent > CLIENT_TICKS:
            return
        for packet in faults.send(data, board.time):
            try:
                self._socket.sendto(packet, self._client)
            except (BlockingIOError, ConnectionRefusedError):
                continue  # the client has gone or does not read

    def _datagrams(self) -> list[tuple[bytes, tuple[str, int]]]:
        found: list[tuple[bytes, tuple[str, int]]] = []
        while True:
            try:
                found.append(self._socket.recvfrom(LONGEST))
            except BlockingIOError:
                return found
            except ConnectionRefusedError:
                continue

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def _address(interface: str) -> str:
    """Return the IPv4 address of an interface. Raises RobotError."""
    names = [name for _, name in socket.if_nameindex()]
    if interface not in names:
        raise RobotError(expected("interface", interface, names))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            found = fcntl.ioctl(probe, _ADDRESS_OF, struct.pack("256s", interface.encode()))
        except OSError as error:
            raise RobotError(expected(f"an IPv4 address of {interface}", str(error), "ip addr add ...")) from error
    return socket.inet_ntoa(found[20:24])
