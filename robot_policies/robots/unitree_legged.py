"""Go1 (and A1 where it speaks the same records) through UDP, as the legged SDK does, without its library.

The robot sends its state to whom it gets records from. So where nothing may be commanded, an idle record goes out once
per cycle, which asks no motor for anything, and only if ``contact`` (or ``armed``) was asked for: even such records
disturb a robot whose built-in controller still runs, as both then write to the motors.

States are stamped on receipt, by the kernel, in system time: in what unit the robot's ``tick`` counts is not certain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field
from typing_extensions import Annotated

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots import unitree_legged_wire as wire
from robot_policies.robots.cycle import ClockKind, checked_command
from robot_policies.robots.robot import Robot, Wait
from robot_policies.robots.unitree_legged_link import Link, Received
from robot_policies.robots.unitree_wire.remote import remote_state
from robot_policies.robots.wire_log import WireLog
from robot_policies.schema import parse, schema
from robot_policies.types import Battery, JointCommand, RobotHealth, RobotState, owned

# Motor order of the SDK: FR_0 = 0 to RL_2 = 11; its feet likewise.
LEGS = ("FR", "FL", "RR", "RL")
MOTORS = tuple(f"{leg}_{part}_joint" for leg in LEGS for part in ("hip", "thigh", "calf"))
FEET = tuple(f"{leg}_foot" for leg in LEGS)
LEAD_NS = 300_000  # [ns] before a state is due, from when on the driver waits for it and serves nothing else
LOST_NS = 50_000_000  # [ns] without a state: half of what a safety file allows
RETRY_NS = 4_000_000  # [ns] of waiting in each further cycle without one, so that damping goes on being sent
START_LIMIT = 3.0  # [s] for the first state to come

Port = Annotated[int, Field(ge=0, le=65535)]


@schema
class LeggedOptions:
    """Options of ``create``."""

    interface: str = ""  # network interface that leads to the robot; must be named
    address: str = "192.168.123.10"  # of the motion controller: the SDK's examples
    port: Port = 8007
    local_port: Port = 8080  # as in the SDK's Python examples; 0 is any free one
    armed: bool = False  # send commands; else a dry run
    contact: bool = False  # in a dry run: send idle records, without which no state comes
    clock: ClockKind = "real"


class LeggedRobot:
    """Reads states and writes commands of one robot.

    Attributes:
        missed: cycles of the robot without a state.
    """

    def __init__(self, spec: RobotSpec, options: LeggedOptions) -> None:
        """Open the robot and wait for its first state. Raises ``RobotError``, in one line, where none comes."""
        if options.clock != "real":
            raise RobotError(expected("clock of a real robot", options.clock, "real"))
        self._order, self._feet = _order(spec)
        self.spec, self.missed = spec, 0
        self._period_ns, self._due_ns, self._lost = round(1e9 / spec.state_rate), 0, False
        self._armed = options.armed
        self._idle = wire.encoded(wire.idle_command())
        self._held = self._idle if options.armed or options.contact else None  # what goes out in every cycle
        self._link = Link(options.interface, options.address, options.port, options.local_port)
        self._sent_ns = 0  # monotonic
        try:
            self._newest = self._first()
        except RobotError:
            self._link.close()
            raise

    def _first(self) -> Received:
        """Wait for a state: no command goes out before."""
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            self._send()
            time.sleep(1.0 / self.spec.state_rate)
            newest = self._link.newest()
            if newest is not None:
                return newest
        raise RobotError(self._silence(f"{START_LIMIT:g} s"))

    def _silence(self, how_long: str) -> str:
        """Return why no state came, as far as can be told."""
        counts, link = self._link.counts, self._link
        refused = [f"{counts[key]} with a wrong {key}" for key in ("size", "header", "crc") if counts[key]]
        valid = "a Go1 that is switched on and laid down, its sport mode off, in the network of the interface"
        if refused:
            found = ", ".join(refused)
            valid = f"records of {wire.STATE.itemsize} bytes, as legged SDK 3.8 reads them (Go1)"
        elif self._held is None:
            found = "none, as nothing was sent"
            valid = (
                "options.contact:=true (idle records, robot laid down and its sport mode off) or options.armed:=true"
            )
        else:
            found = link.last_error or f"no answer to {counts['sent']} records"
        return expected(f"robot at {link.where}: a state within {how_long}", found, valid)

    @property
    def wire_log(self) -> WireLog:
        """What went over the wire."""
        return self._link.log

    def now_ns(self) -> int:
        """Return the system's time [ns], in which states are stamped."""
        return time.time_ns()

    def read(self, wait: Wait) -> RobotState:
        """Return the newest state, once, after passing most of the time until it is due in ``wait``.

        Raises:
            RobotError: none has come for 50 ms (then: in this cycle).
        """
        wait(min(self._due_ns, self.now_ns() + self._period_ns))  # no longer, where the clock was set back
        begun = time.monotonic_ns()
        newest = self._next(begun + (RETRY_NS if self._lost else LOST_NS))
        self._lost = newest is None
        if newest is None:
            raise RobotError(self._silence(f"{LOST_NS / 1e6:g} ms"))
        # A state that was there when it was due: the robot answers, so ours is the pace. Else it is the robot's.
        answers = newest.stamp_ns <= self._due_ns
        self._due_ns = (self._due_ns if answers else newest.stamp_ns - LEAD_NS) + self._period_ns
        self._due_ns = max(self._due_ns, self.now_ns())
        self._newest = newest
        return self._state(newest)

    def _next(self, end_ns: int) -> Received | None:
        """Return the newest state that comes before ``end_ns`` of the monotonic clock."""
        while True:
            newest = self._link.newest()
            now_ns = time.monotonic_ns()
            if newest is not None or now_ns >= end_ns:
                return newest
            if now_ns - self._sent_ns >= 2 * self._period_ns:
                self.missed += 1
                self._send()  # who sends nothing hears nothing
            self._link.wait(min(self._period_ns, end_ns - now_ns) * 1e-9)

    def _state(self, received: Received) -> RobotState:
        record = received.record
        motors = record["motors"][self._order]
        return RobotState(
            stamp_ns=received.stamp_ns,
            joint_pos=owned(motors["pos"]),
            joint_vel=owned(motors["vel"]),
            joint_effort=owned(motors["effort"] / wire.EFFORT_STEPS),
            base_quat_wxyz=owned(record["quat_wxyz"]),
            base_ang_vel=owned(record["gyro"]),
            base_lin_acc=owned(record["acc"]),
            foot_force=owned(record["foot_force"][self._feet]),
        )

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Send ``command`` and return it; None sends an idle record at most, and so does a dry run.

        In a dry run what is returned is what would have been sent. None is returned too where the network is away.

        Raises:
            RobotError: a command that is malformed, or that the record cannot hold.
        """
        if command is None:
            self._held = None if self._held is None else self._idle
            self._send()
            return None
        packet = wire.encoded(wire.servo_command(self._targets(checked_command(self.spec, command))))
        if not self._armed:
            self._send()
            return command
        self._held = packet
        return command if self._send() else None

    def _targets(self, command: JointCommand) -> wire.MotorTargets:
        arrays = (command.joint_pos, command.joint_vel, command.joint_effort, command.stiffness, command.damping)
        by_motor = np.zeros((len(arrays), len(MOTORS)))
        by_motor[:, self._order] = arrays
        return wire.MotorTargets(*by_motor)

    def _send(self) -> bool:
        if self._held is None:
            return False
        self._sent_ns = time.monotonic_ns()
        return self._link.send(self._held)

    def health(self) -> RobotHealth:
        """Return what the newest record says of motors, battery and remote. It does not tell who else commands."""
        record = self._newest.record
        return RobotHealth(
            motor_temperature=owned(record["motors"]["temperature"][self._order]),
            battery=_battery(record["battery"]),
            remote=remote_state(record["remote"].tobytes()),
        )

    def report(self) -> Mapping[str, Any]:
        """Return the robot's other readings and what the driver counts."""
        record = self._newest.record
        return {
            "dry_run": not self._armed,
            "taking_control": "",  # its built-in controller is switched off with the remote, which no record tells
            "imu_temperature": int(record["imu_temperature"]),  # [deg C]
            "battery_status": int(record["battery"]["status"]),
            "tick": int(record["tick"]),
            "cycles_without_state": self.missed,
            "packets": dict(self._link.counts),
            "network_error": self._link.last_error,
        }

    def close(self) -> None:
        """Close the socket; the robot's own time-out then ends the last command."""
        self._link.close()


