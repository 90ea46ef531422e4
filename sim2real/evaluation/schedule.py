"""When what is asked of the robot: as a list of stamps, or as the way of an operator who waits for each mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from robot_policies.exceptions import InputError, expected
from robot_policies.types import Mode, RobotRecord, VelocityCommand

RequestKind = Literal["arm", "disarm", "stand", "damp", "estop", "reset"]
Kind = Literal[RequestKind, "activate", "deactivate", "velocity_command", "switch"]
KINDS: tuple[str, ...] = get_args(Kind)
SETTLE_NS = 100_000_000  # [ns]
RENEW_NS = 100_000_000  # [ns], as a pad or a planner does; bundles let a command grow older than that


@dataclass(frozen=True, slots=True)
class Event:
    """Something asked of the robot. It is applied after the first robot cycle whose stamp is at or after its own."""

    stamp_ns: int
    kind: Kind
    velocity_command: VelocityCommand | None = None  # of kind velocity_command only; carries the event's stamp
    policy: str = ""  # of kind switch only: name of the bundle that is to command

    def __post_init__(self) -> None:
        """Check that the kind is known and has its value."""
        if self.kind not in KINDS:
            raise InputError(expected("schedule: kind of event", repr(self.kind), KINDS))
        value = self.velocity_command
        if (self.kind == "velocity_command") != (value is not None):
            raise InputError(expected(f"schedule: value of {self.kind}", value, "a value for velocity_command only"))
        if (self.kind == "switch") != bool(self.policy):
            raise InputError(expected(f"schedule: policy of {self.kind}", repr(self.policy), "a name for switch only"))
        if value is not None and value.stamp_ns != self.stamp_ns:
            raise InputError(expected("schedule: stamp of the velocity command", value.stamp_ns, str(self.stamp_ns)))


class Schedule(Protocol):
    """Gives the events that are due after a robot cycle; each is given once."""

    def due(self, record: RobotRecord, standing: bool) -> Sequence[Event]:
        """Return what to apply now, in order.

        Args:
            record: of the cycle that has just run.
            standing: whether the ramp to the start pose has ended.
        """
        ...


class Listed:
    """Fixed stamps: the schedule of tests, and of runs that must equal another run number by number."""

    def __init__(self, events: Sequence[Event]) -> None:
        """Sort by stamp; events with one stamp keep their order."""
        self._events = sorted(events, key=lambda event: event.stamp_ns)
        self._next = 0

    def due(self, record: RobotRecord, standing: bool) -> Sequence[Event]:
        """Return the events whose stamps have come. See ``Schedule``."""
        begin, stamp_ns = self._next, record.state.stamp_ns
        while self._next < len(self._events) and self._events[self._next].stamp_ns <= stamp_ns:
            self._next += 1
        return self._events[begin : self._next]


class Operator:
    """The default: settle, arm, stand, activate once the ramp is done, then one velocity command again and again."""

    def __init__(
        self,
        command: tuple[float, float, float],
        settle_ns: int = SETTLE_NS,
        steer: Callable[[], float] | None = None,
    ) -> None:
        """Set what will be asked for.

        Args:
            command: velocity in the base frame: x [m/s], y [m/s], yaw [rad/s].
            settle_ns: how long to wait before anything is asked for [ns].
            steer: gives what to add to the yaw rate [rad/s], at each command.
        """
        self._steer = steer
        self._command, self._settle_ns = command, settle_ns
        self._asked: list[str] = []
        self._renew_ns = 0

    def due(self, record: RobotRecord, standing: bool) -> Sequence[Event]:
        """Return the next request once the mode before it has come. See ``Schedule``."""
        stamp_ns = record.state.stamp_ns
        if not self._asked:
            return self._ask(stamp_ns, "arm") if stamp_ns >= self._settle_ns else ()
        if self._asked[-1] == "arm":
            return self._ask(stamp_ns, "stand") if record.mode is Mode.DAMPING else ()
        if self._asked[-1] == "stand":
            ready = record.mode is Mode.STAND and standing
            return (*self._ask(stamp_ns, "activate"), *self._velocity(stamp_ns)) if ready else ()
        return self._velocity(stamp_ns)

    def _ask(self, stamp_ns: int, kind: Kind) -> tuple[Event, ...]:
        self._asked.append(kind)
        return (Event(stamp_ns, kind),)

    def _velocity(self, stamp_ns: int) -> tuple[Event, ...]:
        if stamp_ns < self._renew_ns:
            return ()
        self._renew_ns = stamp_ns + RENEW_NS
        x, y, turn = self._command
        if self._steer is not None:
            turn += self._steer()
        return (Event(stamp_ns, "velocity_command", VelocityCommand(stamp_ns, x, y, turn)),)
