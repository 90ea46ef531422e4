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
from robot_policies.robots.cycle import ClockKind, CycleClock, checked_command
from robot_policies.robots.robot import Robot, Wait
from robot_policies.robots.unitree_legged_link import Link, Received
from robot_policies.schema import parse, schema
from robot_policies.types import JointCommand, RobotState, owned

# Motor order of the SDK: FR_0 = 0 to RL_2 = 11; its feet likewise.
LEGS = ("FR", "FL", "RR", "RL")
MOTORS = tuple(f"{leg}_{part}_joint" for leg in LEGS for part in ("hip", "thigh", "calf"))
FEET = tuple(f"{leg}_foot" for leg in LEGS)
PATIENCE_NS = 100_000_000  # as the safety file's largest gap between states; then the robot counts as lost
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
        missed: cycles that began without a new state.
    """

    def __init__(self, spec: RobotSpec, options: LeggedOptions) -> None:
        """Open the robot and wait for its first state. Raises ``RobotError``, in one line, where none comes."""
        if options.clock != "real":
            raise RobotError(expected("clock of a real robot", options.clock, "real"))
        self._order, self._feet = _order(spec)
        self.spec, self.missed = spec, 0
        self._clock = CycleClock("real", spec.state_rate)
        self._armed = options.armed
        self._idle = wire.encoded(wire.idle_command())
        self._held = self._idle if options.armed or options.contact else None  # what goes out in every cycle
        self._link = Link(options.interface, options.address, options.port, options.local_port)
        self._sent_ns = 0  # monotonic
        self._newest: Received | None = None
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

    def now_ns(self) -> int:
        """Return the system's time [ns], in which states are stamped."""
        return self._clock.now_ns()

    def read(self, wait: Wait) -> RobotState:
        """Return the newest state at the next cycle, once.

        Raises:
            RobotError: none came for ``PATIENCE_NS``.
        """
        begun = time.monotonic_ns()
        while True:
            self._clock.next_cycle(wait)
            newest = self._link.newest()
            if newest is not None:
                self._newest = newest
                return self._state(newest)
            self.missed += 1
            now = time.monotonic_ns()
            if now - begun > PATIENCE_NS:
                raise RobotError(self._silence(f"{PATIENCE_NS / 1e9:g} s"))
            if now - self._sent_ns >= self._clock.period_ns:  # not while late cycles are caught up with
                self._send()  # who sends nothing hears nothing

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
        """Send ``command`` if armed and return it; None, or a dry run, sends an idle record at most.

        Raises:
            RobotError: a command that is malformed, or that the record cannot hold.
        """
        sent = None
        if command is not None:
            packet = wire.encoded(wire.servo_command(self._targets(checked_command(self.spec, command))))
            if self._armed:
                self._held, sent = packet, command
        elif self._held is not None:
            self._held = self._idle
        return sent if self._send() else None

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

    def health(self) -> dict[str, Any]:
        """Return what the newest record and the socket say of themselves, for diagnostics."""
        counts = dict(self._link.counts)
        if self._newest is None:
            return {"link": counts}
        record, battery = self._newest.record, self._newest.record["battery"]
        motors = record["motors"][self._order]
        return {
            "armed": self._armed,
            "motor_temperature": motors["temperature"].tolist(),  # [deg C], order of the robot file
            "imu_temperature": int(record["imu_temperature"]),  # [deg C]
            "battery_charge": int(battery["charge"]) / 100.0,
            "battery_current": int(battery["current"]) / 1000.0,  # [A]
            "battery_voltage": round(float(battery["cells"].sum()) * wire.CELL_STEP, 3),  # [V]
            "battery_status": int(battery["status"]),
            "remote": bytes(record["remote"].tobytes()),
            "missed": self.missed,
            "link": counts,
        }

    def close(self) -> None:
        """Close the socket; the robot's own time-out then ends the last command."""
        self._link.close()


def _order(spec: RobotSpec) -> tuple[list[int], list[int]]:
    """Return for each joint, and each foot, of the robot file its place in a record."""
    if sorted(spec.joint_names) != sorted(MOTORS) or sorted(spec.feet) != sorted(FEET):
        found = f"{spec.name} with {', '.join((*spec.joint_names, *spec.feet))}"
        raise RobotError(expected("a robot of the legged SDK", found, (*MOTORS, *FEET)))
    return [MOTORS.index(name) for name in spec.joint_names], [FEET.index(name) for name in spec.feet]


def create(spec: RobotSpec, options: Mapping[str, Any]) -> Robot:
    """Return a robot of the legged SDK. ``options`` are the fields of ``LeggedOptions``; SchemaError on others."""
    return LeggedRobot(spec, parse(LeggedOptions, dict(options), "options of the robot unitree_legged"))
