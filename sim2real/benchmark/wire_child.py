"""The two ends of a Go2's wire on the loopback interface, each in a process of its own.

``python -m sim2real.benchmark.wire_child pinger DOMAIN RESULT SECONDS``: a robot without physics that sends LowState at
500 Hz. For SECONDS (more than 0) it notes when the LowCmd that answers each state comes, and ends; else its joints go
where commands say, until it is ended. ``driver DOMAIN``: the driver alone, which sends each state's positions back.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from unitree_sdk2py.idl.unitree_api.msg import dds_ as api
from unitree_sdk2py.idl.unitree_go.msg.dds_ import LowCmd_, LowState_

from robot_policies.control.pacing import MonotonicClock, Pacer, prepare
from robot_policies.exceptions import RobotError
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots.unitree import create
from robot_policies.robots.unitree_wire.codec import COMMAND, STATE
from robot_policies.robots.unitree_wire.dds import Link, Payload
from robot_policies.types import JointCommand
from sim2real.benchmark.walk import ROBOT

PERIOD_NS = 2_000_000  # [ns], 500 Hz
GUARD_NS = 200_000  # [ns] before the next state, in which no answer is waited for any more
WARM_UP = 500  # answers that are not counted
STEP = 1e-6  # [rad] by which a joint tells the number of its state
NUMBERS = 65_536  # of them, after which they begin anew: 0.07 rad


class Pinger:
    """A robot on the wire, without physics."""

    def __init__(self, domain: int) -> None:
        """Join ``domain`` on the loopback interface, standing upright in the pose ``sit``."""
        self._link = link = Link("lo", domain, "off", ())
        self.states = link.writer("rt/lowstate", LowState_)
        self.commands = link.reader("rt/lowcmd", LowCmd_, foreign=True)
        self._asked = link.reader("rt/api/motion_switcher/request", api.Request_, depth=8, raw=False)
        self._answers = link.writer("rt/api/motion_switcher/response", api.Response_, raw=False)
        self._image = STATE.new()
        self._image["head"], self._image["level_flag"] = (0xFE, 0xEF), 0xFF
        self._image["imu_state"]["quaternion"] = (1.0, 0.0, 0.0, 0.0)
        self.joint_pos = np.array(load_robot_spec(ROBOT).poses["sit"])

    def send(self, number: int) -> int:
        """Send a state and return the moment before it was sent [ns]."""
        self._image["tick"] = number * (PERIOD_NS // 1_000_000)
        # Never the same twice: no real accelerometer is, and the safety file asks for that (state.frozen).
        self._image["imu_state"]["accelerometer"] = (0.0, 0.0, 9.81 + 1e-5 * (number % 2))
        self._image["motor_state"]["q"][:12] = self.joint_pos
        payload = Payload(STATE.encode(self._image))
        begun = time.monotonic_ns()
        self.states.write(payload)
        return begun

    def serve(self) -> None:
        """Say that no built-in controller runs, whoever asks."""
        for request in self._asked.take():
            header = api.ResponseHeader_(request.header.identity, api.ResponseStatus_(0))
            self._answers.write(api.Response_(header, json.dumps({"name": ""}), []))

    def measure(self, seconds: float) -> dict[str, Any]:
        """Return from each state's sending to its command [ns], and how many were sent meanwhile."""
        pacer, begun, trips, number = Pacer(PERIOD_NS, MonotonicClock()), dict[int, int](), list[int](), 0
        end: float = np.inf
        while time.monotonic_ns() < end:
            pacer.wait()
            number += 1
            self.joint_pos[0] = number % NUMBERS * STEP
            begun[number % NUMBERS] = self.send(number)
            deadline = time.monotonic_ns() + PERIOD_NS - GUARD_NS
            while self.commands.wait(deadline - time.monotonic_ns()):
                came = time.monotonic_ns()
                for sample in self.commands.take():
                    answered = round(float(COMMAND.decode(sample.data)["motor_cmd"]["q"][0]) / STEP)
                    if answered in begun:
                        trips.append(came - begun.pop(answered))
                        if len(trips) == WARM_UP:
                            first, end = number, time.monotonic_ns() + seconds * 1e9
            self.serve()
        return {"round_trip": trips[WARM_UP:], "sent": number - first}

    def follow(self) -> None:
        """Let the joints go where commands say, for ever."""
        pacer, number = Pacer(PERIOD_NS, MonotonicClock()), 0
        while True:
            pacer.wait()
            number += 1
            self.send(number)
            for sample in self.commands.take():
                motors = COMMAND.decode(sample.data)["motor_cmd"]
                if motors["kp"][0] > 0.0:
                    self.joint_pos = motors["q"][:12].astype(float)
            self.serve()


def drive(domain: int) -> None:
    """Answer each state with its own positions, through the driver as the robot node has it."""
    spec = load_robot_spec(ROBOT)
    robot = create(spec, {"interface": "lo", "domain": domain, "armed": True, "timeout": 30.0})
    still = np.zeros(len(spec.joint_names))
    clock = MonotonicClock()
    prepare(_say)

    def wait(due_ns: int) -> None:
        clock.sleep_until(time.monotonic_ns() + due_ns - time.time_ns())

    while True:
        try:
            state = robot.read(wait)
        except RobotError:  # the other end stalled, or has ended; then so does this process, by its parent
            continue
        robot.write(JointCommand(state.stamp_ns, state.joint_pos, still, still, still, still + 3.0, "damping"))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Be one of the two ends."""
    role, domain, *rest = sys.argv[1:]
    if role == "driver":
        drive(int(domain))
        return 0
    pinger, (result, seconds) = Pinger(int(domain)), rest
    prepare(_say)
    if float(seconds) > 0.0:
        Path(result).write_text(json.dumps(pinger.measure(float(seconds))), encoding="utf-8")
    else:
        pinger.follow()
    return 0


if __name__ == "__main__":
    sys.exit(main())
