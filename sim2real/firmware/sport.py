"""The built-in controller, as far as a driver meets it: it stands, lies, and damps, and it commands the motors itself.

Known of the robot (vendor's examples, public threads): it is active from power-on, it writes rt/lowcmd itself, a second
writer fights with it, it is put down with StandDown and released with the motion switcher, and then sport requests get
no answer. Its gaits are not here: Move and the tricks answer that they are not implemented.
"""

from __future__ import annotations

import numpy as np

from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array
from sim2real.firmware.readings import MotorCommand

# unitree_sdk2py.go2.sport.sport_api
DAMP, BALANCE_STAND, STOP_MOVE, STAND_UP, STAND_DOWN, RECOVERY_STAND = 1001, 1002, 1003, 1004, 1005, 1006
NOT_IMPLEMENTED = 3203  # unitree_sdk2py.rpc.internal: RPC_ERR_SERVER_API_NOT_IMPL
RAMP = 1.5  # [s] to stand up or lie down; the robot takes one to two
DAMPING = 3.0  # [N m s/rad] when it damps: an estimate


class SportController:
    """Poses: ``stand``, ``lie``, ``damp``; a new one is reached by a straight ramp of the joints."""

    def __init__(self, spec: RobotSpec, pose: str = "stand") -> None:
        """Go to ``pose`` from wherever the joints are."""
        self._targets = {"stand": spec.poses["stand"], "lie": spec.poses["sit"]}
        self._stiffness, self._damping = spec.stand_stiffness, spec.stand_damping
        self._joints = len(spec.joint_names)
        self.pose = pose
        self._from: Array | None = None
        self._passed = 0.0

    def request(self, api: int) -> int:
        """Do what an API number of the sport service asks; return the service's code, 0 for done."""
        poses = {DAMP: "damp", STAND_UP: "stand", BALANCE_STAND: "stand", RECOVERY_STAND: "stand", STAND_DOWN: "lie"}
        if api in poses:
            self.go(poses[api])
        return 0 if api in poses or api == STOP_MOVE else NOT_IMPLEMENTED

    def go(self, pose: str) -> None:
        """Go to ``pose`` from where the joints are."""
        if pose != self.pose:
            self.pose, self._from, self._passed = pose, None, 0.0

    def command(self, joint_pos: Array, seconds: float) -> MotorCommand:
        """Return the command for now, at ``joint_pos`` [rad]; ``seconds`` pass until the next."""
        if self._from is None:
            self._from = np.array(joint_pos)
        self._passed += seconds
        still, on = np.zeros(self._joints), np.ones(self._joints, dtype=bool)
        if self.pose == "damp":
            return MotorCommand(on, still, still, still, still, np.full(self._joints, DAMPING))
        share = min(self._passed / RAMP, 1.0)
        target = self._from + share * (self._targets[self.pose] - self._from)
        return MotorCommand(on, target, still, still, self._stiffness, self._damping)
