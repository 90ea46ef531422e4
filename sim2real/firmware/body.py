"""The body of the peer: MuJoCo physics of the robot's model on a ground, and what its sensors make of it.

Motor torques come from outside (``motors``); here they move the robot. A step is 1 ms, half of the board's period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, RobotState, owned
from sim2real.mujoco.sensing import NoisySensors, noise_levels
from sim2real.mujoco.world import build_model, map_model

STEP = 0.001  # [s]
_DROP = 0.05  # [m] that the robot is let fall when it is put down
_SETTLE = 1.5  # [s], longer than it needs to lie still
_STOP_STIFFNESS, _STOP_DAMPING = 400.0, 8.0  # [N m/rad], [N m s/rad] of whatever holds a joint


@dataclass(frozen=True)
class Truth:
    """What no sensor tells: for the judge and for reports."""

    position: Array  # (3,) [m] of the base in the world
    quat_wxyz: Array  # (4,) rotates base to world
    lin_vel: Array  # (3,) [m/s] in the base frame
    ang_vel: Array  # (3,) [rad/s] in the base frame
    contacts: tuple[str, ...]  # bodies that must not touch the ground and do


class Body:
    """One robot on one ground, in motor order."""

    def __init__(self, spec: RobotSpec, terrain: str | None, seed: int, noise: float, look: bool = False) -> None:
        """Build the world and lay the robot down, legs folded.

        Args:
            spec: the robot.
            terrain: name of the ground; None is the plane.
            seed: of the sensors' noise.
            noise: factor on it.
            look: keep what is only seen, for a viewer.

        Raises:
            RobotError: no model or no such terrain.
        """
        self.spec, self.model = spec, build_model(spec, terrain, look)
        self.model.opt.timestep = STEP
        self.model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
        self.data = mujoco.MjData(self.model)
        self._map = map_model(spec, self.model)
        joints, feet = len(spec.joint_names), len(spec.feet)
        self._sensors = NoisySensors(noise_levels(spec, noise), joints, feet, seed)
        self._torque: Array = np.zeros(joints)
        self.held: dict[int, float] = {}  # joints that something holds: motor -> position [rad]
        self._lay_down()
        self._lain = owned(self.data.qpos)

    @property
    def joint_pos(self) -> Array:
        """True positions [rad]."""
        return np.asarray(self.data.qpos[self._map.qpos])

    @property
    def joint_vel(self) -> Array:
        """True speeds [rad/s]."""
        return np.asarray(self.data.qvel[self._map.qvel])

    @property
    def torque(self) -> Array:
        """What the motors gave in the last step [N m]."""
        return self._torque

    def step(self, torque: Array) -> None:
        """Advance by ``STEP`` with ``torque`` [N m]."""
        data, places = self.data, self._map
        self._torque = torque
        data.ctrl[places.ctrl] = torque
        for motor, target in self.held.items():
            pos, vel = data.qpos[places.qpos[motor]], data.qvel[places.qvel[motor]]
            data.qfrc_applied[places.qvel[motor]] = _STOP_STIFFNESS * (target - pos) - _STOP_DAMPING * vel
        mujoco.mj_step2(self.model, data)
        mujoco.mj_step1(self.model, data)

    def check(self) -> None:
        """Raise RobotError where the physics has become non-finite."""
        data = self.data
        if not math.isfinite(float(data.qpos.sum() + data.qvel.sum())):
            raise RobotError(expected("physics: a finite state", f"none after {data.time:.3f} s", "a new peer"))

    def measure(self) -> RobotState:
        """Return what the sensors say now; ``stamp_ns`` is the physics' own time [ns]."""
        data, places = self.data, self._map
        sensors = owned(data.sensordata)
        true = RobotState(
            stamp_ns=round(data.time * 1e9),
            joint_pos=owned(self.joint_pos),
            joint_vel=owned(self.joint_vel),
            joint_effort=owned(self._torque),
            base_quat_wxyz=sensors[places.quat],
            base_ang_vel=sensors[places.gyro],
            base_lin_acc=sensors[places.acc],
            foot_force=sensors[places.foot_force],
        )
        return self._sensors.measure(true)

    def truth(self) -> Truth:
        """Return what is true now."""
        data, places = self.data, self._map
        touching = set(self.model.geom_bodyid[data.contact.geom].ravel().tolist())
        return Truth(
            position=owned(data.qpos[:3]),
            quat_wxyz=owned(data.qpos[3:7]),
            lin_vel=owned(data.sensordata[places.lin_vel]),
            ang_vel=owned(data.qvel[3:6]),
            contacts=tuple(name for body, name in places.fall_bodies.items() if body in touching),
        )

    def push(self, linear: tuple[float, float, float]) -> None:
        """Change the base's velocity at once by ``linear`` [m/s] in the world."""
        self.data.qvel[:3] += linear
        mujoco.mj_step1(self.model, self.data)

    def tilt(self, roll: float, pitch: float) -> None:
        """Turn the base at once by ``roll``, then ``pitch`` [rad], and lift it so far that nothing is in the ground."""
        turn, half = np.zeros(4), np.zeros(4)
        mujoco.mju_axisAngle2Quat(turn, np.array([1.0, 0.0, 0.0]), roll)
        mujoco.mju_axisAngle2Quat(half, np.array([0.0, 1.0, 0.0]), pitch)
        mujoco.mju_mulQuat(turn, turn.copy(), half)
        mujoco.mju_mulQuat(self.data.qpos[3:7], self.data.qpos[3:7].copy(), turn)
        self.data.qpos[2] += 0.35 * (abs(math.sin(roll)) + abs(math.sin(pitch)))
        mujoco.mj_step1(self.model, self.data)

    def place(self) -> None:
        """Lay the robot down at once where it began, at rest."""
        self.data.qpos[:], self.data.qvel[:] = self._lain, 0.0
        mujoco.mj_step1(self.model, self.data)

    def hold(self, motor: int, upper: bool) -> None:
        """Hold a joint at its upper or lower limit, whatever its motor does, until ``release``."""
        limits = self.spec.joint_upper if upper else self.spec.joint_lower
        self.held[motor] = float(limits[motor])

    def release(self) -> None:
        """Let go of all joints."""
        self.held.clear()
        self.data.qfrc_applied[:] = 0.0

    def _lay_down(self) -> None:
        data = self.data
        data.qpos[self._map.qpos] = self.spec.poses["sit"]
        data.qpos[2] = 0.0
        mujoco.mj_forward(self.model, data)
        data.qpos[2] = _DROP - self._lowest()
        mujoco.mj_step1(self.model, data)
        for _ in range(round(_SETTLE / STEP)):
            self.step(-self.joint_vel)  # a brake of 1 N m s/rad
        data.time = 0.0

    def _lowest(self) -> float:
        """Return how low the feet and legs reach [m], by the centres of their shapes less their bounding radius."""
        model, data = self.model, self.data
        solid = (model.geom_bodyid > 0) & ((model.geom_contype > 0) | (model.geom_conaffinity > 0))
        return float((data.geom_xpos[solid, 2] - model.geom_rbound[solid]).min())
