"""The one interface of every robot: simulated, mock or real. Nothing above may ask which one runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from robot_policies.robot_spec import RobotSpec
from robot_policies.types import JointCommand, RobotState

# Called by ``Robot.read`` to pass the time until the robot's clock shows ``stamp_ns``. A node serves its callbacks in
# it; in lockstep it returns when the command for a due stamp has come; offline it returns at once.
Wait = Callable[[int], None]


class Robot(Protocol):
    """Reads complete states and writes joint commands, in the joint order of ``spec.joint_names``."""

    spec: RobotSpec

    def now_ns(self) -> int:
        """Return the robot's clock [ns], the one that stamps its states."""
        ...

    def read(self, wait: Wait) -> RobotState:
        """Return the next state, once, after passing the time until then in ``wait``.

        Raises:
            RobotError: the robot cannot be read.
        """
        ...

    def write(self, command: JointCommand | None) -> JointCommand | None:
        """Send ``command`` and return what really went out; None writes nothing."""
        ...

    def close(self) -> None:
        """Release the robot. What it does afterwards is the robot's own default, so land before."""
        ...
