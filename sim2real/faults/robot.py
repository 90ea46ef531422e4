"""The simulated robot with a side door: backend ``mujoco_faults``; without a request it is the backend ``mujoco``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robot_policies.exceptions import InputError, RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.robot import Wait
from robot_policies.schema import parse
from robot_policies.types import JointCommand, RobotState, owned
from sim2real.door import Door, Request
from sim2real.faults.state_faults import StateFaults
from sim2real.faults.witness import Witness
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot

PATIENCE = 0.05  # [s] without a state after which read() gives up, as the drivers of real robots do
_STOP_STIFFNESS, _STOP_DAMPING = 400.0, 8.0  # [N m/rad], [N m s/rad] of whatever holds a joint, as in the firmware peer


class FaultyRobot(MujocoRobot):
    """A simulated robot whose states, clock and body can be spoilt on request."""

    def __init__(self, spec: RobotSpec, options: MujocoOptions, control: int, log: Path | None) -> None:
        """Build the robot; listen on the UDP port ``control`` and write what it does to ``log``."""
        self._held: dict[int, float] = {}  # joints that something holds: joint -> position [rad]
        super().__init__(spec, options)
        self._lain = owned(self._data.qpos)
        self._faults, self._witness = StateFaults(), Witness(spec, log)
        verbs = {"fault": self._fault, "clear": self._clear, "push": self._push, "tilt": self._tip}
        self._door = Door(control, {**verbs, "hold_joint": self._hold, "place": self._place})

    def now_ns(self) -> int:
        """Return the robot's clock [ns], jumps included."""
        return super().now_ns() + self._faults.clock_ns

    def read(self, wait: Wait) -> RobotState:
        """Return the next state that comes through, as the faults let it be.

        Raises:
            RobotError: no state came through for as long as a driver waits for one, the fault ``unreadable``, or the
                physics has become non-finite.
        """
        for _ in range(round(PATIENCE * self.spec.state_rate)):
            jumped = self._faults.clock_ns
            state = super().read(lambda due, jumped=jumped: wait(due + jumped))  # type: ignore[misc]
            data, places = self._data, self._map
            self._witness.cycle(data.qpos[places.qpos], data.qvel[places.qvel], data.qpos[:7], self._active)
            self._door.serve()
            jumped_now = self._faults.clock_ns
            if jumped_now:
                state = _later(state, jumped_now)
            given = self._faults.apply(state, super().now_ns())
            if given is not None:
                return given
        raise RobotError(expected(f"a state within {PATIENCE * 1000:.0f} ms", "none", "a robot that sends"))

    def close(self) -> None:
        """Let the motors go limp and stop listening."""
        super().close()
        self._door.close()
        self._witness.close()

    def _step(self, command: JointCommand | None) -> None:
        data, places = self._data, self._map
        for joint, target in self._held.items():
            pos, vel = data.qpos[places.qpos[joint]], data.qvel[places.qvel[joint]]
            data.qfrc_applied[places.qvel[joint]] = _STOP_STIFFNESS * (target - pos) - _STOP_DAMPING * vel
        super()._step(command)

    def _fault(self, request: Request) -> None:
        self._faults.start(request, super().now_ns())

    def _clear(self, request: Request) -> None:
        self._faults.clear()
        self._held.clear()
        self._data.qfrc_applied[:] = 0.0

    def _push(self, request: Request) -> None:
        x, y, z = (float(value) for value in request["velocity"])
        if not math.isfinite(x + y + z):
            raise InputError(expected("push: velocity", [x, y, z], "finite numbers"))
        self.push((x, y, z))

    def _tip(self, request: Request) -> None:
        roll = float(request["roll"])
        turn, data = np.zeros(4), self._data
        mujoco.mju_axisAngle2Quat(turn, np.array([1.0, 0.0, 0.0]), roll)
        mujoco.mju_mulQuat(data.qpos[3:7], data.qpos[3:7].copy(), turn)
        data.qpos[2] += 0.35 * abs(math.sin(roll))  # clear of the ground
        mujoco.mj_step1(self.model, data)

    def _place(self, request: Request) -> None:
        self._data.qpos[:], self._data.qvel[:] = self._lain, 0.0
        mujoco.mj_step1(self.model, self._data)

    def _hold(self, request: Request) -> None:
        joint = int(request["motor"])
        limits = self.spec.joint_upper if request.get("limit", "upper") == "upper" else self.spec.joint_lower
        if not 0 <= joint < len(limits):
            raise InputError(expected("hold_joint: motor", joint, f"0 to {len(limits) - 1}"))
        self._held[joint] = float(limits[joint])


def _later(state: RobotState, ns: int) -> RobotState:
    return replace(state, stamp_ns=state.stamp_ns + ns)


def create(spec: RobotSpec, options: Mapping[str, Any]) -> FaultyRobot:
    """Return a simulated ``spec``. ``options``: those of the backend ``mujoco``, ``control`` (port), ``log`` (file)."""
    rest = dict(options)
    control, log = int(rest.pop("control", 0)), str(rest.pop("log", ""))
    parsed = parse(MujocoOptions, rest, "options of the MuJoCo robot with faults")
    return FaultyRobot(spec, parsed, control, Path(log) if log else None)
