"""Modes, requests, trips and their landings. Knows no joint: what each mode writes is built around it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from robot_policies.exceptions import expected
from robot_policies.safety.landings import DAMPING, ESTOP, HOLD, NONE, TRIPS, Landings
from robot_policies.safety.state_check import Fault
from robot_policies.types import Mode, Trip


class Request(Enum):
    """What an operator may ask for."""

    ARM = "arm"
    DISARM = "disarm"
    STAND = "stand"
    DAMP = "damp"
    ESTOP = "estop"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Reply:
    """Whether a request was granted, and why or why not."""

    ok: bool
    message: str


# Modes in which a request is granted, unless something latched or present forbids it. ``estop`` always is.
GRANTED: dict[Request, tuple[Mode, ...]] = {
    Request.ARM: (Mode.DISARMED, Mode.DAMPING, Mode.STAND, Mode.ACTIVE),
    Request.DISARM: (Mode.DISARMED, Mode.DAMPING, Mode.LANDING),
    Request.STAND: (Mode.DAMPING, Mode.STAND, Mode.ACTIVE),
    Request.DAMP: (Mode.DAMPING, Mode.STAND, Mode.ACTIVE, Mode.LANDING),
    Request.ESTOP: tuple(Mode),
    Request.RESET: tuple(Mode),
}


class StateMachine:
    """The mode of one robot. ``landing`` is set in mode landing only; ``trips`` are latched until ``reset``.

    What tripped while disarmed, when nothing was written, is latched too, but arming on a healthy state clears it:
    while other processes start, a computer stalls, and nobody should need a reset for that. ``estop`` stays.
    """

    def __init__(self, landings: Landings) -> None:
        """Start disarmed."""
        self._landings = landings
        self.mode = Mode.DISARMED
        self.landing: str | None = None
        self.trips: tuple[Trip, ...] = ()

    def request(self, request: Request, faults: tuple[Fault, ...], now_ns: int) -> Reply:
        """Grant or refuse ``request``.

        Args:
            request: what the operator asks for.
            faults: what is wrong with the newest state now; nothing stiffens and no latch clears over one.
            now_ns: the robot's clock [ns].
        """
        if request is Request.ESTOP:
            self.trip(ESTOP, "asked for", now_ns)
            return self._granted()
        if request is Request.RESET:
            return self._reset(faults)
        if self.mode not in GRANTED[request]:
            return self._refused(request.value)
        if request is Request.DISARM:
            return self._disarm()
        if request is Request.DAMP:
            return self._damp()
        return self._go(request, faults)

    def trip(self, name: str, detail: str, now_ns: int, lasting: bool = False) -> None:
        """Latch a trip and land as the safety file says. A trip in a stiff landing always leaves damping.

        A ``lasting`` cause, such as heat, trips once: it may not cut short the landing that it led to. While disarmed
        it does not trip at all: as long as it lasts, it is a fault over which nobody can arm.

        Raises:
            ValueError: no such trip.
        """
        if name not in TRIPS:
            raise ValueError(expected("name of a trip", repr(name), TRIPS))
        if lasting and self.mode is Mode.DISARMED:
            return
        landing = self._landings[name, self.mode]
        latched = any(trip.name == name for trip in self.trips)
        if latched and (lasting or landing in (self.landing, NONE)):
            return  # nothing new, and nothing softer to fall to
        self.trips = (*self.trips, Trip(now_ns, name, detail, self.mode, landing))
        if landing != NONE:
            self.mode, self.landing = Mode.LANDING, landing

    def activate(self) -> None:
        """Enter active; who may is for the lease to say."""
        self.mode = Mode.ACTIVE

    def release(self) -> None:
        """Leave active, because the lease was given back in order."""
        if self.mode is Mode.ACTIVE:
            self.mode = Mode.STAND

    def soften(self) -> None:
        """Let a landing that has reached its end go on as damping, still latched."""
        if self.mode is Mode.LANDING:
            self.landing = DAMPING

    def valid_now(self) -> tuple[str, ...]:
        """Return the requests that the present mode can grant."""
        return tuple(request.value for request, modes in GRANTED.items() if self.mode in modes)

    def _go(self, request: Request, faults: tuple[Fault, ...]) -> Reply:
        if request is Request.ARM and not faults:
            self.trips = tuple(trip for trip in self.trips if trip.mode is not Mode.DISARMED or trip.name == ESTOP)
        blocked = self._blocked(request.value, faults)
        if blocked is not None:
            return blocked
        if request is Request.STAND:
            self.mode = Mode.STAND
        elif self.mode is Mode.DISARMED:
            self.mode = Mode.DAMPING
        return self._granted()

    def _disarm(self) -> Reply:
        if self.mode is Mode.LANDING and self.landing != DAMPING:
            return self._refused("disarm")
        self.mode, self.landing = Mode.DISARMED, None
        return self._granted()

    def _damp(self) -> Reply:
        if self.mode is Mode.LANDING:
            self.landing = DAMPING
        else:
            self.mode = Mode.DAMPING
        return self._granted()

    def _reset(self, faults: tuple[Fault, ...]) -> Reply:
        if faults:
            return Reply(False, expected("reset: the cause is gone", _list(faults), "a healthy state, then reset"))
        self.trips = ()
        if self.mode is Mode.LANDING:
            # A robot that holds itself up goes on standing; all others are limp already.
            self.mode = Mode.STAND if self.landing == HOLD else Mode.DAMPING
            self.landing = None
        return self._granted()

    def _blocked(self, word: str, faults: tuple[Fault, ...]) -> Reply | None:
        if self.trips:
            latched = ", ".join(trip.name for trip in self.trips)
            return Reply(False, expected(f"{word}: no trip latched", latched, "reset"))
        if faults:
            return Reply(False, expected(f"{word}: a healthy state", _list(faults), self.valid_now()))
        return None

    def _refused(self, word: str) -> Reply:
        return Reply(False, expected(f"{word} in mode {self._where()}", "refused", self.valid_now()))

    def _granted(self) -> Reply:
        return Reply(True, f"mode {self._where()}")

    def _where(self) -> str:
        return self.mode.value if self.landing is None else f"{self.mode.value} ({self.landing})"


def _list(faults: tuple[Fault, ...]) -> str:
    return "; ".join(f"{name}: {detail}" for name, detail in faults)
