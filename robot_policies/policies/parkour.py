"""Kind ``parkour``: joint targets from proprioception and depth, or true heights; steers itself or follows a heading.

As ``velocity``, and where the bundle has the term ``heading_error`` the yaw rate commanded makes a heading to follow.
All else, such as the rate of the depth networks, their recurrent state and where the direction that they predict goes,
is wiring of the contract.
"""

from __future__ import annotations

from robot_policies.bundle.load import Bundle
from robot_policies.contract import Contract
from robot_policies.exceptions import BundleError, expected
from robot_policies.policies.heading import HeadingCommand
from robot_policies.policies.velocity import VelocityPolicy
from robot_policies.robot_spec import RobotSpec
from robot_policies.types import Array, PolicyInputs


class ParkourPolicy(VelocityPolicy):
    """A policy whose direction is its own, or the operator's.

    Raises:
        BundleError: the bundle takes no velocity command, is not for this robot, or limits one heading in two ways.
    """

    def __init__(self, bundle: Bundle, spec: RobotSpec) -> None:
        """Compose the stages of ``bundle``, which has passed its checks."""
        super().__init__(bundle, spec)
        self._heading = _heading(bundle.contract)

    def reset(self) -> None:
        """Return to the moment before the first tick."""
        super().reset()
        if self._heading is not None:
            self._heading.reset()

    def follow(self, joint_pos: Array) -> None:
        """As ``velocity``; the heading is the robot's own while another policy leads it somewhere."""
        super().follow(joint_pos)
        if self._heading is not None:
            self._heading.reset()

    def _heading_error(self, inputs: PolicyInputs, tick: int) -> float | None:
        if self._heading is None:
            return None
        return self._heading(inputs.state.base_quat_wxyz, inputs.velocity_command, tick)


def _heading(contract: Contract) -> HeadingCommand | None:
    """Return what makes the heading error; None where no term reads it."""
    terms = [term for group in contract.observations.values() for term in group.terms if term.term == "heading_error"]
    asked = sorted({(float(term.params["limit"]), int(term.params["period"])) for term in terms})
    if not asked:
        return None
    if len(asked) > 1:
        raise BundleError(expected("heading_error: one limit and one period", asked, "the same in every term"))
    return HeadingCommand(*asked[0], contract.timing.control_dt)
