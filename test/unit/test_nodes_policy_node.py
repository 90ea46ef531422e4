"""The policy node's own decisions, without another process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy")

from helpers.bundles import standing
from std_msgs.msg import String

from robot_policies.exceptions import InputError, RobotError
from robot_policies.nodes.policy_node import FAILURE, STAGGERED, SUCCESS, PolicyNode
from robot_policies.robot_spec import load_robot_spec

SPEC = load_robot_spec("go2")


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