def _battery(record: Any) -> Battery:
    warmest = max(*record["cell_temperature"].tolist(), *record["board_temperature"].tolist())
    cells = tuple(round(step * wire.CELL_STEP, 3) for step in record["cells"].tolist() if step)
    return Battery(
        charge=int(record["charge"]) / 100.0,
        voltage=round(sum(cells), 3),
        current=int(record["current"]) / 1000.0,
        temperature=float(warmest),
        cells=cells,
    )


def _order(spec: RobotSpec) -> tuple[list[int], list[int]]:
    """Return for each joint, and each foot, of the robot file its place in a record."""
    if sorted(spec.joint_names) != sorted(MOTORS) or sorted(spec.feet) != sorted(FEET):
        found = f"{spec.name} with {', '.join((*spec.joint_names, *spec.feet))}"
        raise RobotError(expected("a robot of the legged SDK", found, (*MOTORS, *FEET)))
    return [MOTORS.index(name) for name in spec.joint_names], [FEET.index(name) for name in spec.feet]


def create(spec: RobotSpec, options: Mapping[str, Any]) -> Robot:
    """Return a robot of the legged SDK. ``options`` are the fields of ``LeggedOptions``; SchemaError on others."""
    return LeggedRobot(spec, parse(LeggedOptions, dict(options), "options of the robot unitree_legged"))
