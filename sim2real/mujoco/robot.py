"""The simulated robot: MuJoCo behind the ``Robot`` interface.

A cycle of the robot (5 ms at 200 Hz) is a whole number of physics steps (2.5 ms). The joint PD is computed anew at each
step, as the drives of a real robot do, and gives what the motors can give (``plant``). ``read`` passes the time of a
cycle in its ``wait`` and then steps with the command that was written before it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import mujoco
import numpy as np
from pydantic import Field

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.cycle import ClockKind, CycleClock, checked_command
from robot_policies.robots.robot import GroundShape, Wait
from robot_policies.schema import parse, schema
from robot_policies.types import Array, JointCommand, RobotState, owned
from sim2real.mujoco.ground_shape import ground_shape
from sim2real.mujoco.plant import motor_limits, motor_torque
from sim2real.mujoco.sensing import NoisySensors, noise_levels
from sim2real.mujoco.urdf import robot_description
from sim2real.mujoco.world import Terrain, build_model, find_terrain, map_model

NotNegative = Annotated[float, Field(ge=0)]

_BROKEN = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
_SETTLE_S = 2.0  # [s], longer than a leg needs to sink to the ground when only friction holds it


@schema
class MujocoOptions:
    """Options of ``create``."""

    clock: ClockKind = "real"
    epoch_ns: int = 0  # lockstep: the clock before the first cycle [ns]
    seed: Annotated[int, Field(ge=0)] = 0
    terrain: Optional[str] = None  # as terrain.py reads it, such as step:0.2; null is the plane
    noise: NotNegative = 1.0  # factor on all sensor noise; 0 = none
    start: Literal["sit", "stand"] = "sit"  # lies limp in the sit pose, or stands held by the stand gains
    state_delay: NotNegative = 0.0  # [s], whole cycles: age of the states that read() gives
    action_delay: NotNegative = 0.0  # [s], whole cycles: from write() to the motors


@dataclass(frozen=True)
class GroundTruth:
    """What only a simulator knows. For reports, viewers and the simulated camera; no policy reads it."""

    stamp_ns: int
    position: Array  # (3,) [m], of the base in the world
    quat_wxyz: Array  # (4,) rotates base to world
    base_lin_vel: Array  # (3,) [m/s], in the base frame
    base_ang_vel: Array  # (3,) [rad/s], in the base frame
    joint_pos: Array  # (n,) [rad], motor order
    qpos: Array  # (nq,) the model's own configuration, to draw it
    ground_contacts: tuple[str, ...]  # bodies that must not touch the ground and do: the base, thighs


class MujocoRobot:
    """One simulated robot on one ground. Two robots with equal options and commands behave bit for bit the same."""

    def __init__(self, spec: RobotSpec, options: MujocoOptions, terrain: Terrain | None = None) -> None:
        """Build the world and settle the robot in its start pose.

        Args:
            spec: the robot.
            options: see ``MujocoOptions``.
            terrain: what adds the ground, instead of a named one.

        Raises:
            RobotError: no model, no such terrain, or a delay or state rate that is no whole number of steps.
        """
        self.spec = spec
        self.model = build_model(spec, terrain or options.terrain)
        self._clock = CycleClock(options.clock, spec.state_rate, options.epoch_ns)
        self._steps = _whole(1.0 / spec.state_rate, float(self.model.opt.timestep), "state_rate: its period")
        cycle_s = 1.0 / spec.state_rate
        self._late_states = _whole(options.state_delay, cycle_s, "state_delay")
        self._late_commands = _whole(options.action_delay, cycle_s, "action_delay")
        self._sensors = NoisySensors(
            noise_levels(spec, options.noise), len(spec.joint_names), len(spec.feet), options.seed
        )
        self.model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)  # a broken state is an error here
        self._map = map_model(spec, self.model)
        self._limits = motor_limits(spec)
        self._data = mujoco.MjData(self.model)
        self._torque = np.zeros(len(spec.joint_names))
        self._states: deque[RobotState] = deque()
        self._commands: deque[JointCommand | None] = deque([None] * self._late_commands)
        self._active: JointCommand | None = None
        self._stamp_ns = self._clock.now_ns()
        self._settle(options.start)

    def now_ns(self) -> int:
        """Return the robot's clock [ns]."""
        return self._clock.now_ns()

    def read(self, wait: Wait) -> RobotState:
        """Pass the time until the next cycle in ``wait``, simulate it, and return the state at its end.

        Raises:
            RobotError: the physics has become non-finite; the robot cannot be used any more.
        """
        self._cycle(wait)
        while len(self._states) <= self._late_states:  # at the start, until there is a state as old as asked for
            self._cycle(wait)
        return self._states.popleft()

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Hold ``command`` from now on; None lets the motors go limp. Raises RobotError on a malformed command."""
        self._commands.append(None if command is None else checked_command(self.spec, command))
        self._active = self._commands.popleft()
        return command

    def ground_truth(self) -> GroundTruth:
        """Return the true state at the end of the newest cycle."""
        data, places = self._data, self._map
        qpos = owned(data.qpos)
        return GroundTruth(
            stamp_ns=self._stamp_ns,
            position=qpos[:3],
            quat_wxyz=qpos[3:7],
            base_lin_vel=owned(data.sensordata[places.lin_vel]),
            base_ang_vel=owned(data.qvel[3:6]),
            joint_pos=_frozen(qpos[places.qpos]),
            qpos=qpos,
            ground_contacts=self._ground_contacts(),
        )

    def push(self, linear: Sequence[float], angular: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        """Change the base's velocity at once, by ``linear`` [m/s] in the world and ``angular`` [rad/s] in its frame."""
        self._data.qvel[:6] += (*linear, *angular)
        mujoco.mj_step1(self.model, self._data)  # what the next step starts from

    def description(self) -> str:
        """Return the robot's URDF, made from its file and its model."""
        return robot_description(self.spec, self.model)

    def ground(self) -> GroundShape:
        """Return the ground as it was compiled, whatever made it."""
        return ground_shape(self.model)

    def close(self) -> None:
        """Let the motors go limp, as a robot does that loses its commands."""
        self._active = None

    def _cycle(self, wait: Wait) -> None:
        self._stamp_ns = self._clock.next_cycle(wait)
        for _ in range(self._steps):
            self._step(self._active)
        self._check()
        self._states.append(self._sensors.measure(self._true_state()))

    def _step(self, command: JointCommand | None) -> None:
        """Advance one physics step.

        ``mj_step2`` comes before ``mj_step1``: with that, gyro, attitude and velocities in ``sensordata`` are those of
        the present state, at no cost. Accelerometer and foot forces are those of the step that led to it.
        """
        data = self._data
        if command is None:
            self._torque = np.zeros_like(self._torque)
        else:
            self._torque = motor_torque(
                data.qpos[self._map.qpos], data.qvel[self._map.qvel], command.joint_pos, command.joint_vel,
                command.joint_effort, command.stiffness, command.damping, self._limits,
            )  # fmt: skip
        data.ctrl[self._map.ctrl] = self._torque
        mujoco.mj_step2(self.model, data)
        mujoco.mj_step1(self.model, data)

    def _check(self) -> None:
        data = self._data
        counts = data.warning.number
        broken = [kind.name for kind in _BROKEN if counts[kind]]
        # a sum is finite only where every number is
        if broken or not (math.isfinite(data.qpos.sum()) and math.isfinite(data.qvel.sum())):
            found = f"{', '.join(broken) or 'not finite'} after {data.time:.3f} s of simulation"
            raise RobotError(expected("physics: a finite state", found, "a new robot; look at the last commands"))

    def _true_state(self) -> RobotState:
        data, places = self._data, self._map
        sensors = owned(data.sensordata)  # one copy; its parts are views that nobody can write
        return RobotState(
            stamp_ns=self._stamp_ns,
            joint_pos=_frozen(data.qpos[places.qpos]),
            joint_vel=_frozen(data.qvel[places.qvel]),
            joint_effort=owned(self._torque),
            base_quat_wxyz=sensors[places.quat],
            base_ang_vel=sensors[places.gyro],
            base_lin_acc=sensors[places.acc],
            foot_force=_frozen(sensors[places.foot_force]),
            base_lin_vel=sensors[places.lin_vel],
        )

    def _ground_contacts(self) -> tuple[str, ...]:
        # No two parts of the robot collide, so whatever touches a part of it is the ground.
        touching = set(self.model.geom_bodyid[self._data.contact.geom].ravel().tolist())
        return tuple(name for body, name in self._map.fall_bodies.items() if body in touching)

    def _settle(self, start: str) -> None:
        """Let the robot come to rest, without time passing: limp on the ground, or standing."""
        data, pose = self._data, self.spec.poses[start]
        data.qpos[self._map.qpos] = pose
        mujoco.mj_forward(self.model, data)
        data.qpos[2] += 0.002 - self._lowest()
        mujoco.mj_step1(self.model, data)
        stiffness = self.spec.stand_stiffness if start == "stand" else np.zeros_like(pose)
        still = np.zeros_like(pose)
        hold = JointCommand(0, pose, still, still, stiffness, self.spec.stand_damping, "start")
        for _ in range(round(_SETTLE_S / self.model.opt.timestep)):
            self._step(hold)
        if start == "stand":
            self._active = hold
            self._commands = deque([hold] * self._late_commands)

    def _lowest(self) -> float:
        """Return how low the lowest point of the robot's colliding shapes is [m], over-estimated by their bounds."""
        model, data = self.model, self._data
        solid = (model.geom_bodyid > 0) & ((model.geom_contype > 0) | (model.geom_conaffinity > 0))
        centre, half = model.geom_aabb[solid, :3], model.geom_aabb[solid, 3:]
        down = data.geom_xmat[solid].reshape(-1, 3, 3)[:, 2]
        return float((data.geom_xpos[solid, 2] + (down * centre).sum(1) - (np.abs(down) * half).sum(1)).min())


def _frozen(array: Array) -> Array:
    """Return an array that picking by an index has just made, read-only."""
    array.setflags(write=False)
    return array


def _whole(duration: float, unit: float, what: str) -> int:
    count = round(duration / unit)
    if abs(count * unit - duration) > 1e-9:
        raise RobotError(expected(what, f"{duration} s", f"a whole number of {unit} s"))
    return count


def check_options(spec: RobotSpec, options: Mapping[str, Any]) -> None:
    """Refuse options that ``create`` would refuse, without building anything. Raises as ``create``."""
    find_terrain(parse(MujocoOptions, dict(options), "options of the MuJoCo robot").terrain)


def create(spec: RobotSpec, options: Mapping[str, Any]) -> MujocoRobot:
    """Return a simulated ``spec``. ``options`` are the fields of ``MujocoOptions``; SchemaError on others."""
    return MujocoRobot(spec, parse(MujocoOptions, dict(options), "options of the MuJoCo robot"))
