"""What every peer is: a board behind a wire, ticked 500 times a second on absolute deadlines."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Protocol, TextIO

from robot_policies.control.pacing import Pacer
from robot_policies.control.timing import Percentiles
from robot_policies.robot_spec import RobotSpec
from sim2real.firmware.board import PERIOD, Board
from sim2real.firmware.body import Body
from sim2real.firmware.control import Control
from sim2real.firmware.faults import Faults
from sim2real.firmware.judge import Judge
from sim2real.firmware.motors import TIMEOUT
from sim2real.firmware.readings import MotorCommand

PERIOD_NS = round(PERIOD * 1e9)


@dataclass(frozen=True)
class PeerOptions:
    """What a peer can be told at its start."""

    terrain: Optional[str] = None  # None is the plane
    seed: int = 0
    noise: float = 1.0  # factor on the sensors' noise
    mode: str = "mcf"  # the built-in controller that is active at power-on; "" = none
    timeout: float = TIMEOUT  # [s] without a command until the motors brake
    heat: float = 1.0  # factor on how fast the motors heat
    control: int = 0  # port of the side door; 0 = a free one
    impossible: tuple[str, ...] = ()  # faults that the wire cannot carry
    log: Optional[Path] = None  # the judge's JSON lines
    look: bool = False  # keep what is only seen, for a viewer


class Link(Protocol):
    """A robot's protocol."""

    def take(self, board: Board, judge: Judge, muted: bool) -> Sequence[MotorCommand]:
        """Return the commands that have come, oldest first; count all of them; serve what else the protocol has."""
        ...

    def send(self, board: Board, faults: Faults) -> None:
        """Send a state, as the faults let it be."""
        ...

    def close(self) -> None:
        """Leave the network."""
        ...


class Peer:
    """One robot on its wire.

    Attributes:
        periods: from one state to the next [ns].
        busy: what a tick takes of that [ns].
    """

    def __init__(self, spec: RobotSpec, options: PeerOptions) -> None:
        """Build the robot. Raises RobotError for what cannot be had."""
        body = Body(spec, options.terrain, options.seed, options.noise, options.look)
        self.board = Board(body, options.mode, options.timeout, options.heat)
        self._file: TextIO | None = (
            None if options.log is None else options.log.open("w", encoding="utf-8", buffering=1)
        )
        self.judge = Judge(self.board, self._file)
        self.faults = Faults(options.impossible)
        self.control = Control(self.board, self.faults, self.judge, options.control)
        self.control.status = self.status
        self.periods, self.busy = Percentiles(), Percentiles()
        self._pacer = Pacer(PERIOD_NS)
        self._begun_ns, self._sent_ns = time.monotonic_ns(), 0
        self._cpu = _cpu()

    def tick(self, link: Link) -> None:
        """Wait for the next deadline and do what is due."""
        self._pacer.wait()
        begun = time.monotonic_ns()
        if self._sent_ns:
            self.periods.add(begun - self._sent_ns)
        self._sent_ns = begun
        self.control.serve()
        self.faults.expire(self.board.time)
        self.board.tick(link.take(self.board, self.judge, self.faults.muted))
        link.send(self.board, self.faults)
        self.judge.tick()
        self.busy.add(time.monotonic_ns() - begun)

    def status(self) -> dict[str, Any]:
        """Return how the peer itself does, since its start."""
        seconds = (time.monotonic_ns() - self._begun_ns) * 1e-9
        return {
            "t": round(self.board.time, 3),
            "mode": self.board.mode,
            "driven_by": self.board.driven_by,
            "rate_hz": round(self.board.ticks / seconds, 2),
            "period_ms": dict(self.periods.summary_ms()),
            "busy_ms": dict(self.busy.summary_ms()),
            "missed": self._pacer.missed,
            "cpu_percent": round(100.0 * (_cpu() - self._cpu) / seconds, 1),
            "commands": dict(self.judge.commands),
        }

    def close(self) -> None:
        """Close the log and the side door."""
        self.judge.event("end", **self.status())
        self.control.close()
        if self._file is not None:
            self._file.close()


def _cpu() -> float:
    """Return the processor time of this process [s]."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
