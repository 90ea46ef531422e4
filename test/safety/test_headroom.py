"""The quick look at a command says "within every limit" exactly where clamping changes nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from helpers import safety as kit
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_policies.safety.filter import ROUNDING, SafetyFilter
from robot_policies.safety.headroom import Headroom
from robot_policies.types import Array, JointCommand, RobotState, owned

LIMITS = kit.go2_limits()
STEP = owned(np.full(12, kit.RATE * 0.02))


def clamped(command: JointCommand, state: RobotState, base: Array | None = None, step: Array | None = None) -> bool:
    """Whether the filter changes anything when it does not look first."""
    safe, names = SafetyFilter(LIMITS)._clamped(command, state, base, step)
    same = all(
        np.array_equal(getattr(safe, name), getattr(command, name))
        for name in ("joint_pos", "joint_vel", "joint_effort")
    )
    assert same == (not names)
    return bool(names)


def near(values: Array, by: float) -> st.SearchStrategy[Array]:
    """Values around ``values``, some of them exactly there."""
    exact = st.sampled_from([-by, -1e-9, 0.0, 0.0, 0.0, 1e-9, by])
    return arrays(np.float64, 12, elements=exact | st.floats(-by, by)).map(lambda change: owned(values + change))


@settings(max_examples=150)
@given(
    pos=near(kit.STAND, 2.5),
    measured=near(kit.STAND, 0.9),
    vel=near(np.zeros(12), 1.0),
    measured_vel=near(np.zeros(12), 8.0),
    effort=near(np.zeros(12), 4.0),
    base=near(kit.STAND, 0.3) | st.none(),
    stiffness=st.sampled_from([0.0, 0.5, 8.0, 30.0]),
)
def test_it_agrees_with_clamping(
    pos: Array, measured: Array, vel: Array, measured_vel: Array, effort: Array, base: Array | None, stiffness: float
) -> None:
    command = kit.command(0, kit.profile(stiffness=stiffness), joint_pos=pos, joint_vel=vel, joint_effort=effort)
    state = kit.state(joint_pos=measured, joint_vel=measured_vel)
    step = owned(STEP / 4)
    assert Headroom(LIMITS, ROUNDING)(command, state, base, step) is not clamped(command, state, base, step)


LIMIT = {
    "joint_vel": kit.TARGET_VEL,
    "joint_effort": kit.TORQUE,
}


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("joint", range(12))
@pytest.mark.parametrize("name", LIMIT)
def test_each_joint_and_side_of_each_limit_is_looked_at(name: str, joint: int, sign: float) -> None:
    look, gains = Headroom(LIMITS, ROUNDING), kit.profile(stiffness=1.0, damping=0.001)
    for over, within in ((1.0, True), (1.0 + 1e-12, False)):
        values = kit.poisoned(owned(np.zeros(12)), joint, sign * LIMIT[name][joint] * over)
        if name == "joint_effort" and within:
            continue  # the torque of the target comes on top
        assert look(kit.command(0, gains, **{name: values}), kit.state(), None, None) is within


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("joint", range(12))
def test_each_joint_and_side_of_position_rate_and_torque(joint: int, sign: float) -> None:
    look, soft = Headroom(LIMITS, ROUNDING), kit.profile(stiffness=0.001, damping=0.001)
    middle = owned((kit.LOWER + kit.UPPER) / 2)
    state = kit.state(joint_pos=middle)
    end = (kit.UPPER[joint] + kit.BEYOND) if sign > 0 else (kit.LOWER[joint] - kit.BEYOND)
    for extra, within in ((-1e-9, True), (1e-9, False)):
        target = kit.poisoned(middle, joint, end + sign * extra)
        assert look(kit.command(0, soft, joint_pos=target), state, None, STEP) is within
        rated = kit.poisoned(middle, joint, middle[joint] + sign * (0.25 + extra))
        assert look(kit.command(0, soft, joint_pos=rated), state, middle, owned(STEP / 10)) is within
        reach = kit.TORQUE[joint] / 100.0 + extra
        pulled = kit.poisoned(middle, joint, middle[joint] + sign * reach)
        assert look(kit.command(0, kit.profile(stiffness=100.0), joint_pos=pulled), state, None, None) is within


def test_a_look_leaves_nothing_behind() -> None:
    look, inside = Headroom(LIMITS, ROUNDING), kit.command()
    far = kit.command(joint_pos=owned(kit.STAND + 40.0))
    assert look(inside, kit.state(), None, None)
    assert not look(far, kit.state(), owned(kit.STAND), STEP)
    assert look(inside, kit.state(), None, None), "the rate of the last look is still there"
    before = dataclasses.replace(inside)
    look(inside, kit.state(), owned(kit.STAND), STEP)
    assert before == inside


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_rate_is_measured_from_the_last_target_and_not_from_the_joint(sign: float) -> None:
    look, soft = Headroom(LIMITS, ROUNDING), kit.profile(stiffness=0.001, damping=0.001)
    step = owned(STEP / 10)  # 0.25 rad
    for measured in (-0.5, 0.5):
        state = kit.state(joint_pos=owned(kit.STAND + measured))
        for move, within in ((0.2, True), (0.3, False)):
            command = kit.command(0, soft, joint_pos=owned(kit.STAND + sign * move))
            assert look(command, state, owned(kit.STAND), step) is within


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_joint_beyond_its_limit_may_be_asked_back_to_it(sign: float) -> None:
    limit = kit.UPPER if sign > 0 else kit.LOWER
    soft, state = kit.profile(stiffness=1.0, damping=0.1), kit.state(joint_pos=owned(limit + sign * 0.05))
    assert Headroom(LIMITS, ROUNDING)(kit.command(0, soft, joint_pos=owned(limit)), state, None, None)
    beyond = owned(limit + sign * 1e-9)
    assert not Headroom(LIMITS, ROUNDING)(kit.command(0, soft, joint_pos=beyond), state, None, None)
