"""A Go2 on the wire: ``rt/lowstate`` out at 500 Hz, ``rt/lowcmd`` in, the motion switcher and the sport service."""

from __future__ import annotations

from collections.abc import Sequence

from sim2real.firmware.board import Board
from sim2real.firmware.dds import Wire
from sim2real.firmware.faults import Faults
from sim2real.firmware.go2_records import decode_command, encode_command, encode_state
from sim2real.firmware.judge import Judge
from sim2real.firmware.readings import MotorCommand
from sim2real.firmware.services import SERVICES


class Go2Link:
    """The Go2's protocol over Cyclone DDS."""

    def __init__(self, interface: str, domain: int) -> None:
        """Join the network. Raises RobotError."""
        self._wire = Wire(interface, domain)
        self._services = {name: self._wire.service(name) for name in SERVICES}

    def take(self, board: Board, judge: Judge, muted: bool) -> Sequence[MotorCommand]:
        """Return the valid commands of others; serve requests; both are lost while the network is away."""
        packets = self._wire.take_commands()
        self._serve(board, muted)
        commands: list[MotorCommand] = []
        for data, writer in packets if not muted else ():
            commands += judge.command(decode_command(data), writer)
        return commands

    def send(self, board: Board, faults: Faults) -> None:
        """Send the state, and what the built-in controller has commanded."""
        own = board.own_command
        if not faults.muted:
            self._wire.write_own_command(None if own is None else encode_command(own))
        data = encode_state(faults.falsify(board.readings()), faults.crc_error())
        for packet in faults.send(data, board.time):
            self._wire.write_state(packet)

    def _serve(self, board: Board, muted: bool) -> None:
        for name, service in self._services.items():
            for request in service.take():
                answer = SERVICES[name](board, request.header.identity.api_id, request.parameter)
                if answer is not None and not muted:
                    service.answer(request, *answer)

    def close(self) -> None:
        """Take the writer off the network; the rest goes with the process."""
        self._wire.write_own_command(None)
