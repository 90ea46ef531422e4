"""A Unitree robot of the DDS generation (Go2) on its own wire: LowState in, LowCmd out, at 500 Hz.

A cycle begins when a LowState comes; ``write`` sends one LowCmd at once. Stamps are the robot's ticks mapped to this
machine's time (``unitree_wire/clock.py``), never later than the receipt. Only with the option ``armed`` does a command
go to the motors; without it everything runs, and commands go to the topic ``rt/lowcmd_mirror``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Optional

import numpy as np
from pydantic import Field
from typing_extensions import Annotated

from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.cycle import checked_command
from robot_policies.robots.robot import Wait
from robot_policies.robots.unitree_wire.clock import TickClock
from robot_policies.robots.unitree_wire.codec import COMMAND, STATE, Image
from robot_policies.robots.unitree_wire.hardware import Places, read_hardware
from robot_policies.robots.unitree_wire.interface import check_interface
from robot_policies.robots.unitree_wire.readings import health, kind_fault, readings, robot_state
from robot_policies.robots.unitree_wire.sdk import check_sdk
from robot_policies.robots.wire_log import WireLog
from robot_policies.schema import parse, schema
from robot_policies.types import JointCommand, RobotHealth, RobotState

if TYPE_CHECKING:
    from robot_policies.robots.unitree_wire.link import RobotLink

BACKEND = "unitree"
STATE_TOPIC = "rt/lowstate"
STILL = 0.3  # [rad/s], below which every joint of a robot that lies still is
LEAD_NS = 300_000  # [ns] before a state is due, from when on the driver waits for it and serves nothing else
LOST_NS = 50_000_000  # [ns] without a state: 25 of them at 500 Hz, half of what a safety file allows
RETRY_NS = 4_000_000  # [ns] of waiting in each further cycle without one, so that damping goes on being sent
# Of unitree_sdk2's Go2 examples: the head of each LowCmd, low level, and the position and speed of a motor not in use.
HEAD, LOW_LEVEL, NO_POSITION, NO_SPEED = (0xFE, 0xEF), 0xFF, 2.146e9, 16000.0


@schema
class UnitreeOptions:
    """Options of ``create``."""

    interface: str = ""  # the network interface that the robot is on; there is no default
    armed: bool = False  # True: take the robot's motors over and command them; False: a dry run
    domain: Annotated[int, Field(ge=0, le=230)] = 0  # DDS domain; robots use 0
    multicast: Literal["auto", "on", "off"] = "auto"  # auto: on, but for the loopback interface
    peers: str = ""  # addresses to look for participants at besides, with commas between
    timeout: Annotated[float, Field(gt=0, le=60)] = 5.0  # [s] until the first LowState
    rate: Optional[Annotated[float, Field(gt=0)]] = None  # [Hz] of the cycle; null: that of the robot
    clock: str = "real"  # as simulators take it; a robot's time is real


class UnitreeRobot:
    """Reads and writes one robot. ``spec`` is that of the robot file, with the rate at which it is read here."""

    def __init__(self, spec: RobotSpec, options: UnitreeOptions, places: Places, link: RobotLink) -> None:
        """Wait for the first valid state on ``link``, and begin to take the motors over where ``options`` say so.

        Raises:
            RobotError: no state comes in time, or it is not this robot's.
        """
        hardware = places.hardware
        self.spec = replace(spec, state_rate=options.rate or hardware.rate)
        self._places, self._link, self._armed = places, link, options.armed
        self._period_ns = round(1e9 / self.spec.state_rate)
        self._state_ns = round(1e9 / hardware.rate)  # between two states of the robot
        self._clock = TickClock(round(hardware.tick * 1e9), self._state_ns)
        self._refused: Counter[str] = Counter()
        self._refusal = self._why = ""  # ever, and since the last state that was taken
        self._image: Image = STATE.new()
        self._lost = False
        self._alone = False  # whether nobody else has commanded at some time since the controller was released
        self._from_ns = 0  # the next state is the first one that is stamped at or after this [ns]
        self._command = _empty_command(hardware.motor_mode)
        self.sent = 0
        self._state = self._first(round(options.timeout * 1e9))
        fault = kind_fault(self._image, self._state, spec, places)
        if fault is not None:
            raise RobotError(fault)
        self._due_ns = self._state.stamp_ns
        link.begin(lambda: self._lies())

    @property
    def wire_log(self) -> WireLog:
        """What went over the wire."""
        return self._link.log

    def now_ns(self) -> int:
        """Return system time [ns]."""
        return time.time_ns()

    def read(self, wait: Wait) -> RobotState:
        """Return the next state as it comes, after passing most of the time until then in ``wait``.

        Raises:
            RobotError: none has come for 50 ms (then: in this cycle), or the robot's ticks jumped.
        """
        wait(self._due_ns)
        self._link.poll(time.monotonic_ns())
        self._alone = self._alone or (self._link.taken and not self._link.rival)
        state = self._next(time.monotonic_ns() + (RETRY_NS if self._lost else LOST_NS))
        self._lost = state is None
        if state is None:
            self._due_ns = self._from_ns = 0
            why = f"; refused since: {self._why}" if self._why else ""
            raise RobotError(f"no new {STATE_TOPIC} for {LOST_NS / 1e6:g} ms{why}")
        self._state = state
        self._due_ns = state.stamp_ns + self._period_ns - LEAD_NS
        self._from_ns = state.stamp_ns + self._period_ns - self._state_ns * 3 // 4  # ticks are whole milliseconds
        return state

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Send ``command`` to the motors, or in a dry run to the mirror, and return it; None sends nothing.

        Nothing is sent, and None returned, before the built-in controller was released.

        Raises:
            RobotError: a malformed command, or DDS does not take it.
        """
        if command is None:
            return None
        safe = checked_command(self.spec, command)
        if self._armed and not self._link.taken:
            return None
        motors, places = self._command["motor_cmd"], self._places.motors
        motors["q"][places], motors["dq"][places], motors["tau"][places] = (
            safe.joint_pos,
            safe.joint_vel,
            safe.joint_effort,
        )
        motors["kp"][places], motors["kd"][places] = safe.stiffness, safe.damping
        self._link.send(COMMAND.encode(self._command))
        self.sent += 1
        return command

    def health(self) -> RobotHealth:
        """Return what the newest LowState says of motors, battery and remote, and who else commands."""
        return health(self._image, self._places, self._link.rival if self._armed else "")

    def report(self) -> Mapping[str, Any]:
        """Return the robot's other readings and what the driver counts."""
        return {
            "dry_run": not self._armed,
            "taking_control": self._link.rival if self._armed and not self._alone else "",
            "rival": self._link.rival,
            "command_writers": self._link.writers,
            "foreign_commands": self._link.foreign,
            "commands_written": self.sent,
            "states_refused": dict(self._refused),
            "last_refused_state": self._refusal,
            "states_skipped": self._clock.skipped,
            "states_missed": self._clock.missed,
            **readings(self._image, self._places),
        }

    def close(self) -> None:
        """Leave the wire. The robot keeps the mode that it is in; its built-in controller stays released."""
        self._link.close()

    def _first(self, timeout_ns: int) -> RobotState:
        end_ns = time.monotonic_ns() + timeout_ns
        state = self._next(end_ns)
        if state is None:
            found = self._why or self._link.seen()
            valid = "a robot that is switched on, the interface that its cable is in, an address in its network"
            asked = f"{STATE_TOPIC} in {self._link.where} within {timeout_ns / 1e9:g} s"
            raise RobotError(expected(asked, found, valid))
        return state

    def _next(self, end_ns: int) -> RobotState | None:
        """Return the next new and whole state that comes before ``end_ns`` of the monotonic clock."""
        while True:
            for payload in self._link.states():
                state = self._taken(payload)
                if state is not None and state.stamp_ns >= self._from_ns:
                    return state
            left_ns = end_ns - time.monotonic_ns()
            if left_ns <= 0 or not self._link.wait(left_ns):
                return None

    def _taken(self, payload: bytes) -> RobotState | None:
        received_ns = time.monotonic_ns()
        try:
            image = STATE.decode(payload)
        except InputError as error:
            self._refused[str(error).partition(";")[0]] += 1
            self._refusal = self._why = str(error)
            return None
        stamp_ns = self._clock.stamp(int(image["tick"]), received_ns)
        if stamp_ns is None:
            self._why = f"tick {int(image['tick'])}: not newer than that of the last state"
            return None
        self._image, self._why = image, ""
        return robot_state(image, stamp_ns + time.time_ns() - time.monotonic_ns(), self._places)

    def _lies(self) -> bool:
        pos, vel = self._state.joint_pos, self._state.joint_vel
        near = np.abs(pos - self.spec.poses["sit"]) < self._places.hardware.lying
        return bool(near.all() and (np.abs(vel) < STILL).all())


