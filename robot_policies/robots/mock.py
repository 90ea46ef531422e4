"""A robot without physics: joints are where the command says, at once; the base hangs still and upright.

It runs any robot file, in the place of a simulator. Use it to try a bring-up, a safety file or a policy's wiring.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any, Optional

import numpy as np

from robot_policies.exceptions import RobotError, expected
from robot_policies.robot_spec import RobotSpec
from robot_policies.robots.cycle import ClockKind, CycleClock, checked_command
from robot_policies.robots.robot import Robot, Wait
from robot_policies.schema import parse, schema
from robot_policies.types import JointCommand, RobotState, owned

# [m/s^2], what an accelerometer at rest shows: standard gravity as in MuJoCo's default, and the same a little off, in
# turn. No real one repeats itself, and a safety file asks for that (``state.frozen``).
UP = (owned([0.0, 0.0, 9.81]), owned([0.0, 0.0, 9.810001]))
UPRIGHT = owned([1.0, 0.0, 0.0, 0.0])
ZERO = owned([0.0, 0.0, 0.0])


@schema
class MockOptions:
    """Options of ``create``."""

    clock: ClockKind = "real"
    epoch_ns: int = 0  # lockstep: the clock before the first cycle [ns]
    start: str = "sit"  # a pose of the robot file
    seed: int = 0  # as simulators take it; nothing is random here
    terrain: Optional[str] = None  # as simulators take it; there is no ground here


class MockRobot:
    """Follows every command perfectly from the next state on."""

    def __init__(self, spec: RobotSpec, options: MockOptions) -> None:
        """Put the joints in the start pose. Raises RobotError where the robot file has no such pose."""
        if options.start not in spec.poses:
            raise RobotError(expected("mock: start pose", options.start, spec.poses))
        self.spec = spec
        self._clock = CycleClock(options.clock, spec.state_rate, options.epoch_ns)
        still = owned(np.zeros(len(spec.joint_names)))
        self._pos, self._vel, self._effort, self._still = spec.poses[options.start], still, still, still
        self._feet = owned(np.zeros(len(spec.feet)))
        self._up = cycle(UP)

    def now_ns(self) -> int:
        """Return the robot's clock [ns]."""
        return self._clock.now_ns()

    def read(self, wait: Wait) -> RobotState:
        """Return the next state after passing the time until then in ``wait``."""
        return RobotState(
            stamp_ns=self._clock.next_cycle(wait),
            joint_pos=self._pos,
            joint_vel=self._vel,
            joint_effort=self._effort,
            base_quat_wxyz=UPRIGHT,
            base_ang_vel=ZERO,
            base_lin_acc=next(self._up),
            foot_force=self._feet,
            base_lin_vel=ZERO,
        )

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Move the joints to ``command``; None lets them stay where they are. Raises RobotError on a bad command."""
        if command is None:
            self._vel = self._effort = self._still
            return None
        held = checked_command(self.spec, command)
        self._pos, self._vel, self._effort = held.joint_pos, held.joint_vel, held.joint_effort
        return command

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def create(spec: RobotSpec, options: Mapping[str, Any]) -> Robot:
    """Return a mock of ``spec``. ``options`` are the fields of ``MockOptions``; SchemaError on others."""
    return MockRobot(spec, parse(MockOptions, dict(options), "options of the mock robot"))
