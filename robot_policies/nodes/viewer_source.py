"""Where the page's content comes from: a robot that runs now, or a recording of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from robot_policies.nodes.velocity_source import VelocitySource
from robot_policies.nodes.viewer_facts import Facts
from robot_policies.nodes.viewer_inputs import ViewerInputs


class Source(Protocol):
    """What the loop and the tables read.

    Attributes:
        note: the last answer to something that was pressed, or what cannot be shown.
        period: of the picture [s].
    """

    inputs: ViewerInputs
    facts: Facts
    velocity: VelocitySource
    note: str
    period: float

    def now_ns(self) -> int:
        """Return the time by which ages are told [ns]; the robot's in lockstep."""
        ...

    def clock(self) -> float:
        """Return the time by which it counts what is heard as fresh [s]."""
        ...

    def serve(self, events: Iterable[object], now: float) -> None:
        """Do what browsers ask for at ``now`` (monotonic [s]), and go on with what is under way."""
        ...

    def played(self) -> str:
        """Return where in a recording this is; "", as it is now."""
        ...
