"""What every kind of policy is. A kind is an entry point of the group ``robot_policies.policies``."""

from __future__ import annotations

from typing import Protocol

from robot_policies.bundle.load import Bundle
from robot_policies.inference.graph import NetworkGraph
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Action, Array, Array32, GainProfile, JointCommand, Observation, PolicyInputs


class Policy(Protocol):
    """The three stages of one policy step, called in order, once per tick. Composition only: no loop, no clock, no I/O.

    A stage that raises leaves the policy between two ticks: ``reset`` it before the next.
    """

    gains: GainProfile  # that every command names
    graph: NetworkGraph  # for golden data: what the networks read and gave

    def reset(self) -> None:
        """Return to the moment before the first tick: histories, recurrent states, filters, last action."""
        ...

    def observe(self, inputs: PolicyInputs, tick: int) -> Observation:
        """Return what the networks read at this tick. ``inputs`` are complete, finite and stamped.

        Raises:
            InputError: an input that this policy needs is missing, too old or of the wrong size.
        """
        ...

    def infer(self, observation: Observation, tick: int) -> Array32:
        """Return the raw action, (joints,), in the bundle's joint order.

        Raises:
            InputError: a network's output is not finite.
        """
        ...

    def decode(self, raw: Array32, stamp_ns: int) -> tuple[Action, JointCommand]:
        """Return the action and the command (robot order) that ``raw`` means for the state of ``stamp_ns``."""
        ...

    def follow(self, joint_pos: Array) -> None:
        """Go on as though this tick's target had been ``joint_pos``, (n,) [rad] in robot order: another one commanded.

        The last action becomes what would have asked for it, in this policy's own units and within its clip.
        """
        ...


class PolicyClass(Protocol):
    """What the entry point of a kind gives."""

    def __call__(self, bundle: Bundle, spec: RobotSpec) -> Policy:
        """Return the policy of ``bundle`` for the robot ``spec``. Raises ``BundleError`` for a bundle it cannot run."""
        ...
