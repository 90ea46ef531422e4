"""A walk to be measured on: recorded once in the simulator, and then taken again, tick by tick, without it.

The simulator is deterministic and so are both halves of the pipeline. On the recorded states they must come to the
recorded commands, bit for bit; so what is timed is the walk and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from robot_policies.bundle.load import Bundle, load_bundle
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec, load_robot_spec
from robot_policies.robots.robot import Robot, Wait
from robot_policies.safety.limits import load_safety
from robot_policies.types import JointCommand, Mode, PolicyRecord, RobotState
from sim2real.evaluation.offline import OfflineRun
from sim2real.evaluation.schedule import Operator
from sim2real.mujoco.robot import MujocoOptions, MujocoRobot

POLICY, ROBOT = "go2_walk", "go2"
VELOCITY = (0.8, 0.0, 0.0)  # [m/s, m/s, rad/s]
LIMIT_CYCLES = 4000  # of the robot, in which it must be active


class Halves:
    """Both halves of the pipeline of one robot and one bundle, with the run that brings them to ``active``."""

    def __init__(
        self,
        robot: Robot,
        spec: RobotSpec,
        bundle: Bundle,
        robot_step: RobotStep | None = None,
        switching: SwitchingStep | None = None,
    ) -> None:
        """Put them together around ``robot``; halves that are given take the places of new ones."""
        self.robot_step = robot_step or RobotStep(spec, load_safety(spec.name, spec))
        self.policy_step = PolicyStep(bundle, spec)
        self.ticks: list[PolicyRecord] = []
        policy = switching or self.policy_step
        self.run = OfflineRun(robot, self.robot_step, policy, Operator(VELOCITY), on_policy=(self.ticks.append,))

    def until_active(self) -> int:
        """Run to the first tick; return the number of cycles. Raises ``RobotError`` where the robot does not stand."""
        for cycle in range(LIMIT_CYCLES):
            self.run.cycle()
            if self.ticks:
                return cycle + 1
        raise RobotError(expected("walk: an active policy", self.run.refusals or "none", "a bundle that activates"))


@dataclass(frozen=True)
class Walk:
    """What was recorded: every state, and the record of every tick, the first one at cycle ``start``."""

    spec: RobotSpec
    bundle: Bundle
    states: tuple[RobotState, ...]
    ticks: tuple[PolicyRecord, ...]
    start: int  # cycles to the first tick, it included
    decimation: int  # cycles from tick to tick

    def again(self, robot_step: RobotStep | None = None, switching: SwitchingStep | None = None) -> Halves:
        """Return halves, fresh or given as such, that have just taken the first tick of the walk."""
        halves = Halves(_Played(self.spec, self.states), self.spec, self.bundle, robot_step, switching)
        halves.until_active()
        return halves


class _Recorded:
    """A robot whose states are kept."""

    def __init__(self, robot: MujocoRobot) -> None:
        self.spec, self._robot = robot.spec, robot
        self.states: list[RobotState] = []
        self.now_ns, self.write, self.close = robot.now_ns, robot.write, robot.close

    def read(self, wait: Wait) -> RobotState:
        self.states.append(self._robot.read(wait))
        return self.states[-1]


class _Played:
    """A robot that gives recorded states and takes any command."""

    def __init__(self, spec: RobotSpec, states: tuple[RobotState, ...]) -> None:
        self.spec, self._states = spec, iter(states)
        self._newest_ns = 0

    def now_ns(self) -> int:
        return self._newest_ns

    def read(self, wait: Wait) -> RobotState:
        state = next(self._states)
        self._newest_ns = state.stamp_ns
        return state

    def write(self, command: JointCommand | None) -> JointCommand | None:
        return command

    def close(self) -> None:
        """Nothing is open."""


def record(ticks: int) -> Walk:
    """Walk in the simulator for ``ticks`` ticks and a few more. Raises ``RobotPoliciesError``, also for a fall."""
    spec = load_robot_spec(ROBOT)
    bundle = load_bundle(POLICY, spec)
    robot = _Recorded(MujocoRobot(spec, MujocoOptions(clock="lockstep", seed=0)))
    halves = Halves(robot, spec, bundle)
    start = halves.until_active()
    decimation = round(bundle.contract.timing.control_dt * spec.state_rate)
    for _ in range((ticks + 2) * decimation):
        halves.run.cycle()
    if halves.robot_step.mode is not Mode.ACTIVE:
        raise RobotError(expected("walk: a robot that walks to the end", halves.robot_step.trips, POLICY))
    return Walk(spec, bundle, tuple(robot.states), tuple(halves.ticks), start, decimation)


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick took [ns]: the policy half, then the robot half up to the cycle in which the command acts."""

    observation: int
    inference: int
    decoding: int
    safety: int
    whole: int  # all of these, and the checks of the inputs


def take(walk: Walk, count: int, halves: Halves | None = None) -> Iterator[Tick]:
    """Take the first ``count`` ticks of the walk after its first, one at each step of the iterator.

    The other cycles of the robot until the next tick follow untimed, before the iterator gives the tick.

    Raises:
        RobotError: the commands are not the recorded ones, or the robot half has left ``active``.
    """
    halves = halves or walk.again()
    policy, robot = halves.policy_step, halves.robot_step
    first = walk.start - 1
    for cycle in range(first + 1, first + walk.decimation + 1):  # up to the state of the next tick
        robot.cycle(walk.states[cycle], walk.states[cycle].stamp_ns)
    for number in range(1, count + 1):
        at = first + number * walk.decimation
        inputs, following = walk.ticks[number].inputs, walk.states[at + 1]
        begun = time.perf_counter_ns()
        made = policy(inputs)
        stepped = time.perf_counter_ns()
        refusal = robot.take_command(made.command, inputs.state.stamp_ns)
        robot.cycle(following, following.stamp_ns)
        done = time.perf_counter_ns()
        for state in walk.states[at + 2 : at + walk.decimation + 1]:
            robot.cycle(state, state.stamp_ns)
        same(made, walk.ticks[number], refusal, robot.mode)
        yield Tick(*made.durations_ns, safety=done - stepped, whole=done - begun)


def same(made: PolicyRecord, recorded: PolicyRecord, refusal: str | None, mode: Mode) -> None:
    """Raise ``RobotError`` where the command of a tick is not the recorded one, or has led elsewhere."""
    equal = np.array_equal(made.command.joint_pos, recorded.command.joint_pos)
    if refusal is not None or mode is not Mode.ACTIVE or not equal:
        found = refusal or (f"mode {mode.value}" if mode is not Mode.ACTIVE else "other targets")
        raise RobotError(expected(f"tick {recorded.tick} of the walk: the recorded command", found, "the same walk"))
