"""The page's walk button: everything between a robot that lies, or has tripped, and a policy that drives it.

A user otherwise needs the services and ``ros2 lifecycle``. Nothing blocks: ``step`` goes on when an answer is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from robot_policies.exceptions import RobotError, expected
from robot_policies.nodes.viewer_facts import Facts

ANSWER_LIMIT = 8.0  # [s]; a policy that is configured loads its network
STAND_LIMIT = 15.0  # [s]; the slowest way from lying to the start pose takes 4 s
SOON = 3.0  # [s] for what a node does by itself
TOLD = 0.3  # [s] until the reason of a refused transition has come on /diagnostics

Report = Callable[[str], None]
Way = Generator[None, None, Any]  # yields while it waits


class Walk:
    """One way to walking at a time; what refuses, and why, is told to ``report``."""

    def __init__(self, node: Node, policy_node: str, facts: Facts, report: Report) -> None:
        """Make the clients, of the robot node in this namespace and of ``policy_node``."""
        self._facts, self._report, self._policy_node = facts, report, policy_node
        self._arm = node.create_client(SetBool, "arm")
        self._reset, self._stand = (node.create_client(Trigger, name) for name in ("reset", "stand"))
        self._get = node.create_client(GetState, f"{policy_node}/get_state")
        self._change = node.create_client(ChangeState, f"{policy_node}/change_state")
        self._steps: Way | None = None

    def begin(self) -> None:
        """Start, unless it is on its way already."""
        if self._steps is None:
            self._steps = self._way()

    def cancel(self, by: str) -> None:
        """Give up, as another request has come."""
        if self._steps is not None:
            self._steps = None
            self._report(f"walk: ended by {by}")

    def step(self) -> None:
        """Go on as far as the answers that have come allow."""
        if self._steps is None:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._steps = None
        except RobotError as error:
            self._steps = None
            self._report(f"walk: {error}")

    def _way(self) -> Way:
        facts = self._facts
        end = time.monotonic() + SOON
        while not facts.alive("robot_node"):
            if time.monotonic() > end:
                raise RobotError(expected("a robot node", "none that is heard", "start one in this namespace"))
            yield
        if facts.robot.get("mode") == "active":
            raise RobotError("it is active already")
        yield from self._clear()
        if facts.robot.get("mode") == "disarmed":
            yield from self._ask("arm", self._arm, SetBool.Request(data=True))
            yield from self._until(lambda: facts.robot.get("mode") != "disarmed", SOON, "to be armed")
        if not (facts.robot.get("mode") == "stand" and facts.robot.get("ready")):
            yield from self._ask("stand", self._stand, Trigger.Request())
            yield from self._until(lambda: facts.robot.get("mode") == "stand", SOON, "to begin to stand up")
            yield from self._until(lambda: bool(facts.robot.get("ready")), STAND_LIMIT, "to stand")
        yield from self._activate()
        self._report("walk: active")

    def _clear(self) -> Way:
        """Clear what is latched; an emergency stop is only cleared by who means just that."""
        latched = self._facts.robot.get("latched", [])
        if "estop" in latched:
            raise RobotError("it was stopped by estop; press Reset first, when it is safe to go on")
        if latched:
            yield from self._ask("reset", self._reset, Trigger.Request())
            yield from self._until(lambda: not self._facts.robot.get("latched"), SOON, "to be reset", cleared=False)

    def _activate(self) -> Way:
        state = yield from self._lifecycle()
        end = time.monotonic() + SOON
        while state == State.PRIMARY_STATE_ACTIVE and time.monotonic() < end:
            yield  # a policy node becomes inactive by itself once it hears that the robot does not follow any more
            state = yield from self._lifecycle()
        if state == State.PRIMARY_STATE_UNCONFIGURED:
            yield from self._transition("configure", Transition.TRANSITION_CONFIGURE)
        yield from self._transition("activate", Transition.TRANSITION_ACTIVATE)
        yield from self._until(lambda: self._facts.robot.get("mode") == "active", SOON, "to be active")

    def _lifecycle(self) -> Way:
        answer = yield from self._answer(f"{self._policy_node}/get_state", self._get, GetState.Request())
        return answer.current_state.id

    def _transition(self, name: str, transition: int) -> Way:
        self._report(f"walk: {name}")
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = yield from self._answer(f"{self._policy_node}: {name}", self._change, request)
        if not answer.success:
            end = time.monotonic() + TOLD
            while time.monotonic() < end:
                yield
            said = self._facts.policy.get("message") or "it gives no reason"
            raise RobotError(f"{self._policy_node} refuses to {name}: {said}")

    def _ask(self, name: str, client: Any, request: Any) -> Way:
        self._report(f"walk: {name}")
        answer = yield from self._answer(name, client, request)
        if not answer.success:
            raise RobotError(f"{name} is refused: {answer.message}")

    def _answer(self, name: str, client: Any, request: Any) -> Way:
        """Call a service and return its answer."""
        end = time.monotonic() + ANSWER_LIMIT
        while not client.service_is_ready():
            if time.monotonic() > end:
                raise RobotError(expected(f"{name}: a node that answers", "none", f"one within {ANSWER_LIMIT:g} s"))
            yield
        future = client.call_async(request)
        while not future.done():
            if time.monotonic() > end:
                raise RobotError(expected(f"{name}: an answer", "none", f"one within {ANSWER_LIMIT:g} s"))
            yield
        return future.result()

    def _until(self, done: Callable[[], bool], limit: float, what: str, cleared: bool = True) -> Way:
        """Wait for the robot; a trip ends the way, once those from before are ``cleared``."""
        end = time.monotonic() + limit
        while not done():
            latched = self._facts.robot.get("latched")
            if latched and cleared:
                raise RobotError(f"the robot tripped on its way: {self._facts.robot.get('message', latched)}")
            if time.monotonic() > end:
                found = self._facts.robot.get("message", "nothing heard")
                raise RobotError(expected(f"the robot {what} within {limit:g} s", found, "see the trips below"))
            yield