def _empty_command(mode: int) -> Image:
    command = COMMAND.new()
    command["head"], command["level_flag"] = HEAD, LOW_LEVEL
    command["motor_cmd"]["mode"] = mode
    command["motor_cmd"]["q"], command["motor_cmd"]["dq"] = NO_POSITION, NO_SPEED
    return command


def check_options(spec: RobotSpec, options: Mapping[str, Any]) -> UnitreeOptions:
    """Return the options, checked with robot file, interface and SDK; opens nothing. Raises as ``create``."""
    checked = parse(UnitreeOptions, dict(options), f"options of the backend {BACKEND}")
    if checked.clock != "real":
        raise RobotError(expected("clock: that of a real robot", checked.clock, "real"))
    places = read_hardware(spec)
    rate = checked.rate or places.hardware.rate
    if not (places.hardware.rate / rate).is_integer():
        raise RobotError(
            expected(
                "rate: that of the robot, or a whole part of it", f"{rate:g} Hz", f"{places.hardware.rate:g} Hz / n"
            )
        )
    check_sdk()
    check_interface(checked.interface)
    return checked


def create(spec: RobotSpec, options: Mapping[str, Any]) -> UnitreeRobot:
    """Return the robot behind the interface that ``options`` (fields of ``UnitreeOptions``) name.

    Raises:
        SchemaError: an option or the robot file is wrong.
        RobotError: no SDK, no such interface, no robot there, or another one. One line, with what to do.
    """
    checked = check_options(spec, options)
    from robot_policies.robots.unitree_wire.link import RobotLink  # imports the SDK, which was just looked for

    places = read_hardware(spec)
    link = RobotLink(checked, places)
    try:
        return UnitreeRobot(spec, checked, places, link)
    except RobotError:
        link.close()
        raise
