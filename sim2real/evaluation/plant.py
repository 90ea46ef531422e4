"""The plant of one episode: nominal, or randomised over the ranges that training draws from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.robot import Wait
from robot_policies.types import Array, JointCommand, RobotState
from sim2real.evaluation.course import Vary
from sim2real.evaluation.push import Push
from sim2real.mujoco.robot import GroundTruth, MujocoRobot
from sim2real.randomization.actuators import draw_actuators
from sim2real.randomization.models import draw_bodies
from sim2real.randomization.ranges import Randomization

# nominal: the course's own ranges; randomized: those of training; model: nothing is drawn, as in the simulator's node
PlantName = Literal["nominal", "randomized", "model"]
PLANTS: tuple[PlantName, ...] = ("nominal", "randomized")  # that can be asked for together
RANGES = Randomization()


@dataclass(frozen=True)
class Motors:
    """How the motors differ from what is commanded: factors, (n,) each."""

    stiffness: Array
    damping: Array
    strength: Array  # on the torque


@dataclass(frozen=True)
class Plant:
    """What one seed draws."""

    foot_friction: float | None  # None: that of the model
    added_mass: float  # [kg]
    com_shift: tuple[float, float, float]  # [m], of the trunk's centre of mass, in its frame
    start_yaw: float  # [rad]
    start_y: float  # [m]
    motors: Motors | None = None
    state_delay: float = 0.0  # [s]
    action_delay: float = 0.0  # [s], beside that of the deployed pipeline
    pushes: tuple[Push, ...] = ()


def nominal(vary: Vary, seed: int) -> Plant:
    """Return the plant of the course's own ranges."""
    random = np.random.default_rng((seed, 1))  # the robot's sensors draw from ``seed`` alone
    friction, mass = (float(random.uniform(*limits)) for limits in (vary.foot_friction, vary.added_mass))
    yaw, y = (float(random.uniform(*limits)) for limits in (vary.start_yaw, vary.start_y))
    return Plant(friction, mass, (0.0, 0.0, 0.0), yaw, y)


def of_model() -> Plant:
    """Return the robot as its model has it, which is what the simulator's node has."""
    return Plant(None, 0.0, (0.0, 0.0, 0.0), 0.0, 0.0)


def randomized(vary: Vary, seed: int, spec: RobotSpec, seconds: float, ranges: Randomization = RANGES) -> Plant:
    """Return a plant of the ranges of training: body, motors, delays, pushes. It starts as the nominal one does."""
    random = np.random.default_rng((seed, 2))
    low, high = ranges.friction
    ranges = replace(ranges, friction=(max(low, min(vary.least_friction, high)), high))
    bodies = draw_bodies(ranges, 1, random)
    actuators = draw_actuators(ranges, 1, len(spec.joint_names), random)
    cycle = 1.0 / spec.state_rate
    x, y, z = bodies.com_shift[0].tolist()
    return replace(
        nominal(vary, seed),
        foot_friction=float(bodies.friction[0]),
        added_mass=float(bodies.added_mass[0]),
        com_shift=(x, y, z),
        motors=Motors(actuators.stiffness[0], actuators.damping[0], actuators.strength[0]),
        state_delay=cycle * int(actuators.state_delay[0]),
        # The first of these cycles is the pipeline's own: a command acts from the cycle after its state.
        action_delay=cycle * (int(actuators.delay[0]) - 1),
        pushes=_pushes(ranges, seconds, random),
    )


def _pushes(ranges: Randomization, seconds: float, random: np.random.Generator) -> tuple[Push, ...]:
    """Return pushes at the mean interval of training, at random times within ``seconds`` of activation."""
    if ranges.push_interval <= 0.0:
        return ()
    count = int(random.poisson(seconds / ranges.push_interval))
    times = np.sort(random.uniform(0.0, seconds, count)).tolist()
    linear, angular = ranges.push_velocity, ranges.push_ang_velocity
    return tuple(_push(at, random.uniform(-linear, linear, 2), random.uniform(-angular, angular, 3)) for at in times)


def _push(at_s: float, linear: Array, angular: Array) -> Push:
    (x, y), (roll, pitch, yaw) = linear.tolist(), angular.tolist()
    return Push(at_s, (x, y, 0.0), (roll, pitch, yaw))


class VariedRobot:
    """A simulated robot whose motors have other gains and strength than the commands that reach them ask for."""

    def __init__(self, robot: MujocoRobot, motors: Motors | None) -> None:
        """Stand before ``robot``; with None it is as it is."""
        self.spec, self.inner, self._motors = robot.spec, robot, motors

    def now_ns(self) -> int:
        """Return the robot's clock [ns]."""
        return self.inner.now_ns()

    def read(self, wait: Wait) -> RobotState:
        """Return the next state. Raises ``RobotError`` as the robot does."""
        return self.inner.read(wait)

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Hold ``command`` as these motors understand it."""
        motors = self._motors
        if command is not None and motors is not None:
            varied = replace(
                command,
                stiffness=command.stiffness * motors.stiffness * motors.strength,
                damping=command.damping * motors.damping * motors.strength,
                joint_effort=command.joint_effort * motors.strength,
            )
            self.inner.write(varied)
            return command
        return self.inner.write(command)

    def ground_truth(self) -> GroundTruth:
        """Return the true state at the end of the newest cycle."""
        return self.inner.ground_truth()

    def close(self) -> None:
        """Let the motors go limp."""
        self.inner.close()
