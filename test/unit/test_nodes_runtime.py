"""What every node shares: unknown parameters, errors in one line, logged transitions; and the nodes' own decisions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

import rclpy
from helpers.bundles import standing
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String

from robot_policies.exceptions import InputError, LockstepTimeout, ResourceError, RobotError
from robot_policies.nodes import robot_node
from robot_policies.nodes.policy_node import FAILURE, STAGGERED, SUCCESS, PolicyNode
from robot_policies.nodes.robot_node import RobotNode
from robot_policies.nodes.runtime import Stop, logged, refuse_unknown_parameters
from robot_policies.robot_spec import load_robot_spec
from robot_policies.safety.state_machine import Request
from robot_policies.types import Mode

SPEC = load_robot_spec("go2")


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context, domain_id=93)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture
def node(context: Context) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(**given: Any) -> Node:
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in given.items()]
        made.append(Node("n", context=context, parameter_overrides=overrides, start_parameter_services=False))
        made[-1].declare_parameter("robot", "go2")
        return made[-1]

    yield make
    for each in made:
        each.destroy_node()


def test_parameters_that_the_node_has_and_those_of_ros_are_accepted(node: Callable[..., Node]) -> None:
    given = {"robot": "g1", "use_sim_time": False, "qos_overrides____clock__subscription__depth": 5}
    refuse_unknown_parameters(node(**given))


@pytest.mark.parametrize("name", ["robt", "robot__x", "use_sim_timer", "qos_overridesx", "Robot"])
def test_any_other_parameter_is_refused_with_those_that_there_are(node: Callable[..., Node], name: str) -> None:
    with pytest.raises(ResourceError, match=f"n: known parameters; found {name.replace('__', '.')}; valid: robot$"):
        refuse_unknown_parameters(node(**{name: "x"}))


MAIN = """
import sys
from robot_policies.exceptions import ResourceError
from robot_policies.nodes.runtime import run
from rclpy.executors import ExternalShutdownException
def main(stop):
    kind = sys.argv[1]
    if kind == "ours":
        raise ResourceError("robot; found go9; valid: go2")
    if kind == "shutdown":
        raise ExternalShutdownException()
    if kind == "bug":
        raise ZeroDivisionError()
    if kind == "stop":
        import os, signal
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert stop.requested
sys.exit(run(main, sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("kind", "arguments", "code", "told"),
    [
        ("ours", (), 2, "error: robot; found go9; valid: go2"),
        ("shutdown", (), 0, ""),
        ("stop", (), 0, ""),
        ("fine", (), 0, ""),
        ("fine", ("--ros-args", "-p", "no_value"), 2, "error: "),
        ("bug", (), 1, "ZeroDivisionError"),  # a bug of ours is not hidden
    ],
)
def test_how_a_node_process_ends(kind: str, arguments: tuple[str, ...], code: int, told: str) -> None:
    path = os.pathsep.join(sys.path)
    env = {**os.environ, "PYTHONPATH": path, "ROS_DOMAIN_ID": "92"}
    line = [sys.executable, "-c", MAIN, kind, *arguments]
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    assert told in done.stderr if told else done.stderr == ""
    assert ("Traceback" in done.stderr) is (kind == "bug")
    if code == 2:  # rcl has a line of its own for what it cannot parse
        assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1


def test_a_stop_is_remembered_and_a_second_signal_changes_nothing() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = Stop()
        assert stop.requested is False
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested is True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_what_goes_wrong_in_a_transition_is_logged_and_not_hidden() -> None:
    said: list[str] = []
    fake = SimpleNamespace(get_logger=lambda: SimpleNamespace(fatal=said.append))
    assert logged(lambda node, state: "fine")(fake, None) == "fine" and said == []

    def broken(node: Any, state: Any) -> Any:
        raise ZeroDivisionError("of the test")

    with pytest.raises(ZeroDivisionError):
        logged(broken)(fake, None)
    assert len(said) == 1 and "ZeroDivisionError: of the test" in said[0]


# The policy node's own decisions, without another process.


class FakePolicy(SimpleNamespace):
    """What ``PolicyNode`` methods see as themselves."""

    def __init__(self, **fields: Any) -> None:
        self.calls: list[Any] = []
        log = SimpleNamespace(
            warning=lambda text: self.calls.append(("warn", text)),
            error=lambda text: self.calls.append(("error", text)),
        )
        super().__init__(
            _active=True,
            _seen_active=False,
            _error="",
            _states=SimpleNamespace(incomplete=0, why_none=lambda: ""),
            get_logger=lambda: log,
            trigger_deactivate=lambda: self.calls.append("deactivate"),
            tell=lambda: self.calls.append("tell"),
            **fields,
        )

    def hear(self, *modes: str) -> None:
        for mode in modes:
            PolicyNode._on_mode(self, String(data=mode))  # type: ignore[arg-type]


def test_a_stand_from_before_the_lease_does_not_end_it() -> None:
    policy = FakePolicy()
    policy.hear("stand", "active", "active")
    assert policy._active and policy.calls == []


@pytest.mark.parametrize("mode", ["stand", "damping", "landing:sit", "landing:damping", "disarmed"])
def test_leaving_active_ends_the_policys_part_with_the_reason(mode: str) -> None:
    policy = FakePolicy()
    policy.hear("active", mode)
    assert policy._active is False and policy._error == f"the robot went to {mode}"
    assert policy.calls == [("warn", policy._error), "deactivate"]
    policy.hear(mode, "stand")  # once
    assert policy.calls.count("deactivate") == 1


@pytest.mark.parametrize("mode", ["damping", "landing:damping", "disarmed"])
def test_an_active_that_was_over_before_it_was_heard_ends_too(mode: str) -> None:
    policy = FakePolicy()
    policy._states.why_none = lambda: "names; found tail_joint"
    policy.hear("stand", mode)
    assert policy._active is False and policy._error == f"the robot went to {mode}; names; found tail_joint"
    assert "deactivate" in policy.calls


def test_modes_mean_nothing_while_inactive() -> None:
    policy = FakePolicy()
    policy._active = False
    policy.hear("active", "landing:damping")
    assert policy.calls == [] and policy._error == ""


class Robot:
    """Stands for the robot node's client."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses, self.asked = refuses, list[Any]()

    def _ask(self, name: str, *values: Any) -> int:
        self.asked.append((name, *values))
        if name == self.refuses:
            raise RobotError(f"{name} refused")
        return 17

    def set_gain_profile(self, gains: Any) -> None:
        self._ask("gains", gains)

    def take_lease(self, *terms: Any) -> int:
        return self._ask("lease", *terms)

    def release_lease(self, error: str | None = None) -> None:
        self._ask("release", error)


class Starting(FakePolicy):
    """A policy node at its activation."""

    def __init__(self, robot: Robot, state: Any, far: bool = False) -> None:
        self.reset: list[str] = []

        def check_start(state: Any) -> None:
            if far:
                raise InputError("start pose: FL_hip_joint")

        step = SimpleNamespace(
            profiles=(SimpleNamespace(name="t/0"), SimpleNamespace(name="u/1")),
            inputs=("state", "velocity_command"),
            tilt=1.2,
            control_dt_ns=20_000_000,
            reset=lambda: self.reset.append("step"),
            check_start=check_start,
        )
        super().__init__(
            _step=step,
            _topics=SimpleNamespace(clear=lambda: self.reset.append("topics")),
            _robot=robot,
            _state=state,
            _deadline_ns=5,
            _granted_ns=0,
            _monitor=SimpleNamespace(activated=lambda: self.reset.append("monitor")),
        )
        self._active, self._seen_active, self._error = False, True, "the robot went to landing:damping"

    def _refused(self, error: Any) -> Any:
        return PolicyNode._refused(self, error)  # type: ignore[arg-type]


def test_an_activation_begins_anew() -> None:
    robot = Robot()
    policy = Starting(robot, standing(SPEC))
    assert PolicyNode.on_activate(policy, None) is SUCCESS  # type: ignore[arg-type]
    assert policy.reset == ["step", "topics", "monitor"]
    assert robot.asked == [
        *(("gains", gains) for gains in policy._step.profiles),
        ("lease", 20_000_000, ("t/0", "u/1"), ("state", "velocity_command"), 1.2),
    ]
    assert (policy._active, policy._seen_active, policy._error) == (True, False, "")
    assert (policy._deadline_ns, policy._granted_ns) == (None, 17)


@pytest.mark.parametrize(("refuses", "far", "asked"), [("", True, 0), ("gains", False, 1), ("lease", False, 3)])
def test_a_refused_activation_says_why_and_leaves_it_inactive(refuses: str, far: bool, asked: int) -> None:
    robot = Robot(refuses)
    policy = Starting(robot, standing(SPEC), far)
    assert PolicyNode.on_activate(policy, None) is FAILURE  # type: ignore[arg-type]
    assert policy._active is False and len(robot.asked) == asked
    assert policy._error == ("start pose: FL_hip_joint" if far else f"{refuses} refused")
    assert "tell" in policy.calls


@pytest.mark.parametrize(("incomplete", "answer"), [(STAGGERED, SUCCESS), (STAGGERED + 1, FAILURE)])
def test_a_robot_of_which_a_part_never_comes_is_told_at_activation(incomplete: int, answer: Any) -> None:
    policy = Starting(Robot(), None)
    policy._states = SimpleNamespace(incomplete=incomplete, why_none=lambda: "nothing on odom")
    assert PolicyNode.on_activate(policy, None) is answer  # type: ignore[arg-type]
    assert policy._error == ("" if answer is SUCCESS else "nothing on odom")


def test_the_lease_is_given_back_once_and_a_refusal_of_that_is_only_a_warning() -> None:
    policy = FakePolicy(_robot=Robot("release"))
    PolicyNode._release(policy, "actor: not finite")  # type: ignore[arg-type]
    PolicyNode._release(policy, None)  # type: ignore[arg-type]
    assert policy._robot.asked == [("release", "actor: not finite")]
    assert policy._active is False and policy.calls == [("warn", "release refused")]


# The robot node's loop, on a robot that fails.


class Landing:
    """A robot node's parts around its loop."""

    def __init__(self, failing: Callable[[int], bool], mode: Mode = Mode.STAND) -> None:
        self.now, self.reads, self.asked, self.sent = 0, 0, list[Any](), list[str]()
        self.failing = failing
        self._robot = SimpleNamespace(now_ns=lambda: self.now, write=lambda command: command)
        self._step = SimpleNamespace(
            mode=mode,
            request=lambda request, now: self.asked.append(request),
            cycle_without_state=lambda detail, now: f"damping: {detail}",
            spec=SimpleNamespace(state_rate=200.0),
        )
        self._wait = SimpleNamespace(expect=lambda dt: self.asked.append(dt))
        self._topics = SimpleNamespace(sent=self.sent.append)
        self._monitor = SimpleNamespace(level=lambda: b"\x02", values=dict, note=lambda now: False)
        self._diagnostics = SimpleNamespace(publish=lambda *values: None)
        self._spinner = SimpleNamespace(spin_for=self.spend)
        self._node = SimpleNamespace(
            get_logger=lambda: SimpleNamespace(error=lambda text: None, info=lambda text: None)
        )
        self._recordings = ()
        self._lost_ns: int | None = None
        self._stop = SimpleNamespace(requested=False)

    def spend(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    def cycle(self) -> None:
        self.reads += 1
        if self.failing(self.reads):
            raise RobotError("the cable is unplugged")
        self.sent.append("cycle")
        self.now += 5_000_000

    _cycle = RobotNode._cycle
    _land = RobotNode._land
    _without_state = RobotNode._without_state


def test_a_landing_lasts_half_a_second_and_goes_on_without_a_state() -> None:
    node = Landing(lambda k: 10 <= k < 20)
    node._land()  # type: ignore[misc]
    assert node.asked == [None, Request.DAMP]  # nobody is waited for any more
    assert len(node.sent) == 100 and node.sent[9:19] == ["damping: the cable is unplugged"] * 10
    assert node.now >= robot_node.LANDING_TIME * 1e9


def test_a_disarmed_robot_is_left_as_it_is() -> None:
    node = Landing(lambda k: False, Mode.DISARMED)
    node._land()  # type: ignore[misc]
    assert node.reads == 0 and Request.DAMP not in node.asked


def test_a_robot_that_stays_lost_is_given_up_after_the_limit_and_one_that_comes_back_is_not() -> None:
    node = Landing(lambda k: k > 3)
    with pytest.raises(RobotError, match="unplugged"):
        for _ in range(1000):
            node._cycle()  # type: ignore[misc]
    assert robot_node.LOST_LIMIT <= (node.now - 15_000_000) * 1e-9 < robot_node.LOST_LIMIT + 0.02
    flaky = Landing(lambda k: k % 100 != 0)  # half a second each time
    for _ in range(2000):
        flaky._cycle()  # type: ignore[misc]


def test_a_lockstep_that_nobody_answers_ends_the_run() -> None:
    node = Landing(lambda k: False)

    def cycle() -> None:
        raise LockstepTimeout("none for 5 s")

    node.cycle = cycle  # type: ignore[method-assign]
    with pytest.raises(LockstepTimeout):
        node._cycle()  # type: ignore[misc]
    assert node.sent == []
