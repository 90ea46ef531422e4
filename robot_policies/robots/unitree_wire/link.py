"""Everything of the driver that talks to the network: states, commands, who controls the robot, who else writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cyclonedds.core import DDSException
from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_

from robot_policies.exceptions import RobotError
from robot_policies.robots.unitree_wire import definitions
from robot_policies.robots.unitree_wire.control import Control
from robot_policies.robots.unitree_wire.dds import Link, Payload
from robot_policies.robots.unitree_wire.hardware import Places
from robot_policies.robots.unitree_wire.rivals import Rivals
from robot_policies.robots.wire_log import WireLog

STATE_TOPIC, COMMAND_TOPIC, MIRROR_TOPIC = "rt/lowstate", "rt/lowcmd", "rt/lowcmd_mirror"


class RobotLink:
    """One robot on one interface. In a dry run it only listens, and writes the mirror.

    Attributes:
        log: every state that was taken, whole or torn, and every command that was written.
    """

    def __init__(self, options: Any, places: Places) -> None:
        """Open the topics that ``options`` (``UnitreeOptions``) name. Raises ``RobotError``."""
        peers = tuple(peer.strip() for peer in options.peers.split(",") if peer.strip())
        self._dds = Link(options.interface, options.domain, options.multicast, peers)
        self.where = self._dds.where
        self._armed = options.armed
        self.log, self._out = WireLog(), definitions.COMMAND if self._armed else definitions.MIRROR
        self._states = self._dds.reader(STATE_TOPIC, LowState_)
        commands = self._dds.reader(COMMAND_TOPIC, LowCmd_, foreign=True)
        self._rivals = Rivals(self._dds, commands, places.hardware.allowed_writers)
        self._commands = self._dds.writer(COMMAND_TOPIC if self._armed else MIRROR_TOPIC, LowCmd_)
        self._control: Control | None = None

    def begin(self, lies: Callable[[], bool]) -> None:
        """Begin to take the robot over, if armed; ``lies`` says whether it lies still."""
        if self._armed:
            self._control = Control(self._dds, lies)

    def poll(self, now_ns: int) -> None:
        """Go on with what takes several cycles; ``now_ns`` is the monotonic clock."""
        self._rivals.poll(now_ns)
        if self._control is not None:
            self._control.poll(now_ns)

    def wait(self, timeout_ns: int) -> bool:
        """Wait until a state comes; return whether one did."""
        return self._states.wait(timeout_ns)

    def states(self) -> list[bytes]:
        """Return the payloads that have come."""
        payloads = [sample.data for sample in self._states.take()]
        for payload in payloads:
            self.log.note(definitions.STATE, payload)
        return payloads

    def send(self, payload: bytes) -> None:
        """Write a command. Raises ``RobotError`` where DDS does not take it."""
        try:
            self._commands.write(Payload(payload))
        except DDSException as error:
            raise RobotError(f"DDS: writing a command: {error.msg}") from error
        self.log.note(self._out, payload)

    @property
    def taken(self) -> bool:
        """Whether the built-in controller was released."""
        return self._control is not None and self._control.taken

    @property
    def rival(self) -> str:
        """Who else commands the motors, or may; "" for nobody."""
        control = "" if self._control is None else self._control.rival
        return "; ".join(text for text in (control, self._rivals.rival) if text)

    @property
    def writers(self) -> list[str]:
        """All other writers of commands."""
        return self._rivals.writers

    @property
    def foreign(self) -> int:
        """How many foreign commands were seen."""
        return self._rivals.messages

    def seen(self) -> str:
        """Return what there is in the domain instead of a state of this robot."""
        writers = self._dds.writers()
        others = sorted({f"{w.kind} from {w}" for w in writers if w.topic == STATE_TOPIC and w.kind != _NAME})
        if others:
            return f"a robot of another kind: {', '.join(others)}"
        people = sorted({str(writer) for writer in writers})
        return f"other participants ({', '.join(people[:4])}) and no state" if people else "no other participant"

    def close(self) -> None:
        """Leave the domain."""
        self._dds.close()


_NAME = "unitree_go::msg::dds_::LowState_"
