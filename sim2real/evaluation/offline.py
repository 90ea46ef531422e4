"""The pipeline without ROS: the same two halves, the same safety, one loop, in simulated time.

Its timing is that of the nodes in lockstep, so that the same schedule gives the same numbers. For every state k:

1. the robot half runs on state k and its safe command is written;
2. what is asked for with a stamp at or before that of state k is applied, in order;
3. where the policy is due, it steps on state k with the newest velocity command whose stamp is not after it, and the
   newest images that have come out by then. Its command is handed to the robot half now and acts from cycle k + 1 on.

The first state at which the policy is due is the one after its activation; then every ``control_dt``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from robot_policies.control.lease import Lease
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.robot_step import RobotStep
from robot_policies.control.switching import SwitchingStep
from robot_policies.exceptions import InputError
from robot_policies.robots.robot import Robot
from robot_policies.safety.state_machine import Reply, Request
from robot_policies.types import DepthImage, PolicyInputs, PolicyRecord, RobotRecord, RobotState, VelocityCommand
from sim2real.evaluation.height_scan import Scans
from sim2real.evaluation.schedule import Event, Schedule

HOLDER = "offline"  # of the command lease
OnRobot = Callable[[RobotRecord], None]
OnPolicy = Callable[[PolicyRecord], None]
# Takes every state in order and gives the images that come out by then, by name of the bundle's depth input.
Cameras = Callable[[RobotState], Mapping[str, DepthImage]]


class OfflineRun:
    """One robot, one policy and what is asked of them. Keeps no records: subscribers get each one once.

    Attributes:
        refusals: what the robot refused, as (stamp [ns], what was asked, why), oldest first.
    """

    def __init__(
        self,
        robot: Robot,
        robot_step: RobotStep,
        policy_step: PolicyStep | SwitchingStep,
        schedule: Schedule,
        on_robot: Sequence[OnRobot] = (),
        on_policy: Sequence[OnPolicy] = (),
        cameras: Cameras | None = None,
        scans: Scans | None = None,
    ) -> None:
        """Take the parts. The robot's clock should be ``lockstep``; its first state is the first cycle's."""
        self._scans = scans
        self._cameras, self._depth = cameras, dict[str, DepthImage]()
        self._robot, self._robot_step = robot, robot_step
        # As in the node: one policy is a pair without a companion.
        self._policy_step = policy_step if isinstance(policy_step, SwitchingStep) else SwitchingStep(policy_step)
        self._schedule, self._on_robot, self._on_policy = schedule, tuple(on_robot), tuple(on_policy)
        self._velocity_command: VelocityCommand | None = None
        self._activated_ns: int | None = None  # stamp of the cycle after which the policy became active
        self._deadline_ns: int | None = None
        self.refusals: list[tuple[int, str, str]] = []

    @property
    def active(self) -> bool:
        """Whether the policy holds the lease."""
        return self._robot_step.lease is not None

    def run(self, until_ns: int) -> None:
        """Run until the first cycle whose stamp is at or after ``until_ns``, that one included.

        Raises:
            RobotError: the robot cannot be read.
        """
        while self.cycle().state.stamp_ns < until_ns:
            pass

    def cycle(self) -> RobotRecord:
        """Run one cycle of the robot and what follows from it. Raises ``RobotError`` as ``run``."""
        state = self._robot.read(_at_once)
        record = self._robot_step.cycle(state, state.stamp_ns)
        self._robot.write(record.safe)
        for subscriber in self._on_robot:
            subscriber(record)
        if self._robot_step.lease is None:
            self._activated_ns = None  # a trip or a request has ended it
        if self._cameras is not None:
            self._depth.update(self._cameras(state))
        for event in self._schedule.due(record, self._robot_step.ramp_done):
            self._apply(event, record)
        self._step_policy(record)
        return record

    def _apply(self, event: Event, record: RobotRecord) -> None:
        now_ns = record.state.stamp_ns
        if event.kind == "velocity_command":
            self._velocity_command = event.velocity_command
        elif event.kind == "activate":
            self._note(event, now_ns, self._activate(record))
        elif event.kind == "switch":
            self._note(event, now_ns, self._switch(event.policy))
        elif event.kind == "deactivate":
            self._note(event, now_ns, self._robot_step.release_lease(HOLDER, now_ns))
            self._activated_ns = None
        else:
            self._note(event, now_ns, self._robot_step.request(Request(event.kind), now_ns))

    def _activate(self, record: RobotRecord) -> Reply:
        policy, robot_step, now_ns = self._policy_step, self._robot_step, record.state.stamp_ns
        policy.reset()
        self._velocity_command = None  # what was asked for before counts no more; what was seen has its age
        try:
            policy.check_start(record.state)
        except InputError as error:
            return Reply(False, str(error))
        for gains in policy.profiles:
            reply = robot_step.set_gain_profile(gains)
            if not reply.ok:
                return reply
        first, *others = (gains.name for gains in policy.profiles)
        lease = Lease(HOLDER, policy.control_dt_ns, first, policy.inputs, tuple(others), policy.tilt)
        reply = robot_step.take_lease(lease, now_ns)
        if reply.ok:
            self._activated_ns, self._deadline_ns = now_ns, None
        return reply

    def _switch(self, name: str) -> Reply:
        try:
            self._policy_step.switch(name)
        except InputError as error:
            return Reply(False, str(error))
        return Reply(True, f"{name} commands")

    def _note(self, event: Event, now_ns: int, reply: Reply) -> None:
        if not reply.ok:
            self.refusals.append((now_ns, event.kind, reply.message))

    def _step_policy(self, record: RobotRecord) -> None:
        state = record.state
        if self._activated_ns is None or state.stamp_ns <= self._activated_ns:
            return
        deadline_ns = state.stamp_ns if self._deadline_ns is None else self._deadline_ns
        if state.stamp_ns < deadline_ns:
            return
        self._deadline_ns = deadline_ns + self._policy_step.control_dt_ns
        try:
            scan = None if self._scans is None else self._scans(state)
            step = self._policy_step(PolicyInputs(state, self._velocity_command, dict(self._depth), scan))
        except InputError as error:
            self._robot_step.release_lease(HOLDER, state.stamp_ns, str(error))
            return
        for subscriber in self._on_policy:
            subscriber(step)
        refusal = self._robot_step.take_command(step.command, state.stamp_ns, HOLDER)
        if refusal is not None:
            self.refusals.append((state.stamp_ns, "joint_command", refusal))


def _at_once(stamp_ns: int) -> None:
    """Pass no time."""
