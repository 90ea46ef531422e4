"""The robot node: one robot, its safety filter, watchdog, modes and command lease, in a process of their own.

The loop is ``RobotNode.cycle``. Callbacks are served while the robot's own ``read`` passes the time of a cycle, so
there is one thread and every request acts between two cycles.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import JointState

from robot_policies import resources
from robot_policies.control import pacing
from robot_policies.control.recording.journal import ROBOT, JournaledRobotStep
from robot_policies.exceptions import InputError, LockstepTimeout, RobotError
from robot_policies.nodes import recording
from robot_policies.nodes.clock import check_clock
from robot_policies.nodes.conversions import joint_command, to_ns
from robot_policies.nodes.diagnostics import Diagnostics
from robot_policies.nodes.lockstep import Sensors
from robot_policies.nodes.robot_health import HealthPort
from robot_policies.nodes.robot_monitor import RobotMonitor
from robot_policies.nodes.robot_publishers import RobotPublishers
from robot_policies.nodes.robot_requests import RobotRequests
from robot_policies.nodes.runtime import RELIABLE, Spinner, Stop, refuse_unknown_parameters, run
from robot_policies.nodes.waiting import LockstepWait, RealTimeWait
from robot_policies.robot_spec import load_robot_spec
from robot_policies.robots.robot import Described, KnowsGround, KnowsGroundTruth, Robot
from robot_policies.safety.limits import load_safety
from robot_policies.safety.state_machine import Request
from robot_policies.types import GainProfile, Mode, owned

DIAGNOSTICS_PERIOD = 0.5  # [s]
LANDING_TIME = 0.5  # [s] of damping that is still sent after the process was asked to stop
LOST_LIMIT = 1.0  # [s] in which a robot can be neither read nor written before the node ends


class RobotNode:
    """Reads, checks, filters and writes, once per cycle of the robot."""

    def __init__(self, node: Node, stop: Stop) -> None:
        """Open the robot that the parameters name. Raises ``RobotPoliciesError``."""
        self._node, self._stop = node, stop
        options, lockstep, speed = _options(node)
        spec = load_robot_spec(_text(node, "robot"))
        safety = _text(node, "safety") or spec.name
        limits = load_safety(safety, spec)
        self._spinner = Spinner(node)
        self._robot: Robot = resources.plugin("robots", _text(node, "backend"))(spec, options)
        rate = self._robot.spec.state_rate
        self._step = JournaledRobotStep(self._robot.spec, limits.at_rate(rate / spec.state_rate))
        self._journal = recording.open_journal(node, ROBOT)
        self._recordings = (self._journal, recording.open_wire(node, self._robot))
        self._step.begin(self._journal, _text(node, "robot"), safety)
        wait_kind = LockstepWait(self._spinner, speed, self._robot.now_ns) if lockstep else None
        self._wait = wait_kind or RealTimeWait(self._spinner, self._robot.now_ns)
        self._lockstep = lockstep
        self._sensors = Sensors(node) if lockstep else None
        self._truth = self._robot if isinstance(self._robot, KnowsGroundTruth) else None
        prefix = _text(node, "frame_prefix")
        with_clock = lockstep and bool(node.get_parameter("publish_clock").value)
        self._topics = RobotPublishers(node, spec, prefix, self._truth is not None, with_clock)
        self._health = HealthPort(node, self._robot, self._step, self._robot.now_ns)
        self._monitor = RobotMonitor(self._step, self._health.report)
        self._diagnostics = Diagnostics(node, spec.name)
        self._requests = RobotRequests(node, self._step, self._robot.now_ns, self._wait.expect)
        refuse_unknown_parameters(node)
        self._nothing = GainProfile("", owned(spec.stand_stiffness * 0.0), owned(spec.stand_damping * 0.0))
        self._told: tuple[Any, ...] = ()
        self._next_diagnostics = 0.0
        self._lost_ns: int | None = None  # when the robot could not be read any more
        node.create_subscription(JointState, "joint_command", self._command, RELIABLE)
        if isinstance(self._robot, Described):
            self._topics.description(self._robot.description())
        if isinstance(self._robot, KnowsGround):
            self._topics.ground(self._robot.ground())
        if not lockstep:
            pacing.prepare(node.get_logger().warning)

    def run(self) -> None:
        """Cycle until asked to stop, then leave the robot in damping."""
        node = self._node
        node.get_logger().info(f"{self._step.spec.name} runs at {self._step.spec.state_rate:g} Hz, disarmed")
        while not self._stop.requested:
            self._cycle()
        self._land()

    def _cycle(self) -> None:
        """One cycle, with a state or without. A lockstep that nobody answers is the end of the run."""
        try:
            self.cycle()
        except LockstepTimeout:
            raise
        except RobotError as error:
            self._without_state(error)
        else:
            self._lost_ns = None
        recording.flush(*self._recordings)

    def cycle(self) -> None:
        """One cycle: read, publish, check and filter, write, tell. What a policy or the motors wait for comes first."""
        robot, step = self._robot, self._step
        state = robot.read(self._wait)
        begun = time.monotonic_ns()
        truth = self._truth.ground_truth() if self._truth is not None else None
        if self._sensors is not None:  # what simulated sensors give by now comes before the state that a policy takes
            self._topics.base(state, truth)
            self._sensors.wait(state.stamp_ns)
        self._monitor.published(state.stamp_ns, robot.now_ns())
        self._topics.state(state)
        record = step.cycle(state, robot.now_ns(), None if self._lockstep else time.monotonic_ns(), self._health.read())
        self._topics.sent(robot.write(record.safe))
        if self._sensors is None:
            self._topics.base(state, truth)
        if step.lease is None:
            self._wait.expect(None)
        self._wait.published(state.stamp_ns)
        self._health.publish(state.stamp_ns)
        changed = self._monitor.cycle(record, truth, time.monotonic_ns() - begun)
        self._tell(changed, state.stamp_ns)

    def _without_state(self, error: RobotError) -> None:
        """Land without a state; give up when the robot stays unreadable, or no command gets out."""
        now_ns = self._robot.now_ns()
        if self._lost_ns is None:
            self._node.get_logger().error(str(error))
            self._lost_ns = now_ns
        elif now_ns - self._lost_ns > LOST_LIMIT * 1e9:
            raise RobotError(f"the robot is given up after {LOST_LIMIT:g} s: {error}") from error
        command = self._step.cycle_without_state(str(error), now_ns)
        with suppress(RobotError):  # what cannot be read, perhaps cannot be written either; the first error was told
            self._topics.sent(self._robot.write(command))
        monitor = self._monitor
        if monitor.note(now_ns):
            self._topics.mode(monitor.mode_text)
        told = monitor.values() | recording.values(*self._recordings)
        self._diagnostics.publish(now_ns, monitor.level(), str(error), told)
        self._spinner.spin_for(1.0 / self._step.spec.state_rate)

    def _tell(self, changed: bool, stamp_ns: int) -> None:
        """Publish mode and profiles as they change, and the diagnostics then and every half second."""
        if changed:
            self._topics.mode(self._monitor.mode_text)
        told = (tuple(self._step.profiles), self._step.active_profile)
        if told != self._told:
            self._told = told
            self._topics.profiles({"accepted": list(told[0]), "active": told[1]})
        now = time.monotonic()
        if changed or now >= self._next_diagnostics:
            self._next_diagnostics = now + DIAGNOSTICS_PERIOD
            monitor = self._monitor
            values = monitor.values() | recording.values(*self._recordings)
            self._diagnostics.publish(stamp_ns, monitor.level(), monitor.message(), values)

    def _command(self, message: JointState) -> None:
        step, now_ns = self._step, self._robot.now_ns()
        profile = step.profiles.get(message.header.frame_id, self._nothing)
        try:
            command = joint_command(step.spec, message, profile)
        except InputError as error:
            # Only the lease holder's own malformed command is a trip; a stranger's is refused and counted.
            own = step.lease is not None and message.header.frame_id in step.lease.profiles
            step.refuse_command("names" if own else "profile", str(error), now_ns)
        else:
            if step.take_command(command, now_ns) is None:
                self._monitor.taken(command.stamp_ns)
        self._wait.answered(to_ns(message.header.stamp))

    def _land(self) -> None:
        """Send damping for a while, whatever else is asked meanwhile."""
        self._wait.expect(None)
        if self._step.mode is Mode.DISARMED:
            return
        self._step.request(Request.DAMP, self._robot.now_ns())
        end_ns = self._robot.now_ns() + int(LANDING_TIME * 1e9)
        while self._robot.now_ns() < end_ns:
            self._cycle()

    def close(self) -> None:
        """Release the robot."""
        self._robot.close()
        recording.close(*self._recordings)
        if self._sensors is not None:
            self._sensors.close()
        self._spinner.close()
        self._node.destroy_node()


def _options(node: Node) -> tuple[dict[str, Any], bool, float]:
    """Declare the parameters; return the backend's options, whether in lockstep, and the speed."""
    for name, default in (("robot", "go2"), ("backend", "mujoco"), ("safety", ""), ("frame_prefix", "")):
        node.declare_parameter(name, default)
    node.declare_parameter("clock", "real")
    node.declare_parameter("speed", 1.0)
    node.declare_parameter("publish_clock", True)
    clock, speed = _text(node, "clock"), float(node.get_parameter("speed").value)
    check_clock(clock, speed)
    given = [name for name in node._parameter_overrides if name.startswith("options.")]
    options: dict[str, Any] = {"clock": clock}
    for name in given:  # the backend's own schema says which it knows
        options[name.removeprefix("options.")] = node.declare_parameter(
            name, node._parameter_overrides[name].value
        ).value
    return options, clock == "lockstep", speed


def _text(node: Node, name: str) -> str:
    return str(node.get_parameter(name).value)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; exit code 2 for a wrong parameter or name, said in one line."""

    def body(stop: Stop) -> None:
        node = Node("robot_node")
        robot = RobotNode(node, stop)
        try:
            robot.run()
        finally:
            robot.close()

    return run(body, args)


if __name__ == "__main__":
    sys.exit(main())
