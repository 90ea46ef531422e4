"""The robot's main board: body, motors, battery and built-in controller, one tick of 2 ms at a time.

It knows no wire. A peer gives it the commands that have come and sends out its readings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_policies.types import Array
from sim2real.firmware.body import STEP, Body
from sim2real.firmware.motors import TIMEOUT, MotorBoards
from sim2real.firmware.power import Battery, Motors
from sim2real.firmware.readings import MOTORS, REMOTE_SIZE, MotorCommand, Readings, roll_pitch_yaw
from sim2real.firmware.remote import pressed
from sim2real.firmware.sport import SportController

PERIOD = 0.002  # [s], 500 Hz
IMU_TEMPERATURE = 70  # [deg C]; the chip sits on a warm board

# The motion switcher answers at once and needs a while to end or start the controller: the vendor's examples sleep and
# ask again. How long is an assumption.
SWITCH_TIME = 1.0  # [s]
DAMP = ("L2", "B")  # of the remote, as the vendor's manual says; only the built-in controller hears it
FIGHT_TICKS = 50  # 0.1 s after its last command a rival counts as gone


class Board:
    """One robot.

    Attributes:
        mode: name of the built-in controller that is active, "" when released.
        sport: the built-in controller, which only acts while ``mode`` is not "".
        own_command: what it has commanded in the last tick, None while released.
        remote: the bytes of the wireless remote.
        heat: factor on the seconds that the motors' heat takes, so that a test need not wait for minutes.
    """

    def __init__(self, body: Body, mode: str, timeout: float = TIMEOUT, heat: float = 1.0) -> None:
        """Start with the built-in controller ``mode`` active, or with none where it is ""."""
        self.body, self.mode = body, mode
        self.boards = MotorBoards(body.spec, timeout)
        self.motors, self.battery = Motors(body.spec.effort_limit), Battery()
        self.sport = SportController(body.spec)
        self.own_command: MotorCommand | None = None
        self.remote = bytes(REMOTE_SIZE)
        self.lost = [0] * MOTORS
        self.error = [0] * MOTORS
        self.heat = heat
        self.ticks = 0
        self._outside = -FIGHT_TICKS  # the last tick in which a command came from outside
        self._next: tuple[str, float] | None = None  # mode, and seconds until it is the active one

    @property
    def time(self) -> float:
        """Seconds since power-on."""
        return self.ticks * PERIOD

    @property
    def driven_by(self) -> str:
        """Who moves the motors: ``built_in``, ``commands``, ``both`` (a fight), or ``nobody``: they brake."""
        if self.mode:
            return "both" if self.ticks - self._outside < FIGHT_TICKS else "built_in"
        return "nobody" if self.boards.command is None else "commands"

    @property
    def switching(self) -> bool:
        """Whether a change of the mode is under way."""
        return self._next is not None

    def switch(self, mode: str) -> None:
        """Make ``mode`` ("" = released) the active one after ``SWITCH_TIME``."""
        self._next = (mode, SWITCH_TIME)

    def tick(self, commands: Sequence[MotorCommand]) -> None:
        """Let 2 ms pass. ``commands`` have come from outside since the last tick, oldest first.

        The motors do what the newest message says, whoever sent it. The built-in controller writes at the start of a
        tick, others in its middle: with two writers the motors change sides 1000 times a second, as on the robot.
        """
        self._switch()
        body = self.body
        if self.mode:
            if pressed(self.remote, *DAMP):
                self.sport.go("damp")
            self.own_command = self.sport.command(body.joint_pos, PERIOD)
            self.boards.take(self.own_command)
        else:
            self.own_command = None
        torque = self._step()
        for command in commands:
            self.boards.take(command)
            self._outside = self.ticks
        self._spend(0.5 * (torque + self._step()))
        body.check()
        self.ticks += 1

    def readings(self) -> Readings:
        """Return what the board knows now, as a value of its own."""
        state, battery = self.body.measure(), self.battery
        quat = state.base_quat_wxyz.tolist()
        return Readings(
            tick=round(self.time * 1000.0),
            quat_wxyz=quat,
            gyro=state.base_ang_vel.tolist(),
            acc=state.base_lin_acc.tolist(),
            rpy=roll_pitch_yaw(quat),
            imu_temperature=IMU_TEMPERATURE,
            mode=[int(on) for on in self.boards.servo()],
            pos=state.joint_pos.tolist(),
            vel=state.joint_vel.tolist(),
            effort=state.joint_effort.tolist(),
            temperature=np.clip(np.rint(self.motors.temperature), 0, 255).astype(int).tolist(),
            lost=list(self.lost),
            error=list(self.error),
            foot_force=np.rint(state.foot_force).astype(int).tolist(),
            soc=round(100.0 * battery.charge),
            current=-round(1000.0 * battery.current),
            voltage=battery.voltage,
            remote=self.remote,
        )

    def _switch(self) -> None:
        if self._next is None:
            return
        mode, left = self._next
        if left > 0.0:
            self._next = (mode, left - PERIOD)
            return
        self._next = None
        if mode and not self.mode:
            self.sport = SportController(self.body.spec)
        if not mode:
            self.boards.drop()
        self.mode = mode

    def _step(self) -> Array:
        body = self.body
        torque = self.boards.torque(body.joint_pos, body.joint_vel, STEP)
        body.step(torque)
        return torque

    def _spend(self, torque: Array) -> None:
        """Let the mean torque of a tick heat the motors and empty the battery."""
        heat = self.motors.step(torque, PERIOD * self.heat)
        self.battery.step(heat, torque, self.body.joint_vel, PERIOD)
