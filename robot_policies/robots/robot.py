"""The one interface of every robot: simulated, mock or real. Nothing above may ask which one runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.wire_log import WireLog
from robot_policies.types import Array, JointCommand, RobotHealth, RobotState

# Called by ``Robot.read`` to pass the time until the robot's clock shows ``stamp_ns``. A node serves its callbacks in
# it; in lockstep it returns when the command for a due stamp has come; offline it returns at once.
Wait = Callable[[int], None]


class Robot(Protocol):
    """Reads complete states and writes joint commands, in the joint order of ``spec.joint_names``."""

    spec: RobotSpec

    def now_ns(self) -> int:
        """Return the robot's clock [ns], the one that stamps its states."""
        ...

    def read(self, wait: Wait) -> RobotState:
        """Return the next state, once, after passing the time until then in ``wait``.

        Raises:
            RobotError: the robot cannot be read.
        """
        ...

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Send ``command`` and return what really went out; None writes nothing."""
        ...

    def close(self) -> None:
        """Release the robot. What it does afterwards is the robot's own default, so land before."""
        ...


class GroundTruth(Protocol):
    """What only a simulator knows. For reports, viewers and the simulated camera; no policy reads it."""

    @property
    def position(self) -> Array:
        """Of the base in the world, (3,) [m]."""

    @property
    def quat_wxyz(self) -> Array:
        """Rotates base to world, (4,)."""

    @property
    def base_lin_vel(self) -> Array:
        """In the base frame, (3,) [m/s]."""

    @property
    def base_ang_vel(self) -> Array:
        """In the base frame, (3,) [rad/s]."""

    @property
    def ground_contacts(self) -> tuple[str, ...]:
        """Bodies that must not touch the ground and do."""


@runtime_checkable
class TellsHealth(Protocol):
    """A robot that tells more of itself than its state, as hardware does."""

    def health(self) -> RobotHealth:
        """Return what belongs to the newest state."""

    def report(self) -> Mapping[str, Any]:
        """Return everything else that an operator may want to see, for the diagnostics; not for every cycle.

        Two keys have a meaning above: ``dry_run`` (commands go nowhere) and ``taking_control`` (why it cannot be armed
        yet, "" once it can).
        """


@runtime_checkable
class SpeaksWire(Protocol):
    """A robot that is reached over a wire of its own, and keeps what went over it for a recording."""

    @property
    def wire_log(self) -> WireLog:
        """Messages in and out; whoever takes them empties it."""


@runtime_checkable
class KnowsGroundTruth(Protocol):
    """A robot that can also say what is true; a capability, not a kind."""

    def ground_truth(self) -> GroundTruth:
        """Return what is true at the newest state's stamp."""


@runtime_checkable
class Described(Protocol):
    """A robot that has a description of its bodies."""

    def description(self) -> str:
        """Return the URDF."""


@dataclass(frozen=True)
class GroundBox:
    """A solid box of the ground."""

    position: tuple[float, float, float]  # of its centre in the world [m]
    quat_wxyz: tuple[float, float, float, float]  # rotates box to world
    size: tuple[float, float, float]  # edge lengths [m]


@dataclass(frozen=True)
class GroundShape:
    """An endless floor, and boxes on it or in it."""

    floor: float  # height of the floor in the world [m]
    boxes: tuple[GroundBox, ...] = ()


@runtime_checkable
class KnowsGround(Protocol):
    """A robot that can say what it stands on, as a simulator can. For viewers; no policy reads it."""

    def ground(self) -> GroundShape:
        """Return the ground, which does not change."""
