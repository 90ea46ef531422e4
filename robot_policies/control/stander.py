"""Standing as something that commands: where a policy must not go on, and there is no other."""

from __future__ import annotations

import numpy as np

from robot_policies.action.decoder import gain_digest
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Action, GainProfile, JointCommand, Observation, PolicyInputs, PolicyRecord, owned

NAME = "stand"  # no bundle can have it: it is the robot's own


class Stander:
    """Asks for the robot's stand pose with its stand gains, whatever the state. Reads nothing.

    Attributes:
        proposal: the stand pose, (n,) [rad] in robot order.
    """

    name = NAME

    def __init__(self, spec: RobotSpec) -> None:
        """Take pose and gains of the robot file."""
        stiffness, damping = spec.stand_stiffness, spec.stand_damping
        self.gains = GainProfile(f"{NAME}/{gain_digest(stiffness, damping)}", stiffness, damping)
        self.proposal = owned(spec.poses["stand"])
        self._zeros = owned(np.zeros(len(spec.joint_names)))
        self._nothing = owned(np.zeros(len(spec.joint_names)), np.float32)

    def command(self, inputs: PolicyInputs, now_ns: int | None) -> PolicyRecord:
        """Return the record of a tick: nothing observed, nothing inferred, the stand commanded."""
        stamp_ns, gains, zeros, nothing = inputs.state.stamp_ns, self.gains, self._zeros, self._nothing
        command = JointCommand(stamp_ns, self.proposal, zeros, zeros, gains.stiffness, gains.damping, gains.name)
        return PolicyRecord(0, inputs, Observation(stamp_ns, {}), Action(stamp_ns, nothing, nothing, nothing), command)
