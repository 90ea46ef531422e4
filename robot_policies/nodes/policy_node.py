"""The policy node: a bundle's policy as a lifecycle node, ticking on the stamps of the robot's states.

Beside it there may be a companion, another bundle to switch to (docs/switching.md). ``configure`` builds the policies,
``activate`` offers their gains and takes the command lease, and then every state that passes the next deadline is one
step. Any error of a step gives the lease back with its reason, so that the robot lands; the node is inactive then, and
can be activated again once the robot was reset.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from robot_policies.bundle.robot_check import reads_lin_vel
from robot_policies.control import pacing
from robot_policies.control.policy_step import PolicyStep
from robot_policies.control.recording.journal import POLICY, JournaledSwitchingStep
from robot_policies.control.switching import check_pair
from robot_policies.exceptions import InputError, RobotError, RobotPoliciesError
from robot_policies.nodes import recording
from robot_policies.nodes.conversions import CommandMessage
from robot_policies.nodes.depth_timing import DepthTiming
from robot_policies.nodes.diagnostics import ERROR, OK, WARN, Diagnostics
from robot_policies.nodes.policy_inputs import PolicyTopics, load_for_topics
from robot_policies.nodes.policy_monitor import PolicyMonitor
from robot_policies.nodes.policy_switch import PolicySwitch
from robot_policies.nodes.robot_client import RobotClient
from robot_policies.nodes.runtime import LATCHED, RELIABLE, Spinner, Stop, logged, refuse_unknown_parameters, run
from robot_policies.nodes.state_assembler import StateAssembler
from robot_policies.robot_spec import load_robot_spec
from robot_policies.types import Mode, PolicyInputs, RobotState

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
DIAGNOSTICS_PERIOD = 0.5  # [s]
STAGGERED = 100  # incomplete states that are let pass while the topics of a robot find this node one after the other


class PolicyNode(LifecycleNode):
    """One policy for one robot, or two that take turns."""

    def __init__(self) -> None:
        """Declare the parameters; nothing is loaded and nothing is subscribed before ``configure``."""
        super().__init__("policy_node")
        for name, default in (("robot", "go2"), ("policy", "go2_walk"), ("robot_node", "robot_node")):
            self.declare_parameter(name, default)
        self.declare_parameter("companion", "")
        self.declare_parameter("cmd_vel_stamped", True)
        self._journal = recording.open_journal(self, POLICY)
        refuse_unknown_parameters(self)
        self._error = ""
        self._active = False
        self._seen_active = False  # robot_mode has said so since the lease was taken
        self._deadline_ns: int | None = None  # None: the first state after the lease
        self._granted_ns = self._watched = 0
        self._state: RobotState | None = None
        # A robot or policy that does not exist is told at once, not at a transition that somebody asks for later.
        spec = load_robot_spec(self._text("robot"))
        self._spec, self._bundle = spec, load_for_topics(self._text("policy"), spec)
        companion = self._text("companion")
        self._companion = load_for_topics(companion, spec) if companion else None
        if self._companion is not None:
            check_pair(self._bundle, self._companion)
        self._monitor = PolicyMonitor()
        self._diagnostics = Diagnostics(self, spec.name)
        self._robot = RobotClient(self, self._text("robot_node"))
        self._next_diagnostics = 0.0

    # Transitions. rclpy swallows an exception of one of them, so each says what happened before it does.

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build the policies and subscribe. FAILURE, with the reason logged, where a bundle's kind cannot run it."""
        bundles = [bundle for bundle in (self._bundle, self._companion) if bundle is not None]
        try:
            steps = [PolicyStep(bundle, self._spec) for bundle in bundles]
            self._step = JournaledSwitchingStep(steps[0], steps[1] if len(steps) > 1 else None)
        except RobotPoliciesError as error:
            return self._refused(error)
        self._step.begin(self._journal, self._text("robot"), bundles)
        lin_vel = any(reads_lin_vel(bundle.contract) for bundle in bundles)
        self._of_ros = set(self.subscriptions)  # such as /clock
        stamped = bool(self.get_parameter("cmd_vel_stamped").value)
        self._topics = PolicyTopics(self, tuple(self._bundle.contract.depth), stamped, self._now_ns)
        if not self._lockstep():
            self._monitor.depth = DepthTiming(self._bundle.contract)
            self._monitor.depth.listen(self)
            self._topics.on_image = self._monitor.depth.received
        self._states = StateAssembler(self, self._spec, lin_vel, self._on_state)
        self.create_subscription(String, "robot_mode", self._on_mode, LATCHED)
        self._message = CommandMessage(self._spec.joint_names)
        self._commands = self.create_publisher(JointState, "joint_command", RELIABLE)
        self._switch = PolicySwitch(self, self._step)
        pacing.prepare(self.get_logger().warning)
        return SUCCESS

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Offer the gains and take the lease. FAILURE, with the reason logged, where the robot node refuses."""
        step = self._step
        step.reset()
        self._topics.clear()
        try:
            if self._state is not None:
                step.check_start(self._state)
            elif self._states.incomplete > STAGGERED:
                raise InputError(self._states.why_none())
            for gains in step.profiles:
                self._robot.set_gain_profile(gains)
            profiles = tuple(gains.name for gains in step.profiles)
            self._granted_ns = self._robot.take_lease(step.control_dt_ns, profiles, step.inputs, step.tilt)
        except (RobotError, InputError) as error:
            return self._refused(error)
        self._error, self._deadline_ns, self._active, self._seen_active = "", None, True, False
        self._monitor.activated()
        return SUCCESS

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the lease back; the robot goes back to the stand."""
        self._release(None)
        self.tell()
        return SUCCESS

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the policy and the subscriptions."""
        for subscription in set(self.subscriptions) - self._of_ros:
            self.destroy_subscription(subscription)
        self.destroy_publisher(self._commands)
        self._switch.close()
        self._state = None
        return SUCCESS

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the lease back, if it is held."""
        self._release(None)
        return SUCCESS

    # States and ticks.

    def _on_state(self, state: RobotState) -> None:
        self._state = state
        if self._active:
            self._tick(state)
        elif state.stamp_ns // self._step.control_dt_ns != self._watched:  # how late images are, before an activation
            self._watched = state.stamp_ns // self._step.control_dt_ns
            self._step.watch(self._topics.images(state.stamp_ns), state.stamp_ns)

    def _on_mode(self, message: String) -> None:
        """Become inactive when the robot leaves ``active`` by itself: a trip or an operator has ended the lease."""
        if message.data == Mode.ACTIVE.value:
            self._seen_active = True
        elif self._active and (self._seen_active or message.data != Mode.STAND.value):
            # A "stand" before "active" is from before the lease; any other mode says that "active" was over at once.
            self._active = False
            self._error = "; ".join(filter(None, (f"the robot went to {message.data}", self._states.why_none())))
            self.get_logger().warning(self._error)
            self.trigger_deactivate()

    def _tick(self, state: RobotState) -> None:
        """Take one step if ``state`` is due, and publish its command."""
        first = self._deadline_ns is None
        deadline_ns = self._granted_ns + 1 if self._deadline_ns is None else self._deadline_ns
        if state.stamp_ns < deadline_ns:
            return
        begun_ns = time.monotonic_ns()
        missed = 0 if first else (state.stamp_ns - deadline_ns) // self._step.control_dt_ns
        start_ns = state.stamp_ns if first else deadline_ns
        self._deadline_ns = start_ns + (missed + 1) * self._step.control_dt_ns
        velocity = self._topics.velocity.at(state.stamp_ns)
        depth = self._topics.images(state.stamp_ns)
        try:
            record = self._step(PolicyInputs(state, velocity, depth), self._clock_ns())
        except InputError as error:
            self._fail(error)
            return
        self._commands.publish(self._message.fill(record.command))
        self._monitor.ticked(record, missed, state.stamp_ns - start_ns, begun_ns)
        recording.flush(self._journal)
        if self._switch.tell(True):
            self.tell()

    def _fail(self, error: RobotPoliciesError) -> None:
        """End the lease with the reason and become inactive, ready to be activated again."""
        self.get_logger().error(str(error))
        self._error = str(error)
        self._release(self._error)
        self.trigger_deactivate()
        self.tell()

    def _release(self, error: str | None) -> None:
        if not self._active:
            return
        self._active = False
        try:
            self._robot.release_lease(error)
        except RobotError as refusal:  # a trip has ended the lease before, or the robot node is gone
            self.get_logger().warning(str(refusal))

    def _refused(self, error: RobotPoliciesError) -> TransitionCallbackReturn:
        self.get_logger().error(f"refused: {error}")
        self._error = str(error)
        self.tell()
        return FAILURE

    # Telling.

    def tell_sometimes(self) -> None:
        """Publish the diagnostics if half a second has passed."""
        now = time.monotonic()
        if now >= self._next_diagnostics:
            self._next_diagnostics = now + DIAGNOSTICS_PERIOD
            self.tell()

    def tell(self) -> None:
        """Publish the diagnostics now."""
        recording.flush(self._journal)
        values = {"active": self._active, "policy": self._bundle.contract.name, **self._monitor.values()}
        values |= recording.values(self._journal)
        values["reads_depth"] = bool(self._bundle.contract.depth)
        level, message = (OK, "active" if self._active else "inactive")
        if hasattr(self, "_states"):
            topics, states = self._topics, self._states
            values |= {"refused_inputs": topics.refused, "last_refusal": topics.last_error or states.last_error}
            values |= {"incomplete_states": states.incomplete, "malformed_states": states.malformed}
            values |= {**self._switch.values(), "depth_delay_ms": {n: w.values() for n, w in self._step.delays.items()}}
            self._switch.tell(self._active)
            why = "; ".join(filter(None, (self._switch.why, *topics.bad_images.values()))) if self._switch.why else ""
            level, message = (WARN, why) if why else (WARN if topics.refused or states.malformed else OK, message)
        if self._error:
            level, message = ERROR, self._error
        self._diagnostics.publish(self._now_ns(), level, message, values)

    def close(self) -> None:
        """Give the lease back, if it is held, and end."""
        self._release(None)
        self._robot.close()
        recording.close(self._journal)
        self.destroy_node()

    def _now_ns(self) -> int:
        """Return the robot's clock [ns], as far as this node can know it: the newest state's stamp."""
        return self._state.stamp_ns if self._state is not None else int(self.get_clock().now().nanoseconds)

    def _clock_ns(self) -> int | None:
        """Return the time [ns] to judge a state's age by; in lockstep time stands still while this node works."""
        return None if self._lockstep() else int(self.get_clock().now().nanoseconds)

    def _lockstep(self) -> bool:
        return bool(self.get_parameter("use_sim_time").value)

    def _text(self, name: str) -> str:
        return str(self.get_parameter(name).value)


def _spin(node: PolicyNode, spinner: Spinner, stop: Stop) -> None:
    while not stop.requested:
        try:
            spinner.spin_for(0.1)
        except RCLError as error:
            # rclpy lets a transition that the state machine does not know end the executor; it must not end the node.
            node.get_logger().warning(f"refused: {error}")
        node.tell_sometimes()


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit code 2 for a wrong parameter, robot or bundle, said in one line."""

    def body(stop: Stop) -> None:
        node = PolicyNode()
        spinner = Spinner(node)
        try:
            _spin(node, spinner, stop)
        finally:
            node.close()

    return run(body, args)


if __name__ == "__main__":
    sys.exit(main())
