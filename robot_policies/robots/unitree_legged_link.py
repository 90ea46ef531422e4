"""One UDP socket to a robot of the legged SDK: from which interface, what came, what was refused and why."""

from __future__ import annotations

import errno
import ipaddress
import json
import select
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from robot_policies.exceptions import RobotError, expected
from robot_policies.robots import unitree_legged_wire as wire
from robot_policies.robots.unitree_wire.interface import check_interface, interfaces
from robot_policies.robots.wire_log import BYTES, WireLog, WireTopic, as_bytes

SO_TIMESTAMPNS = 35  # asm-generic/socket.h: the kernel stamps each datagram with the system's time
LONGEST = 2048  # [byte], longer than any record, so that a long packet shows its length
RESTART = 10  # records with an older tick on end: the robot started anew, and its ticks too
# Datagrams are no CDR: a bag has them as bytes, and beside them what the bytes are.
STATE = WireTopic("/udp/state", BYTES, layout=json.dumps(wire.STATE.descr))
COMMAND = WireTopic("/udp/command", BYTES, layout=json.dumps(wire.COMMAND.descr))
_MISSING = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENODEV, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class Received:
    """A state's record, and when its datagram reached this machine (system time [ns])."""

    stamp_ns: int
    record: npt.NDArray[Any]


class Link:
    """Sends commands and receives states; what is not a whole state of this robot is refused and counted.

    Attributes:
        counts: ``sent``, ``received``, ``valid``, and what was refused: ``size``, ``header``, ``crc``, ``repeated``
            (the same bytes again), ``older`` (out of order), ``unsent`` and ``refused`` (nobody listens there).
        last_error: the last error of the network itself, "" where there was none.
        log: every datagram that came, refused or not, and every one that left.
    """

    def __init__(self, interface: str, address: str, port: int, local_port: int) -> None:
        """Open the socket. Raises ``RobotError`` for an interface, address or port that cannot be used."""
        self.counts: Counter[str] = Counter()
        self.last_error = ""
        self.log = WireLog()
        self.where = f"{address}:{port} through {interface}"
        self._last = b""  # the newest whole packet
        self._tick = 0  # its tick
        self._older = 0  # packets on end with a tick before that
        check_interface(interface)
        local = interfaces()[interface]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            self._socket.bind((local, local_port))
            # Connected: the kernel drops what others send, and tells when nobody listens.
            self._socket.connect((str(ipaddress.IPv4Address(address)), port))
        except (OSError, ValueError) as error:
            self._socket.close()
            raise RobotError(self._unusable(local, local_port, address, error)) from error

    def _unusable(self, local: str, port: int, address: str, error: Exception) -> str:
        if isinstance(error, ipaddress.AddressValueError):
            return expected("address: an IPv4 address", repr(address), "such as 192.168.123.10")
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            found = f"{local}:{port} is in use"
            return expected("local_port: a free port", found, "another one, or end the program that drives the robot")
        valid = f"an interface of the robot's network; this one has {local}"
        return expected(f"robot at {self.where}", str(error), valid)

    def send(self, packet: bytes) -> bool:
        """Send a record; return whether it left. A network that is away is counted, as it may come back.

        Raises:
            RobotError: the system refuses it for another reason.
        """
        for _ in range(2):  # the first try may only report that the packet before was refused
            try:
                self._socket.send(packet)
            except ConnectionRefusedError as error:
                self.counts["refused"] += 1
                self.last_error = f"nobody listens there ({error.strerror})"
            except OSError as error:
                if error.errno not in (*_MISSING, errno.EAGAIN, errno.ENOBUFS, errno.EPERM):
                    raise RobotError(f"UDP: writing a command to {self.where}: {error.strerror}") from error
                self.last_error = str(error.strerror)
                break
            else:
                self.counts["sent"] += 1
                self.log.note(COMMAND, as_bytes(packet))
                return True
        self.counts["unsent"] += 1
        return False

    def wait(self, seconds: float) -> None:
        """Return when a datagram has come, or after ``seconds``."""
        select.select([self._socket], [], [], max(seconds, 0.0))

    def newest(self) -> Received | None:
        """Return the newest state that has come since the last call, or None. Never waits."""
        newest: Received | None = None
        while True:
            try:
                packet, extra, _, _ = self._socket.recvmsg(LONGEST, 64)
            except BlockingIOError:
                return newest
            except ConnectionRefusedError as error:
                self.counts["refused"] += 1
                self.last_error = f"nobody listens there ({error.strerror})"
                continue
            except OSError as error:
                self.last_error = str(error.strerror)
                return newest
            stamp_ns = _stamp_ns(extra)
            self.log.note(STATE, as_bytes(packet), stamp_ns)
            newest = self._state(packet, stamp_ns) or newest

    def _state(self, packet: bytes, stamp_ns: int) -> Received | None:
        self.counts["received"] += 1
        reason = wire.fault(packet)
        if reason is None:
            record = wire.decoded(packet)
            reason = self._order(packet, int(record["tick"]))
            if reason is None:
                self.counts["valid"] += 1
                return Received(stamp_ns, record)
        self.counts[reason] += 1
        return None

    def _order(self, packet: bytes, tick: int) -> str | None:
        """Return ``repeated`` or ``older`` for a packet that is not newer than the last; 32 bits wrap around."""
        if packet == self._last:
            return "repeated"
        if self._last and (tick - self._tick) & 0xFFFFFFFF >= 0x80000000:
            self._older += 1
            if self._older < RESTART:
                return "older"
        self._last, self._tick, self._older = packet, tick, 0
        return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _stamp_ns(extra: list[tuple[int, int, bytes]]) -> int:
    """Return the kernel's stamp of a datagram [ns], else now."""
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack_from("@qq", data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()
