"""One of the policies that take turns: its step, what it sees, and whether it could command."""

from __future__ import annotations

from collections.abc import Mapping

from robot_policies.control.delay_watch import DelayWatch
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.sight import Sight
from robot_policies.exceptions import InputError
from robot_policies.types import Array, DepthImage, PolicyInputs, PolicyRecord, RobotState

# For how long good images, and good steps, must have come before a policy that was out of order commands again: five
# images at 10 Hz, where it starts from none at an activation.
RECOVERY_NS = 500_000_000  # [ns]


class Member:
    """Steps its policy at every tick, whether it commands or not.

    Attributes:
        name: of the bundle.
        proposal: its own target of the newest tick, (n,) [rad] in robot order; None where it has none.
        out_of_order: why it cannot command now, None where it can.
    """

    def __init__(self, step: PolicyStep) -> None:
        """Take a step."""
        contract = step.bundle.contract
        self.name, self.step = contract.name, step
        limit = contract.limits.inputs.get("depth")
        self.lost = None if limit is None else limit.lost  # what follows when it is blind
        self._sight = Sight(contract)
        self.reset()

    def reset(self) -> None:
        """Return to the moment before the first tick."""
        self.step.reset()
        self._sight.reset()
        self.proposal: Array | None = None
        self.out_of_order: str | None = None
        self._good_ns: int | None = None  # since when nothing was wrong, while it is out of order

    def look(self, inputs: PolicyInputs) -> PolicyInputs:
        """Return what this policy may read of ``inputs``, and note whether it sees.

        One that could not see begins anew once it can: the memory of its networks is of ground that was left.
        """
        if self.lost is None:
            return inputs
        stamp_ns = inputs.state.stamp_ns
        self._sight.lean(stamp_ns, inputs.state.base_quat_wxyz)
        images = self._sight(inputs.depth, stamp_ns)
        if self._sight.lost is not None:
            self._fails(self._sight.lost)
        elif self.out_of_order is not None and self._good_ns is None:
            if self.hands_over:
                self.step.reset()
            self._good_ns = stamp_ns
            self.out_of_order = f"good images again, for less than {RECOVERY_NS * 1e-9:g} s"
        return PolicyInputs(inputs.state, inputs.velocity_command, images, inputs.height_scan)

    @property
    def delays(self) -> Mapping[str, DelayWatch]:
        """What was measured of its images' delays, by depth input."""
        return self._sight.delays

    def watch(self, images: Mapping[str, DepthImage], stamp_ns: int) -> None:
        """Measure the delays of new images at a tick at which nobody commands."""
        self._sight.watch(images, stamp_ns)

    def check_start(self, state: RobotState) -> None:
        """Accept ``state`` and the cameras' delays to activate with. Raises ``InputError``: says which is wrong."""
        self.step.check_start(state)
        faults = [watch.fault for watch in self.delays.values() if watch.fault is not None]
        if faults:
            raise InputError("; ".join(faults))

    @property
    def hands_over(self) -> bool:
        """Whether somebody else is to command while this policy cannot see."""
        return self.lost in ("stand", "companion")

    def command(self, inputs: PolicyInputs, now_ns: int | None) -> PolicyRecord:
        """Take the step that commands. Raises ``InputError`` as ``PolicyStep``, and where it lands as it cannot see."""
        if self.lost == "landing" and self._sight.lost is not None:
            raise InputError(self._sight.lost)
        return self._stepped(inputs, now_ns)

    def shadow(self, inputs: PolicyInputs, now_ns: int | None, joint_pos: Array) -> None:
        """Take the step that does not command, while ``joint_pos`` (n,) [rad] is commanded. What fails begins anew."""
        try:
            self._stepped(inputs, now_ns)
        except InputError as error:
            self.step.reset()
            self.proposal = None
            self._fails(str(error))
        else:
            self.step.follow(joint_pos)

    def _stepped(self, inputs: PolicyInputs, now_ns: int | None) -> PolicyRecord:
        record = self.step(inputs, now_ns)
        self.proposal = record.command.joint_pos
        self._recovers(inputs.state.stamp_ns)
        return record

    def _fails(self, why: str) -> None:
        self.out_of_order, self._good_ns = why, None

    def _recovers(self, stamp_ns: int) -> None:
        if self.out_of_order is None or (self.lost is not None and self._sight.lost is not None):
            return
        if self._good_ns is None:
            self._good_ns = stamp_ns
        if stamp_ns - self._good_ns >= RECOVERY_NS:
            self.out_of_order = None
